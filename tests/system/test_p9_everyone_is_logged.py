"""P9 Everyone is logged: auditors' queries, registry changes and the policy; and what ListEntries says of it all."""

import hashlib
import time

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.client import unique
from needtoknow_testing.merkle import leaf_hash, root_of
from needtoknow_testing.refusal import refused

audit_pb2 = protos.audit
KIND = protos.ledger.EntryKind.Value


def listed(client, page_size=0, newest_first=False, **filters):
    """All entries that a filter finds, page by page."""
    found, token = [], ""
    while True:
        request = audit_pb2.ListEntriesRequest(
            filter=audit_pb2.EntryFilter(**filters), page_size=page_size, page_token=token, newest_first=newest_first)
        answer = client.audit.ListEntries(request, timeout=20)
        found += answer.entries
        token = answer.next_page_token
        if not token:
            return found


def test_p9_an_auditors_list_is_an_entry_on_its_first_page_alone(world):
    person, recipient = world.person(), world.recipient()
    for _ in range(5):
        world.share(person, recipient)
    uri = f"spiffe://maison-claire.example/auditor/{unique('a')}"
    auditor = world.client_of(uri)
    size = ledger.size(world.sandbox)
    found = listed(auditor, page_size=2, subject_id=person.subject_id)
    assert [ledger.kind_name(entry.entry) for entry in found][:5] == ["SHARED"] * 5
    mine = [entry for _, entry in ledger.entries(world.sandbox, size) if entry.actor == uri]
    assert [ledger.kind_name(entry) for entry in mine] == ["AUDITED"]
    shared = ledger.of_kind(ledger.entries(world.sandbox), "SHARED")
    (pseudonym,) = {entry.subject_pseudonym for _, entry in shared if entry.recipient_id == recipient.recipient_id}
    assert mine[0].subject_pseudonym == pseudonym, "the subject as its pseudonym"
    assert person.subject_id.encode() not in mine[0].SerializeToString()


def test_p9_a_registry_change_is_an_entry(world):
    recipient_id = unique("r")
    size = ledger.size(world.sandbox)
    answers = [world.put_recipient(recipient_id), world.put_recipient(recipient_id, services=[])]
    entries = ledger.entries(world.sandbox, size)
    assert [(index, ledger.kind_name(entry), entry.recipient_id, entry.actor) for index, entry in entries] == [
        (answer.receipt.ledger_index, "RECIPIENT_CHANGED", recipient_id, "spiffe://maison-claire.example/admin/admin")
        for answer in answers]
    assert [answer.receipt.leaf_hash for answer in answers] == [leaf_hash(entry.SerializeToString()) for _, entry in entries]


def test_p9_the_policy_in_force_is_the_first_entry(world):
    (index, entry) = ledger.entries(world.sandbox)[0]
    assert (index, ledger.kind_name(entry), entry.actor) == (0, "POLICY_ACTIVATED", "system")
    text = world.sandbox.query("SELECT text FROM needtoknow.policy ORDER BY policy_number LIMIT 1")[0][0]
    assert entry.policy_digest == hashlib.sha256(text.encode()).digest()


def test_p9_a_whole_story_is_found_by_each_filter(world):
    person, other, recipient = world.person(), world.person(), world.recipient()
    shared = world.share(person, recipient)
    world.share(other, recipient, "contact")
    (first,) = [delivery for delivery in recipient.drain() if delivery.disclosure_id == shared.disclosure_id]
    recipient.acknowledge(first)
    story = ["SHARED", "DELIVERED", "ACKNOWLEDGED"]
    kinds = lambda found: [ledger.kind_name(entry.entry) for entry in found]
    for filters in ({"subject_id": person.subject_id}, {"booking_id": person.booking_id}, {"disclosure_id": shared.disclosure_id},
                    {"recipient_id": recipient.recipient_id, "service": "at-once"},
                    {"recipient_id": recipient.recipient_id, "purpose": "dpv:ServiceProvision"}):
        for page_size in (1, 2, 0):
            found = listed(world.auditor, page_size=page_size, **filters)
            mine = [entry for entry in found if ledger.kind_name(entry.entry) in story]
            assert kinds(mine) == story, f"{filters}: {kinds(found)}"
            indices = [entry.index for entry in found]
            assert indices == sorted(indices)
        back = listed(world.auditor, newest_first=True, **filters)
        assert [entry.index for entry in back if entry.entry.disclosure_id] == [
            entry.index for entry in reversed(found) if entry.entry.disclosure_id]
    delivered = listed(world.auditor, subject_id=person.subject_id, kinds=[KIND("ENTRY_KIND_DELIVERED")])
    assert kinds(delivered) == ["DELIVERED"]
    both = listed(world.auditor, subject_id=person.subject_id,
                  kinds=[KIND("ENTRY_KIND_DELIVERED"), KIND("ENTRY_KIND_SHARED")])
    assert kinds(both) == ["SHARED", "DELIVERED"]
    asked = listed(world.auditor, subject_id=person.subject_id, recipient_id=world.recipient().recipient_id)
    assert kinds(asked) == ["AUDITED"], "nothing but that it was asked"
    assert listed(world.auditor, subject_id=unique("nobody")) == []


