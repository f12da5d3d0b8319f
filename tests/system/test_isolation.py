"""A company view made slow or locked delays its own deliveries alone."""

import time
from contextlib import contextmanager

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.receiver import values
from needtoknow_testing.refusal import refused

BOOKING_VIEW = ("CREATE OR REPLACE VIEW share.booking AS"
                " SELECT booking_id, subject_id, {tasks} AS tasks, instructions, price FROM company.booking")
OWNER = "SET ROLE company_owner; {}; RESET ROLE"


@contextmanager
def slow_bookings(world, seconds):
    """Whoever reads a booking's tasks waits."""
    slow = f"(tasks || left(pg_sleep({seconds})::text, 0))"
    world.sandbox.query(OWNER.format(BOOKING_VIEW.format(tasks=slow)))
    try:
        yield
    finally:
        world.sandbox.query(OWNER.format(BOOKING_VIEW.format(tasks="tasks")))


@contextmanager
def locked_bookings(world):
    """As an ALTER TABLE of the company's would."""
    connection = world.sandbox.connect(autocommit=False)
    try:
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE company.booking IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        connection.rollback()
        connection.close()


def everything_else_goes_on(world, patience):
    """Another source's deliveries, the registry, refusals, lists and auditors: each at once."""
    def quickly(call):
        start = time.monotonic()
        result = call()
        assert time.monotonic() - start < patience, f"{call} waited {time.monotonic() - start:.2f} s"
        return result
    recipient = quickly(world.recipient)
    person = world.prepared.pop()  # the company's booking table cannot be written while it is locked
    with recipient.receive() as stream:
        shared = quickly(lambda: world.share(person, recipient, "contact"))
        got = quickly(lambda: stream.delivery(shared.disclosure_id))
        assert values(got)["client.email"] == person.value("client.email")
        quickly(lambda: stream.acknowledge(got))
    with refused("INVALID_ARGUMENT", "UNKNOWN_SERVICE"):
        quickly(lambda: world.share(person, recipient, "kontakt"))
    with refused("NOT_FOUND", "UNKNOWN_RECIPIENT"):
        quickly(lambda: world.share(person, "nobody-at-all", "contact"))
    quickly(lambda: world.put_recipient(recipient.recipient_id, services=["contact"]))
    quickly(lambda: world.booking.sharing.ListDisclosures(
        protos.sharing.ListDisclosuresRequest(subject_id=person.subject_id), timeout=10))
    quickly(lambda: world.auditor.audit.ListEntries(protos.audit.ListEntriesRequest(newest_first=True, page_size=5), timeout=10))


@pytest.fixture
def prepared(world):
    world.prepared = [world.person() for _ in range(4)]
    yield
    world.prepared = []


def test_a_slow_view_delays_its_own_deliveries_alone(world, prepared):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient)
    with slow_bookings(world, 2.0):
        with recipient.receive() as stream:
            time.sleep(0.2)  # the slow read is under way
            everything_else_goes_on(world, patience=1.0)
            assert not stream.deliveries()
    with recipient.receive() as stream:
        stream.acknowledge(stream.delivery(shared.disclosure_id, timeout=20))


def test_releases_come_in_the_order_in_which_they_became_due_whichever_source_answers_first(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient, "staged", starts_in=2.2, lasts=600)
    world.sandbox.wait_until(max(protos.seconds(release.due_at) for release in shared.releases))
    with slow_bookings(world, 0.5):  # the first release's
        got = recipient.drain()
    assert [delivery.release for delivery in got] == ["planning", "visit", "entry"]
    recipient.acknowledge(*got)


def test_a_locked_table_delays_its_own_deliveries_alone(world, prepared):
    person, recipient, beside = world.person(), world.recipient(), world.person()
    shared = world.share(person, recipient)
    with recipient.receive() as stream:
        stream.delivery(shared.disclosure_id)
        stream.acknowledge(*stream.deliveries())
        waiting = world.share_request(beside, recipient)
        with locked_bookings(world):
            call = world.booking.sharing.Share.future(waiting, timeout=20)
            time.sleep(0.2)  # it waits for the table
            everything_else_goes_on(world, patience=1.0)
            done_while_locked = call.done()
        # The Share that named a booking waited, or was told so; either way it can be made now.
        try:
            call.result(timeout=20)
        except Exception as error:
            assert error.code().name == "UNAVAILABLE", error
        else:
            assert not done_while_locked, "a booking was checked in a table that nobody can read"
        disclosure = world.booking.sharing.Share(waiting, timeout=20).disclosure
        stream.acknowledge(stream.delivery(disclosure.disclosure_id, timeout=20))


def test_a_source_that_stays_silent_is_unavailable(world, prepared):
    """Beyond the source's own timeout the caller is told which of the two databases it is, and health stays SERVING."""
    person, recipient = world.person(), world.recipient()
    with locked_bookings(world):
        with refused("UNAVAILABLE", "SOURCE_UNAVAILABLE"):
            world.booking.sharing.Share(world.share_request(person, recipient), timeout=60)
        everything_else_goes_on(world, patience=1.0)
    assert world.share(person, recipient).disclosure_id


def test_a_view_that_fails_harms_its_own_deliveries_alone(world, prepared):
    broken, recipient = world.person(tasks="not a number"), world.recipient()
    shared = world.share(broken, recipient)
    fine = world.share(world.person(tasks="12"), recipient)
    world.sandbox.query(OWNER.format(BOOKING_VIEW.format(tasks="(tasks::int)::text")))
    try:
        with recipient.receive():
            everything_else_goes_on(world, patience=2.0)
    finally:
        world.sandbox.query(OWNER.format(BOOKING_VIEW.format(tasks="tasks")))
    with recipient.receive() as stream:
        stream.acknowledge(stream.delivery(shared.disclosure_id, timeout=20), stream.delivery(fine.disclosure_id, timeout=20))


def test_a_key_with_two_rows_fails_closed(world):
    """Whose value would it be? Nothing is delivered, and a Share finds no booking."""
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient)
    twice = (BOOKING_VIEW.format(tasks="tasks") + " UNION ALL SELECT booking_id, subject_id, tasks, instructions, price"
             f" FROM company.booking WHERE booking_id = '{person.booking_id}'")
    world.sandbox.query(OWNER.format(twice))
    try:
        assert recipient.drain() == []
        with refused("NOT_FOUND", "UNKNOWN_BOOKING"):
            world.share(person, recipient)
    finally:
        world.sandbox.query(OWNER.format(BOOKING_VIEW.format(tasks="tasks")))
    assert not ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id, "DELIVERED")
