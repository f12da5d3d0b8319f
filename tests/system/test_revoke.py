"""Revoke: P4, nothing is delivered any more once it is answered; P6, once and for all."""

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from needtoknow_testing import changes, ledger, policy, protos
from needtoknow_testing.client import unique
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

REVOKED = protos.common.DISCLOSURE_STATE_REVOKED


@pytest.fixture(scope="module")
def pair():
    world = World.up(workers=2)
    yield world
    world.down()


def test_p4_a_revoked_disclosure_is_withdrawn_from_each_device_that_was_sent_something(world):
    person, recipient = world.person(), world.recipient()
    other = recipient.device("phone-2")
    with recipient.receive() as stream, other.receive() as unused:
        shared = world.share(person, recipient)
        until(lambda: stream.deliveries() or unused.deliveries(), 10, "the delivery")
        got, none = (stream, unused) if stream.deliveries() else (unused, stream)
        got.acknowledge(got.delivery(shared.disclosure_id))
        answer = changes.revoke(world, shared.disclosure_id, reason="the client has cancelled")
        withdrawal = got.withdrawal(shared.disclosure_id)
        # What is shared afterwards comes behind it on either stream.
        for _ in range(4):
            world.share(world.person(), recipient)
        until(lambda: len(stream.deliveries()) + len(unused.deliveries()) == 5, 10, "what was shared afterwards")
        assert not [event for event in none.events if event.HasField("withdrawal")], "it was sent nothing"
    assert withdrawal.booking_id == person.booking_id
    assert withdrawal.cause == protos.delivery.WITHDRAWAL_CAUSE_REVOKED
    assert protos.seconds(withdrawal.delete_by) == pytest.approx(time.time() + 24 * 3600, abs=20)
    (disclosure,) = answer.disclosures
    assert disclosure.disclosure_id == shared.disclosure_id and disclosure.state == REVOKED
    assert changes.states(disclosure) == {"all": "ACKNOWLEDGED"}
    (receipt,) = answer.receipts
    found = ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id)
    assert [ledger.kind_name(entry) for _, entry in found] == ["SHARED", "DELIVERED", "ACKNOWLEDGED", "REVOKED", "WITHDRAWN"]
    index, entry = found[3]
    assert receipt.ledger_index == index and "/booking/" in entry.actor
    assert ledger.reason_name(entry) == "REVOKED" and entry.recipient_id == recipient.recipient_id
    assert len(entry.booking_ref) == 32 and len(entry.subject_pseudonym) == 16
    assert "cancelled" not in str(entry), "free text stays outside the leaf"
    assert world.sandbox.query(f"SELECT remark FROM needtoknow.entry_reference WHERE ledger_index = {index}") == [
        ("the client has cancelled",)]
    assert changes.get(world, shared.disclosure_id).state == REVOKED
    with refused("FAILED_PRECONDITION", "REVOKED"):
        recipient.fetch(shared.disclosure_id)


def test_p6_the_answers_tell_of_a_device_that_has_not_acknowledged(world):
    """Each of them, the repeated one, too: where every device gets all, one is not enough."""
    recipient = world.recipient(deliver_to=protos.registry.DELIVER_TO_EVERY_DEVICE)
    phone, tablet = recipient.device("phone"), recipient.device("tablet")
    shared = world.share(world.person(), recipient)
    phone.acknowledge(*phone.drain())
    assert len(tablet.drain()) == 1
    assert changes.states(changes.reschedule(world, shared.disclosure_id, 7200).disclosure) == {"all": "DELIVERED"}
    request = changes.revoke_request(shared.disclosure_id)
    for _ in range(2):
        (disclosure,) = world.booking.sharing.Revoke(request, timeout=10).disclosures
        assert changes.states(disclosure) == {"all": "DELIVERED"}
    assert changes.states(changes.get(world, shared.disclosure_id)) == {"all": "DELIVERED"}


