"""GDPR art. 18: what is restricted is kept and not used, by us and by everybody who was sent it, until that is lifted."""

import threading

import pytest

from needtoknow_testing import changes, ledger, protos
from needtoknow_testing.refusal import refused
from needtoknow_testing.rights import asked
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

rights = protos.rights
STATE = protos.common.DisclosureState


def restrict(world, person, client=None, **fields):
    request = asked(rights.RestrictRequest, person.subject_id, **fields)
    return request, (client or world.rights).rights.Restrict(request, timeout=30)


def lift(world, person, **fields):
    request = asked(rights.LiftRestrictionRequest, person.subject_id, **fields)
    return request, world.rights.rights.LiftRestriction(request, timeout=30)


def told(stream, disclosure, lifted):
    return stream.wait(lambda event: event.HasField("restriction") and event.restriction.lifted == lifted and
                       event.restriction.disclosure_id == disclosure.disclosure_id, what="Restriction").restriction


def state(world, disclosure):
    return STATE.Name(changes.get(world, disclosure.disclosure_id).state)[len("DISCLOSURE_STATE_"):]


def delivered_after(world, index, recipient):
    return [number for number, entry in ledger.of_kind(ledger.entries(world.sandbox, index), "DELIVERED")
            if entry.recipient_id == recipient.recipient_id]


def test_art_18_what_is_restricted_is_kept_and_not_used_until_that_is_lifted(world):
    person, recipient, other = world.person(), world.recipient(), world.recipient()
    with recipient.receive() as stream:
        held = world.share(person, recipient)
        stream.acknowledge(stream.delivery(held.disclosure_id))
        waiting = world.share(person, other, "strict", starts_in=7200)
        request, answer = restrict(world, person, reason="L'adresse est contestée.")
        event = told(stream, held, False)
        assert {each.disclosure_id for each in answer.disclosures} == {held.disclosure_id, waiting.disclosure_id}
        assert [STATE.Name(each.state) for each in answer.disclosures] == ["DISCLOSURE_STATE_RESTRICTED"] * 2
        # The subject's entry, then that of the one device that has something.
        assert len(answer.receipts) == 2 and event.receipt.ledger_index == answer.receipts[1].ledger_index
        entries = dict(ledger.entries(world.sandbox))
        first, second = (entries[receipt.ledger_index] for receipt in answer.receipts)
        assert [ledger.kind_name(entry) for entry in (first, second)] == ["RESTRICTION_RAISED"] * 2
        assert (first.disclosure_id, second.disclosure_id) == ("", held.disclosure_id)
        assert (second.recipient_id, second.device) == (recipient.recipient_id, "default")
        assert first.subject_pseudonym == second.subject_pseudonym != b""
        assert world.rights.rights.Restrict(request, timeout=20) == answer, "a repeat is answered the same"
        with refused("FAILED_PRECONDITION", "RESTRICTED"):
            world.share(person, recipient)
        with refused("FAILED_PRECONDITION", "RESTRICTED"):
            recipient.fetch(held.disclosure_id)
        assert state(world, held) == state(world, waiting) == "RESTRICTED"
        assigned = recipient.client.delivery.ListAssigned(protos.delivery.ListAssignedRequest(), timeout=10).disclosures
        assert [STATE.Name(each.state) for each in assigned] == ["DISCLOSURE_STATE_RESTRICTED"]
        report = world.auditor.audit.GetSubjectReport(protos.audit.GetSubjectReportRequest(subject_id=person.subject_id), timeout=10)
        assert [STATE.Name(each.state) for one in report.recipients for each in one.disclosures] == ["DISCLOSURE_STATE_RESTRICTED"] * 2
        with recipient.receive() as another:
            told(another, held, False)  # each new stream is told
        _, answer = lift(world, person)
        assert len(answer.receipts) == 2
        assert told(stream, held, True).receipt.ledger_index == answer.receipts[1].ledger_index
        assert not [event for event in stream.events if event.HasField("withdrawal")], "never a Withdrawal, which deletes"
    assert state(world, held) == state(world, waiting) == "ACTIVE"
    assert [delivery.disclosure_id for delivery in recipient.fetch(held.disclosure_id)] == [held.disclosure_id]
    with refused("NOT_FOUND", "NOT_RESTRICTED"):
        lift(world, person)


def test_art_18_what_becomes_due_meanwhile_is_sent_when_that_is_lifted(world):
    person, recipient = world.person(), world.recipient()
    with recipient.receive() as stream:
        restricted = world.share(person, recipient, starts_in=1)
        stream.delivery(restricted.disclosure_id)
        staged = world.share(person, recipient, "staged", starts_in=4, lasts=600)
        stream.acknowledge(stream.delivery(staged.disclosure_id, "planning"))
        _, answer = restrict(world, person)
        world.sandbox.wait_until(protos.seconds(staged.releases[2].due_at) + 0.5)
        assert not delivered_after(world, answer.receipts[0].ledger_index, recipient)
        lift(world, person)
        stream.delivery(staged.disclosure_id, staged.releases[2].name)


