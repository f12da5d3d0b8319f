"""SharingService: what it answers, and what its lists and Explain say."""

import time

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.client import unique
from needtoknow_testing.refusal import refused

sharing = protos.sharing


def test_share_answers_with_the_disclosure_and_its_receipt(world):
    person, recipient = world.person(), world.recipient()
    request = world.share_request(person, recipient, "staged", starts_in=600, lasts=600)
    before = world.sandbox.database_now()
    answer = world.booking.sharing.Share(request, timeout=10)
    disclosure = answer.disclosure
    assert len(disclosure.disclosure_id) == 36
    assert (disclosure.booking_id, disclosure.recipient_id) == (person.booking_id, recipient.recipient_id)
    assert (disclosure.service, disclosure.purpose, disclosure.legal_basis) == ("staged", "dpv:ServiceProvision", "contract")
    assert disclosure.state == protos.common.DISCLOSURE_STATE_ACTIVE
    assert (disclosure.starts_at, disclosure.ends_at) == (request.starts_at, request.ends_at)
    assert protos.microseconds(disclosure.expires_at) == protos.microseconds(request.ends_at) + 1_000_000
    assert before <= protos.seconds(disclosure.created_at) <= world.sandbox.database_now()
    assert [(release.name, list(release.fields)) for release in disclosure.releases] == [
        ("planning", ["client.district", "booking.tasks"]),
        ("visit", ["client.given_name", "client.home_address", "booking.instructions"]),
        ("entry", ["client.door_code"]),
    ]
    start = protos.microseconds(request.starts_at)
    assert [protos.microseconds(release.due_at) for release in disclosure.releases] == [
        protos.microseconds(disclosure.created_at), start - 2_000_000, start - 1_000_000]
    assert [release.state for release in disclosure.releases] == [
        protos.common.RELEASE_STATE_DUE, protos.common.RELEASE_STATE_WAITING, protos.common.RELEASE_STATE_WAITING]

    ((index, entry),) = ledger.of_disclosure(ledger.entries(world.sandbox), disclosure.disclosure_id)
    assert (index, "SHARED") == (answer.receipt.ledger_index, ledger.kind_name(entry))
    assert entry.actor == "spiffe://maison-claire.example/booking/booking"
    assert entry.recorded_at == answer.receipt.recorded_at == disclosure.created_at
    assert entry.expires_at == disclosure.expires_at
    assert (entry.service, entry.recipient_id, entry.purpose, entry.legal_basis) == (
        "staged", recipient.recipient_id, "dpv:ServiceProvision", "contract")
    assert len(entry.policy_digest) == 32 and len(entry.subject_pseudonym) == 16 and len(entry.booking_ref) == 32


def test_get_disclosure_follows_its_state(world):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient)
    get = lambda: world.booking.sharing.GetDisclosure(
        sharing.GetDisclosureRequest(disclosure_id=shared.disclosure_id), timeout=10).disclosure
    assert get() == shared
    with recipient.receive() as stream:
        delivery = stream.delivery(shared.disclosure_id)
        assert get().releases[0].state == protos.common.RELEASE_STATE_DELIVERED
        assert stream.acknowledge(delivery) == 1
        assert get().releases[0].state == protos.common.RELEASE_STATE_ACKNOWLEDGED


@pytest.mark.parametrize("disclosure_id", ["00000000-0000-0000-0000-000000000000", "nothing", "x" * 128])
def test_an_unknown_disclosure_is_not_found(world, disclosure_id):
    with refused("NOT_FOUND"):
        world.booking.sharing.GetDisclosure(sharing.GetDisclosureRequest(disclosure_id=disclosure_id), timeout=10)


def test_any_booking_caller_reads_any_disclosure(world):
    shared = world.share(world.person(), world.recipient())
    other = world.client_of("spiffe://maison-claire.example/booking/website")
    request = sharing.GetDisclosureRequest(disclosure_id=shared.disclosure_id)
    assert other.sharing.GetDisclosure(request, timeout=10).disclosure == shared


def pages(client, page_size, **by):
    """All of a list, page by page; every page but the last is full."""
    found, token = [], ""
    while True:
        request = sharing.ListDisclosuresRequest(page_size=page_size, page_token=token, **by)
        answer = client.sharing.ListDisclosures(request, timeout=10)
        found.extend(answer.disclosures)
        token = answer.next_page_token
        if not token:
            return found
        assert len(answer.disclosures) == page_size