def test_p4_what_is_moved_at_its_end_is_revoked_nevertheless(world):
    """A Revoke finds it expired while the train is on its way that moves its end: it must not say that nothing was left to end."""
    recipient = world.recipient()
    world.sandbox.query("CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS"
                        " 'BEGIN PERFORM pg_sleep(0.15); RETURN NEW; END'")
    world.sandbox.query("CREATE TRIGGER dawdle BEFORE INSERT ON needtoknow.request FOR EACH ROW EXECUTE FUNCTION public.dawdle()")
    try:
        for _ in range(4):
            shared = world.share(world.person(), recipient, starts_in=0, lasts=3)
            end = protos.seconds(shared.expires_at)
            move, revoke = changes.reschedule_request(shared.disclosure_id), changes.revoke_request(shared.disclosure_id)
            world.sandbox.wait_until(end - 0.11)
            moved = world.booking.sharing.Reschedule.future(move, timeout=10)
            world.sandbox.wait_until(end)
            world.booking.sharing.Revoke(revoke, timeout=10)
            moved.exception()
            assert changes.get(world, shared.disclosure_id).state in (REVOKED, protos.common.DISCLOSURE_STATE_EXPIRED)
    finally:
        world.sandbox.query("DROP FUNCTION public.dawdle() CASCADE")


def test_p4_what_was_not_sent_yet_never_is(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient, "home-cleaning", starts_in=3600 * 12)
    assert changes.states(shared) == {"planning": "DUE", "visit": "DUE", "entry": "WAITING"}
    changes.revoke(world, shared.disclosure_id)
    assert recipient.drain() == []
    assert world.sandbox.query(
        f"SELECT count(*) FROM needtoknow.due WHERE disclosure_id = '{shared.disclosure_id}'") == [(0,)], "nothing stays due"
    assert set(changes.states(changes.get(world, shared.disclosure_id)).values()) == {"WITHDRAWN"}


def test_p4_a_booking_is_revoked_whole(world):
    person, recipients = world.person(), [world.recipient() for _ in range(5)]
    shared = [world.share(person, recipient) for recipient in recipients]
    beside = world.share(world.person(), recipients[0])
    for recipient in recipients[:3]:
        recipient.acknowledge(*recipient.drain())
    changes.revoke(world, shared[4].disclosure_id)
    answer = changes.revoke(world, booking_id=person.booking_id)
    ended = {disclosure.disclosure_id for disclosure in answer.disclosures}
    assert ended == {disclosure.disclosure_id for disclosure in shared[:4]}, "those that lived"
    assert {disclosure.state for disclosure in answer.disclosures} == {REVOKED}
    found = dict(ledger.entries(world.sandbox))
    assert [found[receipt.ledger_index].disclosure_id for receipt in answer.receipts] == [
        disclosure.disclosure_id for disclosure in answer.disclosures], "a receipt each, in their order"
    rows = {index: row[0] for row in world.sandbox.query("SELECT first_index, count FROM needtoknow.ledger")
            for index in range(row[0], row[0] + row[1])}
    assert len({rows[receipt.ledger_index] for receipt in answer.receipts}) == 1, "one train"
    assert changes.get(world, beside.disclosure_id).state == protos.common.DISCLOSURE_STATE_ACTIVE
    for recipient, disclosure in list(zip(recipients, shared))[:3]:
        with recipient.receive(until_empty=True) as stream:
            stream.withdrawal(disclosure.disclosure_id)


def test_p6_where_nothing_lives_it_is_ok_and_changes_nothing(world):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient)
    changes.revoke(world, shared.disclosure_id)
    size = ledger.size(world.sandbox)
    for answer in (changes.revoke(world, booking_id=person.booking_id), changes.revoke(world, shared.disclosure_id)):
        assert [disclosure.disclosure_id for disclosure in answer.disclosures] == [shared.disclosure_id]
        assert answer.disclosures[0].state == REVOKED and not answer.receipts
    assert ledger.size(world.sandbox) == size


def test_p6_a_revoke_that_ended_nothing_does_not_end_later_what_was_shared_since(world):
    person, recipient = world.person(), world.recipient()
    first = world.share(person, recipient)
    changes.revoke(world, first.disclosure_id)
    request = changes.revoke_request(booking_id=person.booking_id)
    world.booking.sharing.Revoke(request, timeout=10)
    second = world.share(person, recipient)
    again = world.booking.sharing.Revoke(request, timeout=10)
    assert [disclosure.disclosure_id for disclosure in again.disclosures] == [first.disclosure_id]
    assert changes.get(world, second.disclosure_id).state == protos.common.DISCLOSURE_STATE_ACTIVE


