"""DeliveryService: what is pushed, when, how often, and to whom."""

import time

import grpc
import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.client import unique
from needtoknow_testing.receiver import values
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until

delivery_pb2 = protos.delivery
NEW = delivery_pb2.DELIVERY_CAUSE_NEW
REPEATED = delivery_pb2.DELIVERY_CAUSE_REPEATED
FETCHED = delivery_pb2.DELIVERY_CAUSE_FETCHED


def test_a_delivery_says_everything_the_app_needs(world):
    person, recipient = world.person(door_code=None), world.recipient()
    with recipient.receive() as stream:
        shared = world.share(person, recipient)
        got = stream.delivery(shared.disclosure_id)
    assert values(got) == {
        "client.district": person.value("client.district"),
        "client.home_address": person.value("client.home_address"),
        "client.door_code": None,
        "booking.tasks": person.value("booking.tasks"),
    }
    assert [field.name for field in got.fields] == list(shared.releases[0].fields), "in the policy's order"
    assert [field.value for field in got.fields if field.is_null] == [""]
    assert (got.booking_id, got.release, got.service, got.purpose) == (
        person.booking_id, "all", "at-once", "dpv:ServiceProvision")
    assert got.agreement_ref == "DPA-2026-1" and got.cause == NEW
    assert (got.starts_at, got.ends_at, got.expires_at) == (shared.starts_at, shared.ends_at, shared.expires_at)
    assert protos.seconds(got.delete_by) == pytest.approx(protos.seconds(got.expires_at) + 24 * 3600, abs=1e-3)
    assert 0 < len(got.delivery_id) <= 64
    (event,) = [event for event in stream.events if event.HasField("delivery")]
    assert abs(protos.seconds(event.server_time) - time.time()) < 10


def test_releases_become_due_by_the_databases_clock_and_are_pushed(world):
    person, recipient = world.person(), world.recipient()
    with recipient.receive() as stream:
        shared = world.share(person, recipient, "staged", starts_in=3.5, lasts=600)
        for release in shared.releases:
            got = stream.delivery(shared.disclosure_id, release.name)
            late = protos.seconds(got.receipt.recorded_at) - protos.seconds(release.due_at)
            assert 0 <= late < 1.5, f"{release.name} came {late} s after it was due"
            assert all(field.sensitive == (release.name == "entry") for field in got.fields)
            assert set(values(got)) == set(release.fields)
            stream.acknowledge(got)
        assert [delivery.release for delivery in stream.deliveries()] == ["planning", "visit", "entry"]


def test_what_waits_comes_first_in_the_order_in_which_it_became_due(world):
    people, recipient = [world.person() for _ in range(20)], world.recipient()
    shared = [world.share(person, recipient) for person in people]
    got = recipient.drain()
    assert [delivery.disclosure_id for delivery in got] == [disclosure.disclosure_id for disclosure in shared]


def test_until_empty_ends_when_nothing_waits(world):
    recipient = world.recipient()
    assert recipient.drain() == []
    shared = world.share(world.person(), recipient)
    waiting = world.share(world.person(), recipient, "staged", starts_in=600)
    got = recipient.drain()
    assert {(delivery.disclosure_id, delivery.release) for delivery in got} == {
        (shared.disclosure_id, "all"), (waiting.disclosure_id, "planning")}
    assert recipient.acknowledge(*got) == 2
    assert recipient.drain() == []


def test_until_empty_ends_when_the_window_is_full_and_nothing_else_waits(world):
    recipient = world.recipient()
    world.share(world.person(), recipient)
    with recipient.receive(max_unacknowledged=1, until_empty=True) as stream:
        assert stream.wait_end() is None
        assert len(stream.deliveries()) == 1


def test_no_more_than_the_window_is_unacknowledged(world):
    recipient = world.recipient()
    shared = [world.share(world.person(), recipient).disclosure_id for _ in range(7)]
    with recipient.receive(max_unacknowledged=3) as stream:
        until(lambda: len(stream.deliveries()) == 3, what="a full window")
        # Another recipient's delivery, shared later, passes by: the worker has had its turn for this one too.
        other = world.recipient()
        passing = world.share(world.person(), other)
        with other.receive() as beside:
            beside.delivery(passing.disclosure_id)
        assert len(stream.deliveries()) == 3
        assert stream.acknowledge(stream.deliveries()[0]) == 1
        until(lambda: len(stream.deliveries()) == 4, what="one more")
        stream.acknowledge(*stream.deliveries()[1:])
        until(lambda: len(stream.deliveries()) == 7, what="the rest")
        assert [delivery.disclosure_id for delivery in stream.deliveries()] == shared


