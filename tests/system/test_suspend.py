"""SuspendRecipient and ResumeRecipient: nothing more leaves, all that is live is withdrawn, for good."""

import os
import signal
import threading
import time

import grpc
import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.client import unique
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

registry = protos.registry
STATE = protos.common.DisclosureState


def suspend(world, recipient, reason="", timeout=30):
    request = registry.SuspendRecipientRequest(recipient_id=getattr(recipient, "recipient_id", recipient), reason=reason)
    return world.admin.registry.SuspendRecipient(request, timeout=timeout)


def resume(world, recipient, timeout=30):
    request = registry.ResumeRecipientRequest(recipient_id=getattr(recipient, "recipient_id", recipient))
    return world.admin.registry.ResumeRecipient(request, timeout=timeout)


def states(world, recipient):
    """{state name: how many of the recipient's disclosures}"""
    found = world.sandbox.query("SELECT state, count(*) FROM needtoknow.disclosure WHERE recipient_id = %s GROUP BY state",
                                recipient.recipient_id)
    return {STATE.Name(state)[len("DISCLOSURE_STATE_"):]: count for state, count in found}


def changes(world, recipient):
    """[(index, reason)] of its RECIPIENT_CHANGED entries but the first, which made it."""
    found = ledger.of_kind(ledger.entries(world.sandbox), "RECIPIENT_CHANGED")
    return [(index, ledger.reason_name(entry)) for index, entry in found if entry.recipient_id == recipient.recipient_id][1:]


def share_many(world, recipient, count, clients=4, **keywords):
    person = world.person()
    callers = [world.sandbox.new_client("booking") for _ in range(clients)]
    calls = [callers[number % clients].sharing.Share.future(world.share_request(person, recipient, **keywords), timeout=60)
             for number in range(count)]
    found = [call.result(60).disclosure for call in calls]
    for caller in callers:
        caller.close()
    return found


def test_p4_a_suspension_withdraws_what_is_live_and_closes_the_streams(world):
    recipient = world.recipient()
    stream = recipient.receive()
    held = world.share(world.person(), recipient)
    stream.acknowledge(stream.delivery(held.disclosure_id))
    waiting = world.share(world.person(), recipient, "strict")
    answer = suspend(world, recipient, "clés perdues")
    assert answer.recipient.suspended and answer.recipient.recipient_id == recipient.recipient_id
    assert len(answer.receipts) == 1
    assert states(world, recipient) == {"SUSPENDED": 2}
    until(lambda: stream.ended, what="the stream's end")
    found = ledger.entries(world.sandbox)
    index = answer.receipts[0].ledger_index
    assert changes(world, recipient) == [(index, "SUSPENDED")]
    assert world.sandbox.query("SELECT remark FROM needtoknow.entry_reference WHERE ledger_index = %s", index) == [("clés perdues",)]
    for disclosure in (held, waiting):
        ((_, end),) = ledger.of_disclosure(found, disclosure.disclosure_id, "REVOKED")
        assert ledger.reason_name(end) == "SUSPENDED"
    assert len(ledger.of_disclosure(found, held.disclosure_id, "WITHDRAWN")) == 1
    assert not ledger.of_disclosure(found, waiting.disclosure_id, "WITHDRAWN"), "who was sent nothing is ordered nothing"
    assert world.sandbox.query("SELECT count(*) FROM needtoknow.due WHERE recipient_id = %s", recipient.recipient_id) == [(0,)]


def test_p4_a_suspended_recipient_gets_withdrawals_and_may_confirm_and_nothing_else(world):
    recipient = world.recipient()
    held = world.share(world.person(), recipient)
    (delivery,) = recipient.drain()
    suspend(world, recipient)
    with recipient.receive() as stream:
        withdrawal = stream.withdrawal(held.disclosure_id)
        assert withdrawal.cause == protos.delivery.WITHDRAWAL_CAUSE_SUSPENDED
        assert not stream.deliveries()
    for call in (lambda: recipient.fetch(held.disclosure_id), lambda: recipient.acknowledge(delivery),
                 lambda: recipient.client.delivery.ListAssigned(protos.delivery.ListAssignedRequest(), timeout=10)):
        with refused("PERMISSION_DENIED", "RECIPIENT_SUSPENDED"):
            call()
    item = protos.delivery.DeletionItem(disclosure_id=held.disclosure_id,
                                       outcome=protos.delivery.DELETION_OUTCOME_DELETED)
    assert recipient.client.delivery.ConfirmDeletion(protos.delivery.ConfirmDeletionRequest(items=[item]), timeout=10).confirmed == 1
    with refused("PERMISSION_DENIED", "RECIPIENT_SUSPENDED"):
        world.share(world.person(), recipient)