def test_revoke_of_what_is_not_known(world):
    with refused("NOT_FOUND", "UNKNOWN_DISCLOSURE"):
        changes.revoke(world, "0a44cf42-4f0e-8d0c-9a15-5a3d6a1c6c59")
    with refused("NOT_FOUND", "UNKNOWN_DISCLOSURE"):
        changes.revoke(world, "not an id")
    with refused("NOT_FOUND", "UNKNOWN_BOOKING"):
        changes.revoke(world, booking_id="B-nobody")
    with refused("INVALID_ARGUMENT", "BAD_IDENTIFIER"):
        changes.revoke(world)
    with refused("INVALID_ARGUMENT", "BAD_IDENTIFIER"):
        changes.revoke(world, booking_id="")
    with refused("INVALID_ARGUMENT", "BAD_TEXT"):
        changes.revoke(world, booking_id="B-nobody", reason="x" * 501)
    with refused("PERMISSION_DENIED", "ROLE_NOT_ALLOWED"):
        changes.revoke(world, booking_id="B-nobody", client=world.admin)


def test_p6_a_repeat_gets_the_same_answer(world):
    person, recipients = world.person(), [world.recipient() for _ in range(3)]
    for recipient in recipients:
        world.share(person, recipient)
    recipients[0].acknowledge(*recipients[0].drain())
    request = changes.revoke_request(booking_id=person.booking_id, reason="moved away")
    first = world.booking.sharing.Revoke(request, timeout=10)
    size = ledger.size(world.sandbox)
    again = world.booking.sharing.Revoke(request, timeout=10)
    assert again == first and len(first.receipts) == 3
    assert ledger.size(world.sandbox) == size


def test_p6_a_request_id_is_used_by_one_method(world):
    person, recipient, other = world.person(), world.recipient(), world.recipient()
    request_id = unique("q")
    request = world.share_request(person, recipient, request_id=request_id)
    shared = world.booking.sharing.Share(request, timeout=10).disclosure
    size = ledger.size(world.sandbox)
    for change in (lambda: changes.revoke(world, shared.disclosure_id, request_id=request_id),
                   lambda: changes.reschedule(world, shared.disclosure_id, request_id=request_id),
                   lambda: changes.reassign(world, shared.disclosure_id, other, request_id=request_id)):
        with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED") as why:
            change()
        ((index, entry),) = ledger.entries(world.sandbox, size)
        assert why.metadata["ledger_index"] == str(index) and ledger.reason_name(entry) == "REQUEST_ID_REUSED"
        size = ledger.size(world.sandbox)
    assert changes.get(world, shared.disclosure_id) == shared
    # And the other way round.
    second = unique("q")
    changes.revoke(world, shared.disclosure_id, request_id=second, reason="one")
    with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED"):
        changes.revoke(world, shared.disclosure_id, request_id=second, reason="two")
    with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED"):
        changes.revoke(world, booking_id=shared.disclosure_id, request_id=second, reason="one")
    with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED"):
        world.share(person, recipient, request_id=second)


def test_p6_200_duplicates_at_both_workers_are_one_revocation(pair):
    person, recipient = pair.person(), pair.recipient()
    shared = [pair.share(person, recipient).disclosure_id for _ in range(3)]
    request = changes.revoke_request(booking_id=person.booking_id)
    callers = [pair.sandbox.new_client("booking") for _ in range(6)]
    calls = [callers[number % 6].sharing.Revoke.future(request, timeout=30) for number in range(200)]
    answers = {call.result(30).SerializeToString(deterministic=True) for call in calls}
    assert len(answers) == 1
    for client in callers:
        client.close()
    for disclosure_id in shared:
        assert changes.kinds(pair, disclosure_id) == ["SHARED", "REVOKED"]