@pytest.mark.parametrize("window", [-1, 1025, 2_147_483_647, -2_147_483_648])
def test_a_window_out_of_range_is_refused(world, window):
    with world.recipient().receive(max_unacknowledged=window) as stream:
        error = stream.wait_end()
        assert error is not None and error.code().name == "INVALID_ARGUMENT"


def test_the_default_window_is_64(world):
    recipient = world.recipient()
    people = [world.person() for _ in range(70)]
    for person in people:
        world.share(person, recipient)
    with recipient.receive() as stream:
        until(lambda: len(stream.deliveries()) >= 64, what="64 deliveries")
        beside = world.recipient()
        passing = world.share(world.person(), beside)
        with beside.receive() as other:
            other.delivery(passing.disclosure_id)
        assert len(stream.deliveries()) == 64
        stream.acknowledge(*stream.deliveries())
        until(lambda: len(stream.deliveries()) == 70, what="the rest")


def test_an_acknowledgement_may_come_on_another_connection(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    with recipient.receive() as stream:
        got = stream.delivery(shared.disclosure_id)
        phone = recipient.device("phone")
        assert phone.acknowledge(got) == 1
        assert phone.acknowledge(got) == 1, "acknowledged before, it counts again"
    assert recipient.drain() == []
    acknowledged = ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id, "ACKNOWLEDGED")
    assert [entry.delivery_id for _, entry in acknowledged] == [got.delivery_id]
    assert acknowledged[0][1].device == "phone"


def test_unknown_deliveries_do_not_count(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    (got,) = recipient.drain()
    request = delivery_pb2.AcknowledgeRequest(delivery_ids=[unique("d"), got.delivery_id, shared.disclosure_id, got.delivery_id])
    answer = recipient.client.delivery.Acknowledge(request, timeout=10)
    assert answer.acknowledged in (1, 2)  # the same twice is the same
    with refused("INVALID_ARGUMENT"):
        recipient.client.delivery.Acknowledge(delivery_pb2.AcknowledgeRequest(delivery_ids=["d"] * 1001), timeout=10)
    assert recipient.client.delivery.Acknowledge(delivery_pb2.AcknowledgeRequest(), timeout=10).acknowledged == 0


def test_what_was_not_acknowledged_comes_again_and_says_so(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    (first,) = recipient.drain()
    assert first.cause == NEW
    with recipient.receive() as stream:
        again = stream.delivery(shared.disclosure_id)
        assert again.cause == REPEATED
        assert again.delivery_id == first.delivery_id, "the values are the same, so is the delivery"
        assert again.receipt.ledger_index > first.receipt.ledger_index
        assert values(again) == values(first)
        stream.acknowledge(again)
    assert recipient.drain() == []
    reasons = [ledger.reason_name(entry) for _, entry in
               ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id, "DELIVERED")]
    assert reasons == ["NEW", "REPEATED"]


def test_changed_values_are_another_delivery(world):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient)
    (first,) = recipient.drain()
    world.sandbox.query("UPDATE company.client SET door_code = %s WHERE subject_id = %s", "autre", person.subject_id)
    with recipient.receive() as stream:
        again = stream.delivery(shared.disclosure_id)
        assert values(again)["client.door_code"] == "autre"
        assert again.delivery_id != first.delivery_id
        assert again.cause == delivery_pb2.DELIVERY_CAUSE_CORRECTED
        # To acknowledge what was replaced does not cover what replaced it.
        recipient.acknowledge(first)
    with recipient.receive() as stream:
        third = stream.delivery(shared.disclosure_id)
        assert (third.delivery_id, third.cause) == (again.delivery_id, REPEATED)
        stream.acknowledge(third)