def test_p4_a_resumed_recipient_gets_what_is_shared_anew_and_nothing_of_before(world):
    recipient = world.recipient()
    before = world.share(world.person(), recipient)
    suspend(world, recipient)
    answer = resume(world, recipient)
    assert not answer.recipient.suspended and answer.HasField("receipt")
    assert [reason for _, reason in changes(world, recipient)] == ["SUSPENDED", "RESUMED"]
    after = world.share(world.person(), recipient)
    assert [delivery.disclosure_id for delivery in recipient.drain()] == [after.disclosure_id]
    with refused("FAILED_PRECONDITION", "SUSPENDED"):
        recipient.fetch(before.disclosure_id)


def test_what_is_so_already_is_ok_and_no_entry(world):
    recipient = world.recipient()
    answer = resume(world, recipient)
    assert not answer.recipient.suspended and not answer.HasField("receipt")
    suspend(world, recipient)
    answer = suspend(world, recipient)
    assert answer.recipient.suspended and not answer.receipts
    assert len(changes(world, recipient)) == 1
    world.put_recipient(recipient.recipient_id)
    assert world.admin.registry.GetRecipient(registry.GetRecipientRequest(recipient_id=recipient.recipient_id), timeout=10).recipient.suspended


@pytest.mark.parametrize("call", [suspend, resume])
def test_an_unknown_recipient_is_not_found(world, call):
    with refused("NOT_FOUND", "UNKNOWN_RECIPIENT"):
        call(world, unique("r"))
    with refused("INVALID_ARGUMENT", "BAD_IDENTIFIER"):
        call(world, "")


def test_a_reason_is_at_most_500_bytes(world):
    recipient = world.recipient()
    with refused("INVALID_ARGUMENT"):
        suspend(world, recipient, "x" * 501)
    suspend(world, recipient, "x" * 500)


def test_p4_thousands_of_live_disclosures_are_ended_before_the_answer(world):
    recipient, other = world.recipient(), world.recipient()
    share_many(world, recipient, 1500)
    kept = world.share(world.person(), other)
    began = time.monotonic()
    answer = suspend(world, recipient, timeout=120)
    print(f"1,500 in {time.monotonic() - began:.2f} s")
    assert states(world, recipient) == {"SUSPENDED": 1500}
    ends = ledger.of_kind(ledger.entries(world.sandbox, answer.receipts[0].ledger_index), "REVOKED")
    assert len([entry for _, entry in ends if entry.recipient_id == recipient.recipient_id]) == 1500
    rows = world.sandbox.query("SELECT max(count) FROM needtoknow.ledger WHERE first_index > %s", answer.receipts[0].ledger_index)
    assert rows[0][0] <= 600, "a page a train"
    assert [delivery.disclosure_id for delivery in other.drain()] == [kept.disclosure_id]


