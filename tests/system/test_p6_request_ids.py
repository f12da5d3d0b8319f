"""P6 Nothing lost, nothing twice: a repeated request_id repeats the answer, not the effect."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.client import unique
from needtoknow_testing.refusal import refusal, refused


def entries_of(world, disclosure_id, *kinds):
    return ledger.of_disclosure(ledger.entries(world.sandbox), disclosure_id, *kinds)


def test_p6_a_repeat_gets_the_same_answer(world):
    request = world.share_request(world.person(), world.recipient())
    first = world.booking.sharing.Share(request, timeout=10)
    again = world.booking.sharing.Share(request, timeout=10)
    assert again.receipt == first.receipt
    assert again.disclosure == first.disclosure
    assert len(entries_of(world, first.disclosure.disclosure_id)) == 1


def test_p6_a_repeat_after_the_delivery_has_the_same_receipt(world):
    recipient = world.recipient()
    request = world.share_request(world.person(), recipient)
    first = world.booking.sharing.Share(request, timeout=10)
    recipient.acknowledge(*recipient.drain())
    again = world.booking.sharing.Share(request, timeout=10)
    assert again.receipt == first.receipt and again.disclosure.disclosure_id == first.disclosure.disclosure_id
    assert recipient.drain() == [], "nothing is delivered a second time"


@pytest.mark.parametrize("field", ["booking_id", "subject_id", "recipient_id", "service", "starts_at", "ends_at"])
def test_p6_other_content_under_the_same_id_is_refused(world, field):
    person, recipient = world.person(), world.recipient()
    request = world.share_request(person, recipient)
    world.booking.sharing.Share(request, timeout=10)
    other = world.share_request(world.person(), world.recipient(), "home-cleaning")
    changed = protos.sharing.ShareRequest()
    changed.CopyFrom(request)
    if field.endswith("_at"):
        getattr(changed, field).nanos = (getattr(request, field).nanos + 1_000_000) % 1_000_000_000
    else:
        setattr(changed, field, getattr(other, field))
    size = ledger.size(world.sandbox)
    with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED") as why:
        world.booking.sharing.Share(changed, timeout=10)
    (pair,) = [pair for pair in ledger.entries(world.sandbox, size) if ledger.kind_name(pair[1]) == "REFUSED"]
    assert why.metadata["ledger_index"] == str(pair[0]) and ledger.reason_name(pair[1]) == "REQUEST_ID_REUSED"


def test_p6_ids_are_the_callers_own(world):
    person, recipient = world.person(), world.recipient()
    request = world.share_request(person, recipient)
    mine = world.booking.sharing.Share(request, timeout=10).disclosure
    other = world.client_of("spiffe://maison-claire.example/booking/website")
    theirs = other.sharing.Share(request, timeout=10).disclosure
    assert theirs.disclosure_id != mine.disclosure_id


def test_p6_200_duplicates_at_once_are_one_disclosure(world):
    person, recipient = world.person(), world.recipient()
    request = world.share_request(person, recipient)
    clients = [world.sandbox.new_client("booking") for _ in range(4)]
    try:
        with ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(lambda n: clients[n % 4].sharing.Share(request, timeout=30), range(200)))
    finally:
        for client in clients:
            client.close()
    assert len({answer.disclosure.disclosure_id for answer in answers}) == 1
    assert len({answer.receipt.ledger_index for answer in answers}) == 1
    shared = [entry for _, entry in entries_of(world, answers[0].disclosure.disclosure_id, "SHARED")]
    assert len(shared) == 1
    assert len(recipient.drain()) == 1


def test_p6_different_content_at_once_under_one_id_is_one_disclosure(world):
    recipient = world.recipient()
    request_id = unique("q")
    requests = [world.share_request(world.person(), recipient, request_id=request_id) for _ in range(20)]

    def share(request):
        try:
            return world.booking.sharing.Share(request, timeout=30).disclosure.disclosure_id
        except Exception as error:
            assert error.code().name == "ALREADY_EXISTS", error
            return None
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(share, requests))
    assert len([answer for answer in answers if answer]) == 1


def test_p6_a_refusal_is_evaluated_again(world):
    recipient = world.recipient(services=["gardening"])
    request = world.share_request(world.person(), recipient)
    assert refusal(world.booking.sharing.Share, request, timeout=10).reason == "SERVICE_NOT_AUTHORISED"
    world.put_recipient(recipient.recipient_id)
    assert world.booking.sharing.Share(request, timeout=10).disclosure.recipient_id == recipient.recipient_id


def test_p6_a_call_whose_deadline_passes_is_not_half_done(world):
    """Whatever the client saw, a repeat gives one disclosure."""
    recipient = world.recipient()
    for timeout in (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01):
        request = world.share_request(world.person(), recipient)
        try:
            world.booking.sharing.Share(request, timeout=timeout)
        except Exception as error:
            assert error.code().name == "DEADLINE_EXCEEDED", error
        disclosure = world.booking.sharing.Share(request, timeout=10).disclosure
        assert len(entries_of(world, disclosure.disclosure_id, "SHARED")) == 1
