"""P4 The end holds, whatever restarts, fails or stands still."""

import os
import signal
import time

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.refusal import refused
from needtoknow_testing.sandbox import process_stat
from needtoknow_testing.waiting import until

EXPIRED = protos.common.DISCLOSURE_STATE_EXPIRED


def state(world, disclosure_id):
    return world.booking.sharing.GetDisclosure(
        protos.sharing.GetDisclosureRequest(disclosure_id=disclosure_id), timeout=10).disclosure.state


@pytest.mark.parametrize("who", ["the daemon", "PostgreSQL"])
def test_p4_what_expires_while_nobody_looks_is_withdrawn_afterwards(world, who):
    sandbox, recipient = world.sandbox, world.recipient()
    held = world.share(world.person(), recipient, "at-once", starts_in=0, lasts=3)
    recipient.acknowledge(*recipient.drain())
    never = world.share(world.person(), recipient, "at-once", starts_in=0, lasts=3)
    if who == "the daemon":
        sandbox.kill()
    else:
        sandbox.stop_postgres("immediate")
    until(lambda: time.time() > protos.seconds(never.expires_at) + 0.2, 10, "the expiry")
    if who == "the daemon":
        sandbox.start()
    else:
        sandbox.start_postgres()
        sandbox.wait_serving()
    with recipient.receive() as stream:
        withdrawal = stream.withdrawal(held.disclosure_id, timeout=15)
        assert withdrawal.cause == protos.delivery.WITHDRAWAL_CAUSE_EXPIRED
        assert not stream.deliveries()
    until(lambda: state(world, never.disclosure_id) == EXPIRED, 10, "EXPIRED")
    with refused("FAILED_PRECONDITION", "EXPIRED"):
        recipient.fetch(never.disclosure_id)
    assert not ledger.of_disclosure(ledger.entries(sandbox), never.disclosure_id, "DELIVERED")


@pytest.mark.parametrize("step", ["train.committed", "delivery.queued", "delivery.sent"])
def test_p4_a_process_that_stood_still_sends_nothing_after_the_end(world, step):
    """
    SIGSTOP after the COMMIT and before the values have left, until the disclosure is over: a paused virtual machine, a debugger.
    The values were named in the ledger in time; they must not reach anybody late.
    """
    sandbox, recipient = world.sandbox, world.recipient()
    assert recipient.drain() == []  # its device is known: no train of its own for that
    sandbox.kill()
    sandbox.spawn({"NEEDTOKNOW_STOP_AT": f"{step}:{2 if step == 'train.committed' else 1}:stop"})
    sandbox.wait_serving()
    shared = world.share(world.person(), recipient, "at-once", starts_in=0, lasts=4)  # the first train
    with recipient.receive() as stream:
        stopped = until(lambda: [pid for pid in sandbox.processes() if (process_stat(pid) or "?")[0] == "T"], 20, "the stop")
        came_before = len(stream.deliveries())
        until(lambda: time.time() > protos.seconds(shared.expires_at) + 0.2, 10, "the expiry")
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        sandbox.wait_serving()
        until(lambda: state(world, shared.disclosure_id) == EXPIRED, 10, "EXPIRED")
        if not stream.ended:
            stream.withdrawal(shared.disclosure_id, timeout=15)
        assert came_before == 0, "the stop is before the values leave"
        assert len(stream.deliveries()) == 0, "a value came after its end"
    assert ledger.of_disclosure(ledger.entries(sandbox), shared.disclosure_id, "DELIVERED"), "it had been claimed in time"


def test_p4_killed_between_the_claim_and_the_sending_the_end_still_holds(world):
    sandbox, recipient = world.sandbox, world.recipient()
    sandbox.kill()
    sandbox.spawn({"NEEDTOKNOW_STOP_AT": "delivery.queued:1"})
    sandbox.wait_serving()
    workers = sandbox.workers()
    shared = world.share(world.person(), recipient, "at-once", starts_in=0, lasts=3)
    with recipient.receive():
        until(lambda: not any((process_stat(pid) or "X")[0] not in "ZX" for pid in workers), 20, "the death")
        sandbox.kill()
    until(lambda: time.time() > protos.seconds(shared.expires_at) + 0.2, 10, "the expiry")
    sandbox.start()
    with recipient.receive() as stream:
        # It may have been sent, for all that the ledger knows: so its deletion is ordered.
        stream.withdrawal(shared.disclosure_id, timeout=15)
        assert not stream.deliveries()


def test_p4_a_clock_that_steps_back_stops_everything(world):
    """The ledger's last entry is an hour ahead of the database's clock: a delivery now would be put before what has ended."""
    sandbox, recipient = world.sandbox, world.recipient()
    shared = world.share(world.person(), recipient)
    person = world.person()
    size = ledger.size(sandbox)
    before = sandbox.query("SELECT recorded_at FROM needtoknow.head")[0][0]
    sandbox.query("UPDATE needtoknow.head SET recorded_at = clock_timestamp() + interval '1 hour'")
    try:
        with recipient.receive() as stream:
            with refused("UNAVAILABLE"):
                world.booking.sharing.Share(world.share_request(person, recipient), timeout=10)
            sandbox.wait_not_serving()
            assert not stream.deliveries()
        assert ledger.size(sandbox) == size
    finally:
        sandbox.query("UPDATE needtoknow.head SET recorded_at = %s", before)
    sandbox.wait_serving()
    with recipient.receive() as stream:
        stream.acknowledge(stream.delivery(shared.disclosure_id, timeout=20))


def test_p4_a_clock_a_little_behind_goes_on_without_going_back(world):
    """Less than a second, as after a fail-over: entries go on, their times do not go back (the checker looks)."""
    sandbox, recipient = world.sandbox, world.recipient()
    sandbox.query("UPDATE needtoknow.head SET recorded_at = clock_timestamp() + interval '600 milliseconds'")
    ahead = float(sandbox.query("SELECT extract(epoch FROM recorded_at) FROM needtoknow.head")[0][0])
    answer = world.booking.sharing.Share(world.share_request(world.person(), recipient), timeout=10)
    assert protos.seconds(answer.receipt.recorded_at) >= ahead - 1e-6
    with recipient.receive() as stream:
        stream.acknowledge(stream.delivery(answer.disclosure.disclosure_id))
    sandbox.wait_until(ahead)