def test_p4_shares_and_deliveries_that_race_a_suspension_end_before_it_or_are_refused(world):
    """What was answered OK is either before the suspension, and withdrawn, or after the resumption."""
    recipient, person = world.recipient(), world.person()
    outcomes, stop = [], threading.Event()

    def keep_sharing():
        caller = world.sandbox.new_client("booking")
        while not stop.is_set():
            try:
                answer = caller.sharing.Share(world.share_request(person, recipient), timeout=10)
                outcomes.append(answer.receipt.ledger_index)
            except Exception as error:  # refused: the reason is looked at below
                outcomes.append(error)
        caller.close()
    sharers = [threading.Thread(target=keep_sharing) for _ in range(4)]
    for sharer in sharers:
        sharer.start()
    try:
        for _ in range(5):
            count = len(outcomes)
            until(lambda: len(outcomes) > count + 20, 20, "shares")
            index = suspend(world, recipient).receipts[0].ledger_index
            live = world.sandbox.query("SELECT count(*) FROM needtoknow.disclosure WHERE recipient_id = %s AND state = 1"
                                       " AND shared_index > %s", recipient.recipient_id, index)
            assert live == [(0,)], "shared after the suspension"
            assert "ACTIVE" not in states(world, recipient)
            resume(world, recipient)
    finally:
        stop.set()
        for sharer in sharers:
            sharer.join()
    refusals = [outcome for outcome in outcomes if not isinstance(outcome, int)]
    assert all("RECIPIENT_SUSPENDED" in str(error.trailing_metadata()) or "suspended" in error.details() for error in refusals), refusals
    assert len(refusals) < len(outcomes)


@pytest.fixture(scope="module")
def pair():
    world = World.up(workers=2)
    yield world
    world.down()


def test_p4_a_suspension_closes_streams_at_every_worker(pair):
    recipient = pair.recipient()
    names = [f"phone-{number}" for number in range(8)]
    streams = [recipient.device(name).receive() for name in names]
    shared = share_many(pair, recipient, 40)
    until(lambda: sum(len(stream.deliveries()) for stream in streams) >= len(shared), 20, "all deliveries")
    suspend(pair, recipient)
    until(lambda: all(stream.ended for stream in streams), 10, "the end of all streams")
    assert states(pair, recipient) == {"SUSPENDED": 40}
    ordered = set()
    for name in names:
        with recipient.device(name).receive(until_empty=True) as stream:
            assert stream.wait_end() is None
            ordered |= {event.withdrawal.disclosure_id for event in stream.events if event.HasField("withdrawal")}
    assert ordered == {disclosure.disclosure_id for disclosure in shared}


def test_p4_shares_at_another_worker_do_not_slip_past_a_suspension(pair):
    recipient, person = pair.recipient(), pair.person()
    callers = [pair.sandbox.new_client("booking") for _ in range(6)]
    calls = [callers[number % 6].sharing.Share.future(pair.share_request(person, recipient), timeout=30) for number in range(300)]
    index = suspend(pair, recipient).receipts[0].ledger_index
    answered = [call.result(30).receipt.ledger_index for call in calls if call.exception(30) is None]
    assert all(each < index for each in answered), "an OK after the suspension"
    assert "ACTIVE" not in states(pair, recipient)
    for caller in callers:
        caller.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_p4_a_suspension_whose_worker_dies_is_brought_to_its_end(pair, workers):
    """Killed after its third train: the recipient is suspended, some are ended and most are not."""
    world = pair if workers == 2 else World.up()
    try:
        recipient = world.recipient()
        share_many(world, recipient, 2000)
        if workers == 1:
            world.sandbox.kill()
            world.sandbox.start({"NEEDTOKNOW_STOP_AT": "train.committed:3"})
        killer = threading.Thread(target=kill_half_way, args=(world, recipient)) if workers == 2 else None
        if killer:
            killer.start()
        try:
            suspend(world, recipient)
            answered = True
        except grpc.RpcError as error:
            assert error.code().name in ("UNAVAILABLE", "CANCELLED"), error
            answered = False
        if killer:
            killer.join()
        if workers == 1:
            assert not answered
            world.sandbox.restart()
        until(lambda: states(world, recipient) == {"SUSPENDED": 2000}, 60, "the suspension's end")
        world.sandbox.wait_serving()
        if not answered:
            assert not suspend(world, recipient).receipts, "it was recorded before the worker died"
    finally:
        if workers == 1:
            world.check()
            world.down()


def kill_half_way(world, recipient):
    """SIGKILL to all workers once the first are ended; the supervisor starts others."""
    until(lambda: "SUSPENDED" in states(world, recipient), 30, "the first page", every=0.002)
    for pid in world.sandbox.workers():
        os.kill(pid, signal.SIGKILL)
