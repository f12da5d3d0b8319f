"""Erase (GDPR art. 17, 19): what the client, each recipient, the company and the auditor see; P4 in two workers."""

import threading

import pytest

from needtoknow_testing import changes, ledger, policy, protos, rights
from needtoknow_testing.client import unique
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World
from test_forgetting import everywhere

ERASED = protos.common.DISCLOSURE_STATE_ERASED
CAUSE = protos.delivery.WITHDRAWAL_CAUSE_ERASED
DELETED = protos.delivery.DELETION_OUTCOME_DELETED
HELD_OUTCOME = rights.rights.ERASURE_OUTCOME_HELD


@pytest.fixture(scope="module")
def pair():
    world = World.up(workers=2)
    yield world
    world.down()


def request_of(person, **fields):
    return rights.asked(rights.rights.EraseRequest, person.subject_id, **fields)


def erase(world, person, timeout=30, **fields):
    return world.rights.rights.Erase(request_of(person, **fields), timeout=timeout)


def entries_about(world, person):
    """(kind, reason) of the entries of the erasure and of what it ended, in order."""
    found = dict(ledger.entries(world.sandbox))
    indices = world.sandbox.query("SELECT ledger_index FROM needtoknow.entry_reference WHERE subject_id = %s ORDER BY 1", person.subject_id)
    return [found[index] for index, in indices]


def erasure_entries(world, person):
    return [entry for entry in entries_about(world, person) if ledger.kind_name(entry) == "ERASED"]


def outcomes(answer):
    return {each.column: each.outcome == HELD_OUTCOME for each in answer.columns}


def request_state(world, request):
    return world.sandbox.query("SELECT state, answered_at IS NOT NULL FROM needtoknow.rights_request WHERE request_id = %s",
                               request.request_id)


def confirm(recipient, *disclosures):
    items = [protos.delivery.DeletionItem(disclosure_id=each.disclosure_id, outcome=DELETED) for each in disclosures]
    recipient.client.delivery.ConfirmDeletion(protos.delivery.ConfirmDeletionRequest(items=items), timeout=10)


def test_art_17_who_is_erased_is_gone_from_the_sources_and_withdrawn_from_everybody_but_the_law(world):
    person, recipient = world.person(), world.recipient()
    with recipient.receive() as stream:
        visit = world.share(person, recipient)
        stream.acknowledge(stream.delivery(visit.disclosure_id))
        letter = world.share(person, recipient, "newsletter")
        stream.acknowledge(stream.delivery(letter.disclosure_id))
        before = totals(world, recipient)

        plan = erase(world, person, dry_run=True, cancel_bookings=True)
        assert not plan.HasField("receipt") and not erasure_entries(world, person)
        assert {each.disclosure_id for each in plan.withdrawn} == {visit.disclosure_id, letter.disclosure_id}
        asked = request_of(person)
        with refused("FAILED_PRECONDITION", "ACTIVE_BOOKINGS") as refusal:
            world.rights.rights.Erase(asked, timeout=20)
        assert refusal.metadata["bookings"] == "1"
        assert request_state(world, asked) == [(3, True)]

        request = request_of(person, cancel_bookings=True)
        answer = world.rights.rights.Erase(request, timeout=20)
        assert outcomes(answer) == outcomes(plan) and answer.columns
        assert {each.disclosure_id for each in answer.withdrawn} == {visit.disclosure_id, letter.disclosure_id}
        assert {each.state for each in answer.withdrawn} == {ERASED}
        for shared in (visit, letter):
            assert stream.withdrawal(shared.disclosure_id).cause == CAUSE
        confirm(recipient, visit, letter)
    held = {column for column, is_held in outcomes(answer).items() if is_held}
    assert held, "the company's accounting law keeps something"
    for column in (each for each in answer.columns if each.outcome == HELD_OUTCOME):
        assert column.law and protos.seconds(column.until) > protos.seconds(column.since)
    first, deleted, retained = erasure_entries(world, person)
    assert [ledger.reason_name(each) for each in (first, deleted, retained)] == ["UNSPECIFIED", "DELETED", "RETAINED"]
    assert set(retained.fields) == held and set(deleted.fields) == set(outcomes(answer)) - held
    assert first.actor.startswith("spiffe://") and deleted.actor == retained.actor == "system"
    assert len({each.subject_pseudonym for each in (first, deleted, retained)}) == 1 and len(first.subject_pseudonym) == 16
    assert request_state(world, request) == [(2, True)]
    again = world.rights.rights.Erase(request, timeout=20)
    assert again == answer and len(erasure_entries(world, person)) == 3
    with refused("FAILED_PRECONDITION", "ERASED"):
        world.share(person, recipient)
    assert totals(world, recipient) == before, "what was shared stays recorded as it was"
    world.check()


def totals(world, recipient):
    """What the auditor counts of a recipient: deliveries by kind of entry and fields."""
    request = protos.audit.ListEntriesRequest(
        filter=protos.audit.EntryFilter(recipient_id=recipient.recipient_id, kinds=[ledger.ENTRY_KIND.Value("ENTRY_KIND_DELIVERED")]),
        page_size=1000)
    listed = world.auditor.audit.ListEntries(request, timeout=20).entries
    return [(each.index, each.leaf_hash, each.body) for each in listed]