def test_two_streams_of_any_device_share_the_deliveries(world):
    recipient = world.recipient()
    with recipient.receive() as one, recipient.device("phone").receive() as two:
        shared = {world.share(world.person(), recipient).disclosure_id for _ in range(20)}
        until(lambda: len(one.deliveries()) + len(two.deliveries()) >= 20, what="20 deliveries")
        got = [delivery.disclosure_id for delivery in one.deliveries() + two.deliveries()]
        assert len(got) == 20 and set(got) == shared
        one.acknowledge(*one.deliveries(), *two.deliveries())


def test_a_closed_stream_frees_what_it_had_for_another(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    phone = recipient.device("phone")
    with recipient.receive() as one:
        first = one.delivery(shared.disclosure_id)
        with phone.receive() as two:
            one.close()
            again = two.delivery(shared.disclosure_id)
            assert (again.cause, again.delivery_id) == (REPEATED, first.delivery_id)
            two.acknowledge(again)


def test_fetch_reads_every_due_release_afresh(world):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient, "staged", starts_in=1.5, lasts=600)
    world.sandbox.wait_until(protos.seconds(shared.releases[1].due_at))
    got = recipient.fetch(shared.disclosure_id)
    due = [release.name for release in shared.releases
           if protos.seconds(release.due_at) <= protos.seconds(got[0].receipt.recorded_at)]
    assert [delivery.release for delivery in got] == due and due[:2] == ["planning", "visit"]
    assert all(delivery.cause == FETCHED for delivery in got)
    assert values(got[1])["client.home_address"] == person.value("client.home_address")
    recipient.acknowledge(*got)
    world.sandbox.query("UPDATE company.booking SET instructions = 'autres' WHERE booking_id = %s", person.booking_id)
    again = {delivery.release: delivery for delivery in recipient.fetch(shared.disclosure_id)}
    assert values(again["visit"])["booking.instructions"] == "autres"
    delivered = ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id, "DELIVERED")
    assert {ledger.reason_name(entry) for _, entry in delivered} == {"FETCHED"}


def test_fetch_of_what_is_not_due_says_when(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient, "strict", starts_in=600, lasts=600)
    with refused("FAILED_PRECONDITION", "NOT_DUE") as why:
        recipient.fetch(shared.disclosure_id)
    due = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(shared.releases[0].due_at.seconds))
    assert why.metadata["due_at"].startswith(due) and why.metadata["due_at"].endswith("Z")


def test_list_assigned_is_what_is_active(world):
    recipient = world.recipient()
    shared = [world.share(world.person(), recipient) for _ in range(5)]
    short = world.share(world.person(), recipient, "staged", starts_in=0, lasts=0.5)
    world.sandbox.wait_until(protos.seconds(short.expires_at))
    found, token = [], ""
    while True:
        request = delivery_pb2.ListAssignedRequest(page_size=2, page_token=token)
        answer = recipient.client.delivery.ListAssigned(request, timeout=10)
        found += answer.disclosures
        token = answer.next_page_token
        if not token:
            break
    assert {disclosure.disclosure_id for disclosure in found} == {disclosure.disclosure_id for disclosure in shared}
    assert len(found) == len(shared)
    with refused("INVALID_ARGUMENT"):
        recipient.client.delivery.ListAssigned(delivery_pb2.ListAssignedRequest(page_size=-1), timeout=10)


@pytest.mark.parametrize("length", [65_536])
def test_a_value_at_the_limit_is_delivered_and_one_beyond_is_held(world, length):
    recipient = world.recipient()
    at, beyond = world.person(tasks="t" * length), world.person(tasks="t" * (length + 1))
    held, small = world.share(beyond, recipient), world.share(world.person(), recipient)
    fits = world.share(at, recipient)
    with recipient.receive() as stream:
        assert len(values(stream.delivery(fits.disclosure_id))["booking.tasks"]) == length
        stream.delivery(small.disclosure_id)
        stream.acknowledge(*stream.deliveries())
        assert not stream.deliveries(held.disclosure_id)
    assert not ledger.of_disclosure(ledger.entries(world.sandbox), held.disclosure_id, "DELIVERED")


def test_values_are_utf_8_as_they_are(world):
    text = "Ménage — l'escalier « B » 🧹\n\t\"'\\;--"
    recipient = world.recipient()
    shared = world.share(world.person(tasks=text), recipient)
    (got,) = recipient.drain()
    assert got.disclosure_id == shared.disclosure_id and values(got)["booking.tasks"] == text
    recipient.acknowledge(got)