def test_lists_are_by_booking_subject_or_recipient_the_newest_first(world):
    person, other, recipient = world.person(), world.person(), world.recipient()
    mine = [world.share(person, recipient) for _ in range(5)]
    theirs = world.share(other, recipient)
    newest_first = [shared.disclosure_id for shared in reversed(mine)]
    ids = lambda found: [disclosure.disclosure_id for disclosure in found]
    for size in (1, 2, 5, 100):
        assert ids(pages(world.booking, size, booking_id=person.booking_id)) == newest_first
        assert ids(pages(world.booking, size, subject_id=person.subject_id)) == newest_first
        assert ids(pages(world.booking, size, recipient_id=recipient.recipient_id)) == [theirs.disclosure_id] + newest_first
    assert pages(world.booking, 0, subject_id=unique("nobody")) == []


def test_page_sizes_are_lowered_and_never_negative(world):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient)
    listed = pages(world.booking, 2_000_000_000, subject_id=person.subject_id)
    assert [disclosure.disclosure_id for disclosure in listed] == [shared.disclosure_id]
    for size in (-1, -2_147_483_648):
        with refused("INVALID_ARGUMENT"):
            pages(world.booking, size, subject_id=person.subject_id)


def test_page_tokens_are_bound_to_caller_and_list(world):
    person, recipient = world.person(), world.recipient()
    for _ in range(3):
        world.share(person, recipient)
    first = sharing.ListDisclosuresRequest(page_size=1, subject_id=person.subject_id)
    token = world.booking.sharing.ListDisclosures(first, timeout=10).next_page_token
    assert token
    by_subject = lambda text, **by: sharing.ListDisclosuresRequest(
        page_size=1, page_token=text, **(by or {"subject_id": person.subject_id}))
    assert world.booking.sharing.ListDisclosures(by_subject(token), timeout=10).disclosures
    other = world.client_of("spiffe://maison-claire.example/booking/website")
    with refused("INVALID_ARGUMENT"):
        other.sharing.ListDisclosures(by_subject(token), timeout=10)
    for by in ({"booking_id": person.booking_id}, {"subject_id": unique("nobody")}, {"recipient_id": recipient.recipient_id}):
        with refused("INVALID_ARGUMENT"):
            world.booking.sharing.ListDisclosures(by_subject(token, **by), timeout=10)
    for bad in (token[:-1], token + "A", "A" + token[1:], "nonsense", "=" * 40, "x" * 1000):
        if bad != token:
            with refused("INVALID_ARGUMENT"):
                world.booking.sharing.ListDisclosures(by_subject(bad), timeout=10)


def test_a_list_of_nothing_in_particular_lists_nothing(world):
    with refused("INVALID_ARGUMENT"):
        world.booking.sharing.ListDisclosures(sharing.ListDisclosuresRequest(page_size=10), timeout=10)


@pytest.mark.parametrize("service", ["at-once", "staged", "contact", "home-cleaning"])
def test_explain_says_what_share_does_and_does_nothing(world, service):
    person, recipient = world.person(), world.recipient()
    request = world.share_request(person, recipient, service, starts_in=100_000, lasts=3000)
    explain = sharing.ExplainRequest(
        booking_id=request.booking_id, subject_id=request.subject_id, recipient_id=request.recipient_id,
        service=service, starts_at=request.starts_at, ends_at=request.ends_at)
    size = ledger.size(world.sandbox)
    answer = world.booking.sharing.Explain(explain, timeout=10)
    assert ledger.size(world.sandbox) == size, "Explain records nothing"
    assert pages(world.booking, 10, subject_id=person.subject_id) == []
    assert answer.allowed and answer.reason == ""
    disclosure = world.booking.sharing.Share(request, timeout=10).disclosure
    named = lambda releases: [(release.name, list(release.fields)) for release in releases]
    assert named(answer.releases) == named(disclosure.releases)
    for explained, shared in zip(answer.releases, disclosure.releases):
        # What is due `at: booked` moves with the clock between the two calls.
        assert abs(protos.seconds(explained.due_at) - protos.seconds(shared.due_at)) < (
            10 if protos.seconds(shared.due_at) < time.time() else 1e-9)
