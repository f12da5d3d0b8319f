"""A correction survives the kill of any process: at least one is sent, and never a second of the same."""

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.receiver import values
from needtoknow_testing.waiting import until

# Between the reading of the queue, the train that has it sent again, and the removal of the row.
STEPS = ["correction.reopened", "corrector.looked", "corrector.removed"]


def change(world, person, code):
    world.sandbox.query("UPDATE company.client SET door_code = %s WHERE subject_id = %s", code, person.subject_id)


def corrected_once(world, person, recipient, shared, code):
    """The recipient gets it; the queue is empty in the end, and the ledger has one."""
    with recipient.receive() as stream:
        # A repeat, where the first was sent before the kill and not acknowledged.
        again = stream.wait(lambda event: event.HasField("delivery") and values(event.delivery)["client.door_code"] == code, 40,
                            "correction").delivery
        assert again.cause != protos.delivery.DELIVERY_CAUSE_NEW
        stream.acknowledge(again)
        until(lambda: not world.sandbox.query("SELECT FROM share.change_queue WHERE subject_id = %s", person.subject_id), 60,
              "the change queue, empty")
    sent = [ledger.reason_name(entry) for _, entry in
            ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id, "DELIVERED")]
    assert sent.count("CORRECTED") == 1, sent


def delivered(world):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient)
    with recipient.receive() as stream:
        stream.acknowledge(stream.delivery(shared.disclosure_id))
    return person, recipient, shared


@pytest.mark.parametrize("step", STEPS)
def test_p6_a_correction_survives_a_worker_that_is_killed_on_its_way(world, step):
    sandbox = world.sandbox
    person, recipient, shared = delivered(world)
    sandbox.kill()
    change(world, person, "killed-on-its-way")
    known = len(sandbox.log())
    sandbox.spawn({"NEEDTOKNOW_STOP_AT": f"{step}:1"})
    with recipient.receive():
        until(lambda: "was ended by signal 9" in sandbox.log()[known:], 60, f"the death at {step}")
    sandbox.restart()
    corrected_once(world, person, recipient, shared, "killed-on-its-way")


def test_p6_what_changes_while_the_daemon_is_stopped_is_corrected_when_it_is_back(world):
    person, recipient, shared = delivered(world)
    world.sandbox.kill()
    change(world, person, "while-it-was-stopped")
    world.sandbox.start()
    corrected_once(world, person, recipient, shared, "while-it-was-stopped")


def test_p6_a_change_and_a_correction_survive_postgresql(world):
    person, recipient, shared = delivered(world)
    change(world, person, "before-the-crash")
    world.sandbox.stop_postgres("immediate")
    world.sandbox.start_postgres()
    world.sandbox.wait_serving()
    corrected_once(world, person, recipient, shared, "before-the-crash")