def race(world, rounds, target):
    """
    Streams take what is shared while it is revoked: {disclosure_id: index of its REVOKED entry}. `target` says by what a
    disclosure is revoked.
    """
    recipients = [world.recipient() for _ in range(4)]
    streams = [recipient.receive(max_unacknowledged=1024) for recipient in recipients]
    callers = [world.sandbox.new_client("booking") for _ in range(6)]
    ended, guard = {}, threading.Lock()

    def one(number):
        recipient, person = recipients[number % 4], world.person()
        sharer, revoker = callers[number % 6], callers[(number // 2 + 1) % 6]
        shared = [sharer.sharing.Share(world.share_request(person, recipient), timeout=30).disclosure for _ in range(2)]
        for disclosure in shared:
            answer = changes.revoke(world, client=revoker, timeout=30, **target(disclosure))
            for revoked, receipt in zip(answer.disclosures, answer.receipts):
                with guard:
                    ended[revoked.disclosure_id] = receipt.ledger_index

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(one, range(rounds)))
    for stream in streams:
        stream.close()
    for client in callers:
        client.close()
    assert len(ended) == 2 * rounds
    changes.nothing_after(world, ended)
    found = ledger.entries(world.sandbox)
    delivered = {entry.disclosure_id: entry.device for _, entry in ledger.of_kind(found, "DELIVERED") if entry.disclosure_id in ended}
    withdrawn = {entry.disclosure_id for _, entry in ledger.of_kind(found, "WITHDRAWN")}
    assert not set(delivered) - withdrawn, "whoever was sent something is told to delete it"
    return delivered, ended


@pytest.mark.parametrize("by", ["disclosure_id", "booking_id"])
def test_p4_no_delivery_after_an_ok_to_revoke_with_two_workers(pair, by):
    delivered, ended = race(pair, 150, lambda disclosure: {by: getattr(disclosure, by)})
    assert delivered, "some were delivered before"
    assert len(delivered) < len(ended), "and some were not: the two did race"


def test_p4_a_booking_is_revoked_with_what_was_shared_of_it_at_the_other_worker(pair):
    """Shares that were answered before a Revoke of their booking was asked are among what it ends, whoever answered them."""
    recipient = pair.recipient()
    callers = [pair.sandbox.new_client("booking") for _ in range(6)]

    def one(number):
        person = pair.person()
        shares = [callers[(number + step) % 6].sharing.Share.future(pair.share_request(person, recipient), timeout=30)
                  for step in range(6)]
        answered = {shares[0].result(30).disclosure.disclosure_id, shares[3].result(30).disclosure.disclosure_id}
        answer = changes.revoke(pair, booking_id=person.booking_id, client=callers[number % 5], timeout=30)
        ended = {disclosure.disclosure_id for disclosure in answer.disclosures}
        assert answered <= ended, "a Share that was answered was overlooked"
        late = {share.result(30).disclosure.disclosure_id for share in shares} - ended
        for disclosure_id in late:
            assert changes.get(pair, disclosure_id).state == protos.common.DISCLOSURE_STATE_ACTIVE
            ((index, _),) = ledger.of_disclosure(ledger.entries(pair.sandbox), disclosure_id, "SHARED")
            assert index > max(receipt.ledger_index for receipt in answer.receipts), "shared before, and overlooked"
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, range(40)))
    for client in callers:
        client.close()


def test_p8_a_revoke_waits_for_no_database_of_the_companys(world):
    """The company's views are locked: a Share waits for them, a Revoke does not."""
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient)
    recipient.acknowledge(*recipient.drain())
    with world.sandbox.connect() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE company.client IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        answer = changes.revoke(world, shared.disclosure_id)
        assert time.monotonic() - began < 1.5, "below the sources' timeout"
        connection.rollback()
    assert answer.disclosures[0].state == REVOKED


def test_p4_what_was_shared_under_a_policy_that_cannot_be_read_any_more_can_be_ended():
    """Kept from an earlier version, say: nothing of it is delivered, but it ends, at once and without a trace in the queue."""
    first = policy.testing_policy()
    world = World.up(first)
    try:
        recipient, waiting = world.recipient(), world.recipient()
        shared = world.share(world.person(), recipient, "home-cleaning", starts_in=12 * 3600)
        unsent = world.share(world.person(), waiting, "home-cleaning", starts_in=12 * 3600)
        recipient.acknowledge(*recipient.drain())
        second = first.replace("Tout de suite", "Sans attendre")
        (world.sandbox.directory / "policy.yaml").write_text(second)
        request = protos.registry.ReloadPolicyRequest(expected_digest=hashlib.sha256(second.encode()).digest(), approved_by="DPO")
        world.admin.registry.ReloadPolicy(request, timeout=20)
        world.sandbox.query("UPDATE needtoknow.policy SET text = 'version: 0' WHERE policy_number = 1")
        world.sandbox.restart()
        until(world.sandbox.health, 30, "SERVING")
        with refused("UNAVAILABLE", "POLICY_UNAVAILABLE"):
            changes.reschedule(world, shared.disclosure_id)
        before = time.time()
        for disclosure in (shared, unsent):
            assert changes.revoke(world, disclosure.disclosure_id).disclosures[0].state == REVOKED
            assert world.sandbox.query(
                "SELECT count(*) FROM needtoknow.due WHERE disclosure_id = %s", disclosure.disclosure_id) == [(0,)]
        with recipient.receive() as stream:
            withdrawal = stream.withdrawal(shared.disclosure_id)
        assert before - 5 < protos.seconds(withdrawal.delete_by) < time.time() + 5, "at once: nobody knows of more time"
        assert waiting.drain() == []
    finally:
        world.down()
