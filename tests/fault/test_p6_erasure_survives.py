"""P4, P6 An erasure survives the kill of any process at any point of it: it is done whole, and said once."""

import grpc
import pytest

from needtoknow_testing import ledger, protos, rights
from needtoknow_testing.waiting import until

# Before and after the COMMIT that records it; before the company is asked, when it has answered, and at the second COMMIT.
STEPS = ["train.locked:1", "train.commit_sent:1", "train.committed:1", "erase.asking:1", "erase.answered:1", "train.commit_sent:2",
         "train.committed:2"]


def erased_entries(world, person):
    found = dict(ledger.entries(world.sandbox))
    indices = world.sandbox.query("SELECT ledger_index FROM needtoknow.entry_reference WHERE subject_id = %s ORDER BY 1", person.subject_id)
    return [ledger.reason_name(found[index]) for index, in indices if ledger.kind_name(found[index]) == "ERASED"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("asked_again", [True, False], ids=["asked-again", "left-alone"])
def test_p6_an_erasure_is_done_whole_and_once_wherever_the_worker_dies(world, step, asked_again):
    sandbox = world.sandbox
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient, "contact")
    recipient.acknowledge(*recipient.drain())
    world.check()
    sandbox.kill()
    known = len(sandbox.log())
    sandbox.spawn({"NEEDTOKNOW_STOP_AT": step})
    sandbox.wait_serving()
    request = rights.asked(rights.rights.EraseRequest, person.subject_id, cancel_bookings=True)
    with pytest.raises(grpc.RpcError):
        world.rights.rights.Erase(request, timeout=30)
    until(lambda: "was ended by signal 9" in sandbox.log()[known:], 60, f"the death at {step}")
    sandbox.restart()
    recorded = sandbox.query("SELECT state FROM needtoknow.erasure WHERE subject_id = %s", person.subject_id)
    if asked_again or not recorded:
        world.rights.rights.Erase(request, timeout=30)
    until(lambda: sandbox.query("SELECT state FROM needtoknow.erasure WHERE subject_id = %s", person.subject_id) == [(2,)], 30,
          "the erasure, done")
    assert sandbox.query("SELECT 1 FROM share.client WHERE subject_id = %s", person.subject_id) == []
    answer = world.rights.rights.Erase(request, timeout=20)
    assert [each.disclosure_id for each in answer.withdrawn] == [shared.disclosure_id]
    assert erased_entries(world, person)[0] == "UNSPECIFIED"
    assert sorted(erased_entries(world, person)) == sorted(set(erased_entries(world, person))), "each is said once"
    with recipient.receive() as stream:
        assert stream.withdrawal(shared.disclosure_id).cause == protos.delivery.WITHDRAWAL_CAUSE_ERASED
    world.check()
