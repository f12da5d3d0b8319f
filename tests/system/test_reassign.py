"""Reassign: another does the job. Never both providers, never neither; refused or done as a whole."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from needtoknow_testing import changes, ledger, protos
from needtoknow_testing.refusal import refusal_of, refused
from needtoknow_testing.world import World

ACTIVE, REVOKED = protos.common.DISCLOSURE_STATE_ACTIVE, protos.common.DISCLOSURE_STATE_REVOKED


@pytest.fixture(scope="module")
def pair():
    world = World.up(workers=2)
    yield world
    world.down()


def test_p4_one_ends_and_the_other_begins_in_one_train(world):
    person, old, new = world.person(), world.recipient(), world.recipient()
    with old.receive() as leaving, new.receive() as coming:
        shared = world.share(person, old)
        leaving.acknowledge(leaving.delivery(shared.disclosure_id))
        answer = changes.reassign(world, shared.disclosure_id, new, reason="on holiday")
        withdrawal = leaving.withdrawal(shared.disclosure_id)
        delivery = coming.delivery(answer.disclosure.disclosure_id)
        coming.acknowledge(delivery)
    assert withdrawal.cause == protos.delivery.WITHDRAWAL_CAUSE_REVOKED
    assert answer.withdrawn.disclosure_id == shared.disclosure_id and answer.withdrawn.state == REVOKED
    made = answer.disclosure
    assert made.state == ACTIVE and made.recipient_id == new.recipient_id and made.disclosure_id != shared.disclosure_id
    for field in ("booking_id", "service", "starts_at", "ends_at", "expires_at"):
        assert getattr(made, field) == getattr(shared, field), field
    found = ledger.entries(world.sandbox)
    ((left, out),) = ledger.of_disclosure(found, shared.disclosure_id, "REASSIGNED")
    ((joined, shares),) = ledger.of_disclosure(found, made.disclosure_id, "SHARED")
    assert [receipt.ledger_index for receipt in answer.receipts] == [left, joined]
    assert out.recipient_id == old.recipient_id and ledger.reason_name(out) == "REASSIGNED"
    assert shares.recipient_id == new.recipient_id
    assert out.recorded_at == shares.recorded_at and out.booking_ref == shares.booking_ref
    ((_, order),) = ledger.of_disclosure(found, shared.disclosure_id, "WITHDRAWN")
    assert ledger.reason_name(order) == "REASSIGNED"
    assert world.sandbox.query(f"SELECT remark FROM needtoknow.entry_reference WHERE ledger_index = {left}") == [("on holiday",)]
    assert changes.get(world, shared.disclosure_id).state == REVOKED


def test_p6_it_is_refused_as_a_whole(world):
    person, old = world.person(), world.recipient()
    shared = world.share(person, old)
    cases = [
        ("nobody", "NOT_FOUND", "UNKNOWN_RECIPIENT"),
        (world.recipient(services=["gardening"]), "PERMISSION_DENIED", "SERVICE_NOT_AUTHORISED"),
        (world.recipient(agreement_until=time.time() - 1), "PERMISSION_DENIED", "AGREEMENT_NOT_IN_FORCE"),
        (world.recipient(staff=True), "PERMISSION_DENIED", "SERVICE_NOT_AUTHORISED"),
    ]
    for recipient, code, reason in cases:
        size = ledger.size(world.sandbox)
        with refused(code, reason) as why:
            changes.reassign(world, shared.disclosure_id, recipient)
        ((index, entry),) = ledger.entries(world.sandbox, size)
        assert why.metadata["ledger_index"] == str(index)
        assert ledger.kind_name(entry) == "REFUSED" and entry.disclosure_id == shared.disclosure_id
        assert entry.recipient_id == ("" if recipient == "nobody" else recipient.recipient_id), "what was not found is not named"
    with refused("INVALID_ARGUMENT", "SAME_RECIPIENT"):
        changes.reassign(world, shared.disclosure_id, old)
    assert changes.get(world, shared.disclosure_id) == shared
    assert len(old.drain()) == 1, "the old recipient goes on"


def test_p4_what_has_ended_goes_to_nobody_else(world):
    old, new = world.recipient(), world.recipient()
    shared = world.share(world.person(), old)
    changes.revoke(world, shared.disclosure_id)
    with refused("FAILED_PRECONDITION", "REVOKED"):
        changes.reassign(world, shared.disclosure_id, new)
    with refused("NOT_FOUND", "UNKNOWN_DISCLOSURE"):
        changes.reassign(world, "0a44cf42-4f0e-8d0c-9a15-5a3d6a1c6c59", new)
    with refused("INVALID_ARGUMENT", "BAD_IDENTIFIER"):
        changes.reassign(world, shared.disclosure_id, "")
    assert new.drain() == []


def test_p6_a_repeat_gets_the_same_answer(world):
    old, new = world.recipient(), world.recipient()
    shared = world.share(world.person(), old)
    old.acknowledge(*old.drain())
    request = changes.reassign_request(shared.disclosure_id, new, reason="ill")
    first = world.booking.sharing.Reassign(request, timeout=10)
    size = ledger.size(world.sandbox)
    again = world.booking.sharing.Reassign(request, timeout=10)
    assert again == first and ledger.size(world.sandbox) == size
    request.recipient_id = old.recipient_id
    with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED"):
        world.booking.sharing.Reassign(request, timeout=10)


def test_p4_reassigned_by_many_at_once_one_has_it(pair):
    """Eight providers are named at once, at both workers: one gets it, and all others are told that it had ended."""
    callers = [pair.sandbox.new_client("booking") for _ in range(6)]
    for _ in range(8):
        old, others = pair.recipient(), [pair.recipient() for _ in range(8)]
        person = pair.person()
        shared = pair.share(person, old)
        calls = [callers[number % 6].sharing.Reassign.future(changes.reassign_request(shared.disclosure_id, recipient), timeout=30)
                 for number, recipient in enumerate(others)]
        made = []
        for call in calls:
            try:
                made.append(call.result(30).disclosure)
            except grpc.RpcError as error:
                assert refusal_of(error).reason == "REVOKED", error
        assert len(made) == 1
        request = protos.sharing.ListDisclosuresRequest(booking_id=person.booking_id)
        listed = pair.booking.sharing.ListDisclosures(request, timeout=10).disclosures
        assert [each.disclosure_id for each in listed if each.state == ACTIVE] == [made[0].disclosure_id]
    for client in callers:
        client.close()


def test_p4_never_both_and_never_neither_while_it_is_delivered(pair):
    """
    A job goes from hand to hand while streams take what it brings. At each of the ledger's trains exactly one disclosure of it lives,
    nothing is delivered of one that has ended, and whoever was sent something is ordered to delete it.
    """
    recipients = [pair.recipient() for _ in range(5)]
    streams = [recipient.receive(max_unacknowledged=1024) for recipient in recipients]
    callers = [pair.sandbox.new_client("booking") for _ in range(6)]
    begun, guard = {}, threading.Lock()

    def one(number):
        seeded = random.Random(number)
        person = pair.person()
        at = number % 5
        shared = pair.share(person, recipients[at])
        with guard:
            begun[shared.disclosure_id] = number
        current = shared.disclosure_id
        for step in range(6):
            at = seeded.choice([other for other in range(5) if other != at])
            answer = changes.reassign(pair, current, recipients[at], client=callers[(number + step) % 6])
            current = answer.disclosure.disclosure_id
            with guard:
                begun[current] = number
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(24)))
    for stream in streams:
        stream.close()
    for client in callers:
        client.close()
    living = {}
    found = ledger.entries(pair.sandbox)
    for first, count in pair.sandbox.query("SELECT first_index, count FROM needtoknow.ledger ORDER BY first_index"):
        for _, entry in [pair_ for pair_ in found if first <= pair_[0] < first + count]:
            number = begun.get(entry.disclosure_id)
            if number is None:
                continue
            of = living.setdefault(number, set())
            if ledger.kind_name(entry) == "SHARED":
                of.add(entry.disclosure_id)
            elif ledger.kind_name(entry) == "REASSIGNED":
                of.remove(entry.disclosure_id)
            elif ledger.kind_name(entry) == "DELIVERED":
                assert entry.disclosure_id in of, "delivered after its end"
        assert all(len(of) == 1 for of in living.values()), "after each train one has it"
    assert len(living) == 24
    delivered = {entry.disclosure_id for _, entry in ledger.of_kind(found, "DELIVERED")}
    ended = {entry.disclosure_id for _, entry in ledger.of_kind(found, "REASSIGNED")}
    withdrawn = {entry.disclosure_id for _, entry in ledger.of_kind(found, "WITHDRAWN")}
    assert delivered & ended <= withdrawn
