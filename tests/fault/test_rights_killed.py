"""A worker that dies between the company's database and the ledger: whoever asks again is answered as if it had not."""

import secrets

import grpc
import pytest

from needtoknow_testing import ledger
from needtoknow_testing.rights import asked, column, record, record_values, rights
from needtoknow_testing.waiting import until


def kinds_of(world, subject_id):
    """Kinds of the entries about a subject."""
    indices = {index for (index,) in world.sandbox.query(
        "SELECT ledger_index FROM needtoknow.entry_reference WHERE subject_id = %s", subject_id)}
    return [ledger.kind_name(entry) for index, entry in ledger.entries(world.sandbox) if index in indices]


def die_within(world, step, call, request):
    """The daemon is killed at that step, with the request under way; afterwards it is there again."""
    sandbox = world.sandbox
    sandbox.kill()
    known = len(sandbox.log())
    sandbox.spawn({"NEEDTOKNOW_STOP_AT": f"{step}:1"})
    sandbox.wait_serving()
    with pytest.raises(grpc.RpcError):
        call(request, timeout=30)
    until(lambda: "was ended by signal 9" in sandbox.log()[known:], 60, f"the death at {step}")
    sandbox.restart()


@pytest.mark.parametrize("step", ["rectify.changed", "train.written", "train.committed"])
def test_p6_a_rectification_that_nobody_answered_is_answered_when_it_is_asked_again(world, step):
    person = world.person()
    request = asked(rights.RectifyRequest, person.subject_id, value=column("client.home_address", "2 rue Après, 44000 La-Mort"))
    die_within(world, step, world.rights.rights.Rectify, request)
    answer = world.rights.rights.Rectify(request, timeout=30)
    assert not answer.unchanged, "the first time changed it; that is what is answered"
    assert kinds_of(world, person.subject_id) == ["RECTIFIED"]
    assert world.rights.rights.Rectify(request, timeout=30).receipt == answer.receipt
    assert record_values(record(world, person.subject_id)[1])["client.home_address"] == "2 rue Après, 44000 La-Mort"
    # Also what followed from it, of which the company tells again.
    entry = dict(ledger.entries(world.sandbox))[answer.receipt.ledger_index]
    assert list(entry.fields) == ["client.home_address", "client.district", "client.invoice_identity"]


@pytest.mark.parametrize("step", ["registration.enrolled", "train.written", "train.committed"])
def test_p6_a_client_is_registered_once_whoever_dies_meanwhile(world, step):
    token = secrets.token_hex(6)
    email = f"une.fois.{token}@courriel.example"
    request = asked(rights.RegisterRequest, origin=rights.ORIGIN_WEBSITE, notice_version="2026-05", columns=[
        column("client.given_name", "Une"), column("client.family_name", f"Fois-{token}"), column("client.phone", "01 99 00 00 01"),
        column("client.email", email), column("client.home_address", "1 rue Neuve, 44000 Nantes")])
    die_within(world, step, world.rights.rights.Register, request)
    answer = world.rights.rights.Register(request, timeout=30)
    assert world.sandbox.query("SELECT subject_id FROM company.client WHERE email = %s", email) == [(answer.subject_id,)]
    assert kinds_of(world, answer.subject_id) == ["REGISTERED"]