def test_p4_art_18_nothing_restricted_is_ordered_to_be_deleted_by_its_time(world):
    person, recipient = world.person(), world.recipient()
    with recipient.receive() as stream:
        held = world.share(person, recipient, starts_in=0, lasts=3)
        stream.acknowledge(stream.delivery(held.disclosure_id))
        restrict(world, person)
        beside = world.share(world.person(), recipient, starts_in=0, lasts=2)
        stream.acknowledge(stream.delivery(beside.disclosure_id))
        world.sandbox.wait_until(protos.seconds(held.expires_at) + 1)
        stream.withdrawal(beside.disclosure_id, timeout=15)
        assert state(world, held) == "RESTRICTED"
        assert not [event for event in stream.events if event.HasField("withdrawal")
                    and event.withdrawal.disclosure_id == held.disclosure_id]
        with refused("FAILED_PRECONDITION", "RESTRICTED"):
            recipient.fetch(held.disclosure_id)
        _, answer = lift(world, person)
        assert stream.withdrawal(held.disclosure_id).cause == protos.delivery.WITHDRAWAL_CAUSE_EXPIRED
        assert not delivered_after(world, answer.receipts[0].ledger_index, recipient)


def test_p4_what_is_restricted_is_revoked_all_the_same(world):
    person, recipient = world.person(), world.recipient()
    held = world.share(person, recipient)
    recipient.acknowledge(*recipient.drain())
    restrict(world, person)
    changes.revoke(world, held.disclosure_id)
    with recipient.receive() as stream:
        stream.withdrawal(held.disclosure_id)
        assert not [event for event in stream.events if event.HasField("restriction")], "it is to be deleted"
    assert state(world, held) == "REVOKED"


def test_restricted_already_is_ok_and_nobody_is_told_again(world):
    person, recipient = world.person(), world.recipient()
    world.share(person, recipient)
    recipient.acknowledge(*recipient.drain())
    restrict(world, person)
    _, answer = restrict(world, person)
    assert len(answer.receipts) == 1 and len(answer.disclosures) == 1


@pytest.fixture(scope="module")
def pair():
    world = World.up(workers=2)
    yield world
    world.down()


def test_p6_who_was_not_told_when_a_worker_died_is_told_by_another(pair):
    """As its death leaves it: the request is open, and the restriction holds."""
    person, recipient = pair.person(), pair.recipient()
    held = pair.share(person, recipient)
    recipient.acknowledge(*recipient.drain())
    request, answer = restrict(pair, person)
    pair.sandbox.query("DELETE FROM needtoknow.restriction_notice WHERE disclosure_id = %s", held.disclosure_id)
    pair.sandbox.query("UPDATE needtoknow.rights_request SET state = 1, answered_at = NULL WHERE ledger_index = %s",
                       answer.receipts[0].ledger_index)
    with recipient.receive() as stream:
        told(stream, held, False)
    assert len(pair.rights.rights.Restrict(request, timeout=20).receipts) == 3


def test_p4_art_18_after_the_answer_nothing_is_delivered_whatever_races_it(pair):
    """1,000 restrictions against the deliveries of the same clients, whose Shares go to two workers at the same time."""
    recipients = [pair.recipient() for _ in range(4)]
    streams = [recipient.receive(max_unacknowledged=1024) for recipient in recipients for _ in range(2)]
    people = [pair.person() for _ in range(1000)]
    answers, lock = {}, threading.Lock()

    def race(mine):
        booking, desk = pair.sandbox.new_client("booking"), pair.sandbox.new_client("rights")
        for number, person in mine:
            shares = [booking.sharing.Share.future(pair.share_request(person, recipients[(number + each) % 4]), timeout=60)
                      for each in range(3)]
            shares[number % 3].exception(60)
            _, answer = restrict(pair, person, desk)
            found = {share.result().disclosure.disclosure_id for share in shares if share.exception(60) is None}
            with lock:
                answers[person.subject_id] = (answer.receipts[0].ledger_index, found)
        booking.close()
        desk.close()
    threads = [threading.Thread(target=race, args=(list(enumerate(people))[each::8],)) for each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 1000
    late = pair.share(pair.person(), recipients[0])
    until(lambda: any(stream.deliveries(late.disclosure_id) for stream in streams), 30, "a delivery after all")
    since = {disclosure: index for index, found in answers.values() for disclosure in found}
    delivered = [(index, entry.disclosure_id) for index, entry in ledger.of_kind(ledger.entries(pair.sandbox), "DELIVERED")
                 if entry.disclosure_id in since]
    assert delivered, "some were before"
    assert [each for each in delivered if each[0] > since[each[1]]] == []
    assert len({disclosure for _, disclosure in delivered}) < len(since), "and some were not"