def test_p9_by_actor_and_by_time(world):
    uri = f"spiffe://maison-claire.example/booking/{unique('b')}"
    caller = world.client_of(uri)
    request = world.share_request(world.person(), world.recipient())
    answer = caller.sharing.Share(request, timeout=10)
    (entry,) = listed(world.auditor, actor=uri)
    assert entry.index == answer.receipt.ledger_index
    at = answer.receipt.recorded_at
    after = protos.timestamp(protos.seconds(at) + 0.001)
    later = type(at)(seconds=at.seconds + 3600)
    assert listed(world.auditor, actor=uri, recorded_from=at, recorded_until=after)
    assert not listed(world.auditor, actor=uri, recorded_until=at), "before, not at"
    assert not listed(world.auditor, actor=uri, recorded_from=after, recorded_until=later)


@pytest.mark.parametrize("shared_before", [True, False])
def test_p9_a_refused_share_is_found_by_its_subject(world, shared_before):
    person, recipient = world.person(consent=False), world.recipient()
    if shared_before:
        world.share(person, recipient)
    with refused("FAILED_PRECONDITION", "CONSENT_MISSING") as why:
        world.share(person, recipient, "strict")
    (entry,) = [entry for entry in listed(world.auditor, subject_id=person.subject_id)
                if ledger.kind_name(entry.entry) == "REFUSED"]
    assert str(entry.index) == why.metadata["ledger_index"]


def test_p9_the_whole_ledger_is_one_tree(world):
    """The recursive definition of RFC 6962 over every leaf gives the head's root."""
    world.check()
    head = world.checker.frontier
    assert root_of(world.checker.leaves) == head.root()
    assert root_of([leaf_hash(entry.SerializeToString()) for entry in world.checker.entries]) == head.root()


def test_p9_page_tokens_are_bound_to_caller_and_filter(world):
    person, recipient = world.person(), world.recipient()
    for _ in range(3):
        world.share(person, recipient)
    request = audit_pb2.ListEntriesRequest(filter=audit_pb2.EntryFilter(subject_id=person.subject_id), page_size=1)
    token = world.auditor.audit.ListEntries(request, timeout=10).next_page_token
    request.page_token = token
    assert world.auditor.audit.ListEntries(request, timeout=10).entries
    other = world.client_of("spiffe://maison-claire.example/auditor/another")
    with refused("INVALID_ARGUMENT"):
        other.audit.ListEntries(request, timeout=10)
    request.filter.recipient_id = recipient.recipient_id
    with refused("INVALID_ARGUMENT"):
        world.auditor.audit.ListEntries(request, timeout=10)


@pytest.mark.parametrize("size", [-1, -2_147_483_648])
def test_p9_a_negative_page_is_refused(world, size):
    with refused("INVALID_ARGUMENT"):
        world.auditor.audit.ListEntries(audit_pb2.ListEntriesRequest(page_size=size), timeout=10)


def test_p9_pages_have_their_limits(world):
    recipient, person = world.recipient(), world.person()
    for _ in range(101):
        world.share(person, recipient)
    page = lambda size: len(world.auditor.audit.ListEntries(audit_pb2.ListEntriesRequest(
        filter=audit_pb2.EntryFilter(subject_id=person.subject_id, kinds=[KIND("ENTRY_KIND_SHARED")]), page_size=size),
        timeout=20).entries)
    assert page(0) == 100
    assert page(1_000_000) == 101


def test_p9_the_auditor_reads_what_others_may_not_and_nothing_else(world):
    person = world.person()
    before = time.time()
    world.share(person, world.recipient())
    found = listed(world.auditor, subject_id=person.subject_id)
    assert found and all(protos.seconds(entry.entry.recorded_at) >= before - 5 for entry in found)
    for entry in found:
        for value in person.sentinels() + [person.subject_id, person.booking_id]:
            assert value.encode() not in entry.body
