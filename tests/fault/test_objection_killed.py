"""P4, P6: an objection that ends more than one train carries, killed between two of them."""

import grpc
import pytest

from needtoknow_testing import ledger, rights
from needtoknow_testing.waiting import until

MARKETING = "dpv:DirectMarketing"
OPEN, ANSWERED = rights.rights.RIGHTS_REQUEST_STATE_OPEN, rights.rights.RIGHTS_REQUEST_STATE_ANSWERED
COUNT = 300


def live(world, person):
    return world.sandbox.query("SELECT count(*) FROM needtoknow.disclosure WHERE subject_id = %s AND state = 1", person.subject_id)[0][0]


def test_p4_what_was_objected_to_before_the_kill_is_never_delivered_and_a_repeat_ends_the_rest(world):
    sandbox, person, recipient = world.sandbox, world.person(), world.recipient()
    requested = [world.booking.sharing.Share.future(world.share_request(person, recipient, "newsletter"), timeout=60)
                 for _ in range(COUNT)]
    shared = {each.result().disclosure.disclosure_id for each in requested}
    request = rights.asked(rights.rights.ObjectRequest, person.subject_id, purpose=MARKETING)
    sandbox.kill()
    known = len(sandbox.log())
    sandbox.spawn({"NEEDTOKNOW_STOP_AT": "object.page:1"})
    sandbox.wait_serving()
    with pytest.raises(grpc.RpcError):
        world.rights.rights.Object(request, timeout=30)
    until(lambda: "was ended by signal 9" in sandbox.log()[known:], 60, "the worker's death")
    sandbox.kill()
    left = live(world, person)
    assert 0 < left < COUNT, "the first train is there, the second is not"
    state = lambda: sandbox.query("SELECT state FROM needtoknow.rights_request WHERE request_id = %s", request.request_id)
    assert state() == [(OPEN,)], "not everybody is told yet"
    sandbox.start()
    assert recipient.drain() == [], "barred, though it lives"
    answer = world.rights.rights.Object(request, timeout=60)
    assert len(answer.withdrawn) == left and {each.disclosure_id for each in answer.withdrawn} < shared
    assert live(world, person) == 0
    assert state() == [(ANSWERED,)]
    again = world.rights.rights.Object(request, timeout=60)
    assert again.receipts == answer.receipts and len(again.withdrawn) == left
    ended = [entry.disclosure_id for _, entry in ledger.of_kind(ledger.entries(sandbox), "REVOKED") if entry.disclosure_id in shared]
    assert sorted(ended) == sorted(shared), "each once"
    assert not [entry for _, entry in ledger.of_kind(ledger.entries(sandbox), "DELIVERED") if entry.disclosure_id in shared]
    assert sandbox.query("SELECT count(*) FROM needtoknow.rights_request WHERE subject_id = %s", person.subject_id) == [(1,)]
