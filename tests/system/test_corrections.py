"""What changes after it was sent is sent again as a correction (GDPR art. 16, 19), if and only if it is another than what was sent."""

import re
import threading
from contextlib import contextmanager

import pytest

from needtoknow_testing import company, ledger, policy, protos
from needtoknow_testing.receiver import values
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

NEW = protos.delivery.DELIVERY_CAUSE_NEW
CORRECTED = protos.delivery.DELIVERY_CAUSE_CORRECTED
ACKNOWLEDGED = protos.common.RELEASE_STATE_ACKNOWLEDGED
EVERY = protos.registry.DELIVER_TO_EVERY_DEVICE
TWICE = 60  # seconds until a change was surely looked at twice, 15 s apart, on a busy machine


@pytest.fixture(scope="module")
def one():
    world = World.up(policy.testing_policy(acknowledge_within="30s"))
    yield world
    world.down()


@pytest.fixture(scope="module")
def two():
    world = World.up(policy.testing_policy(), workers=2)
    yield world
    world.down()


def change(world, person, **columns):
    """In one transaction."""
    for table, key, number in (("client", "subject_id", person.subject_id), ("booking", "booking_id", person.booking_id)):
        of_table = {name: value for name, value in columns.items() if (name in ("tasks", "instructions")) == (table == "booking")}
        if of_table:
            assignments = ", ".join(f"{name} = %s" for name in of_table)
            world.sandbox.query(f"UPDATE company.{table} SET {assignments} WHERE {key} = %s", *of_table.values(), number)


def say_changed(world, person, source, key, *columns):
    """What a trigger writes, of a change that changes nothing."""
    world.sandbox.query("INSERT INTO share.change_queue (subject_id, source, key, columns) VALUES (%s, %s, %s, %s)",
                        person.subject_id, source, key, list(columns))


def queued(world, *people):
    return world.sandbox.query("SELECT count(*) FROM share.change_queue WHERE subject_id = ANY (%s)",
                               [person.subject_id for person in people])[0][0]


def settled(world, *people):
    until(lambda: not queued(world, *people), TWICE, "the change queue, empty")


def delivered(world, disclosure_id, release=None, device=None):
    """The reasons of a disclosure's deliveries, in order."""
    return [ledger.reason_name(entry) for _, entry in ledger.of_disclosure(ledger.entries(world.sandbox), disclosure_id, "DELIVERED")
            if release in (None, entry.release) and device in (None, entry.device)]


def expect(world, shared, *reasons):
    """These deliveries and no other, once everything was looked at twice: looked at once, at the end."""
    world.expected = {**getattr(world, "expected", {}), shared.disclosure_id: list(reasons)}


def metric(world, name):
    return sum(int(number) for number in re.findall(rf'^needtoknow_{name}{{worker="\d+"}} (\d+)$', world.sandbox.metrics(), re.M))


@contextmanager
def sent(world, person, recipient, service="at-once", **keywords):
    """A disclosure of which the recipient has acknowledged what was due, and its stream."""
    shared = world.share(person, recipient, service, **keywords)
    with recipient.receive() as stream:
        stream.acknowledge(stream.delivery(shared.disclosure_id))
        yield shared, stream


def change_unannounced(world, person, **columns):
    """Whoever is faster: it is announced when the test says so, by say_changed()."""
    world.sandbox.query("ALTER TABLE company.client DISABLE TRIGGER client_changed")
    try:
        change(world, person, **columns)
    finally:
        world.sandbox.query("ALTER TABLE company.client ENABLE TRIGGER client_changed")


def release_states(world, disclosure_id):
    answer = world.booking.sharing.GetDisclosure(protos.sharing.GetDisclosureRequest(disclosure_id=disclosure_id), timeout=10)
    return [release.state for release in answer.disclosure.releases]


# ---- a change that matters


def test_a_changed_value_is_delivered_once_as_corrected(one):
    person, recipient = one.person(), one.recipient()
    with sent(one, person, recipient) as (shared, stream):
        first = stream.deliveries()[0]
        change(one, person, door_code="another-code")
        again = stream.delivery(shared.disclosure_id, skip=1, timeout=20)
        assert again.cause == CORRECTED and again.delivery_id != first.delivery_id
        assert values(again) == {**values(first), "client.door_code": "another-code"}
        assert stream.acknowledge(again) == 1
        assert release_states(one, shared.disclosure_id) == [ACKNOWLEDGED]
    assert recipient.drain() == []
    expect(one, shared, "NEW", "CORRECTED")


def test_a_fetch_that_nobody_acknowledged_does_not_stand_for_a_correction(one):
    """Its answer may have been lost: the app would keep the old value for good."""
    person, recipient = one.person(), one.recipient()
    with sent(one, person, recipient) as (shared, stream):
        change_unannounced(one, person, door_code="fetched-code")
        (fetched,) = recipient.fetch(shared.disclosure_id)
        assert values(fetched)["client.door_code"] == "fetched-code"
        say_changed(one, person, "client", person.subject_id, "door_code")
        again = stream.delivery(shared.disclosure_id, skip=1, timeout=20)
        assert again.cause == CORRECTED and values(again) == values(fetched)
        stream.acknowledge(again)
    expect(one, shared, "NEW", "FETCHED", "CORRECTED")


def test_every_recipient_that_was_sent_it_is_corrected_and_nobody_else(one):
    person = one.person()
    holders = [one.recipient(), one.recipient()]
    other = one.recipient()
    with sent(one, person, holders[0]) as (first, stream), sent(one, person, holders[1]) as (second, also), \
            sent(one, person, other, service="contact") as (third, _):
        change(one, person, door_code=None)
        for shared, listener in ((first, stream), (second, also)):
            again = listener.delivery(shared.disclosure_id, skip=1, timeout=20)
            assert again.cause == CORRECTED and values(again)["client.door_code"] is None
            listener.acknowledge(again)
    expect(one, first, "NEW", "CORRECTED")
    expect(one, second, "NEW", "CORRECTED")
    expect(one, third, "NEW")


def test_each_device_of_a_recipient_is_corrected(one):
    person, recipient = one.person(), one.recipient(deliver_to=EVERY)
    with recipient.device("phone").receive() as phone, recipient.device("tablet").receive() as tablet:
        shared = one.share(person, recipient)
        for stream in (phone, tablet):
            stream.acknowledge(stream.delivery(shared.disclosure_id))
        change(one, person, door_code="of-both")
        for stream in (phone, tablet):
            again = stream.delivery(shared.disclosure_id, skip=1, timeout=20)
            assert again.cause == CORRECTED and values(again)["client.door_code"] == "of-both"
            stream.acknowledge(again)
        settled(one, person)
    assert release_states(one, shared.disclosure_id) == [ACKNOWLEDGED]
    for device in ("phone", "tablet"):
        assert delivered(one, shared.disclosure_id, device=device) == ["NEW", "CORRECTED"]


def test_a_device_that_acknowledged_the_new_value_as_fetched_is_not_corrected(one):
    """The other one, which still has the old value, is."""
    person, recipient = one.person(), one.recipient(deliver_to=EVERY)
    on_tablet = recipient.device("tablet")
    with recipient.device("phone").receive() as phone, on_tablet.receive() as tablet:
        shared = one.share(person, recipient)
        for stream in (phone, tablet):
            stream.acknowledge(stream.delivery(shared.disclosure_id))
        change_unannounced(one, person, door_code="fetched-by-one")
        [fetched] = on_tablet.fetch(shared.disclosure_id)
        assert values(fetched)["client.door_code"] == "fetched-by-one" and on_tablet.acknowledge(fetched) == 1
        say_changed(one, person, "client", person.subject_id, "door_code")
        again = phone.delivery(shared.disclosure_id, skip=1, timeout=20)
        assert again.cause == CORRECTED and values(again) == values(fetched)
        phone.acknowledge(again)
        settled(one, person)
        assert len(tablet.deliveries(shared.disclosure_id)) == 1
    assert delivered(one, shared.disclosure_id, device="phone") == ["NEW", "CORRECTED"]
    assert delivered(one, shared.disclosure_id, device="tablet") == ["NEW", "FETCHED"]


def test_several_columns_changed_at_once_are_one_correction(one):
    person, recipient = one.person(), one.recipient()
    with sent(one, person, recipient) as (shared, stream):
        change(one, person, door_code="one", street="2 rue Neuve", postal_code="44100", city="Nantes")
        again = stream.delivery(shared.disclosure_id, skip=1, timeout=20)
        assert values(again)["client.door_code"] == "one" and values(again)["client.home_address"] == "2 rue Neuve, 44100 Nantes"
        stream.acknowledge(again)
    expect(one, shared, "NEW", "CORRECTED")


def test_a_column_of_the_bookings_source_corrects_that_booking_alone(one):
    person, recipient = one.person(), one.recipient()
    other = company.another_booking(one.sandbox, person)
    with sent(one, person, recipient) as (shared, stream), sent(one, other, one.recipient()) as (untouched, _):
        change(one, person, tasks="Autre chose")
        again = stream.delivery(shared.disclosure_id, skip=1, timeout=20)
        assert again.cause == CORRECTED and values(again)["booking.tasks"] == "Autre chose"
        stream.acknowledge(again)
    expect(one, shared, "NEW", "CORRECTED")
    expect(one, untouched, "NEW")


def test_changed_and_later_changed_back_are_two_corrections(one):
    person, recipient = one.person(), one.recipient()
    with sent(one, person, recipient) as (shared, stream):
        before = values(stream.deliveries()[0])
        change(one, person, door_code="for-a-moment")
        stream.acknowledge(stream.delivery(shared.disclosure_id, skip=1, timeout=20))
        change(one, person, door_code=before["client.door_code"])
        back = stream.delivery(shared.disclosure_id, skip=2, timeout=20)
        assert back.cause == CORRECTED and values(back) == before
        stream.acknowledge(back)
        expect(one, shared, "NEW", "CORRECTED", "CORRECTED")
        assert len({delivery.delivery_id for delivery in stream.deliveries()}) == 3


def test_one_that_is_away_gets_what_holds_when_it_is_back(one):
    """Two changes meanwhile are one correction; and to acknowledge the old one meanwhile does not cover it."""
    person, recipient = one.person(), one.recipient()
    shared = one.share(person, recipient)
    with recipient.receive() as stream:
        first = stream.delivery(shared.disclosure_id)
    before = metric(one, "corrections_total")
    change(one, person, door_code="first-change")
    until(lambda: metric(one, "corrections_total") > before, 20, "the correction that is due")
    change(one, person, door_code="second-change")
    settled(one, person)
    assert recipient.acknowledge(first) == 1
    with recipient.receive() as stream:
        again = stream.delivery(shared.disclosure_id)
        assert again.cause == CORRECTED and values(again)["client.door_code"] == "second-change"
        stream.acknowledge(again)
    assert recipient.drain() == []
    assert delivered(one, shared.disclosure_id) == ["NEW", "CORRECTED"]


def test_what_was_fetched_is_corrected_too(one):
    person, recipient = one.person(), one.recipient()
    with sent(one, person, recipient) as (shared, stream):
        [fetched] = recipient.fetch(shared.disclosure_id)
        change(one, person, door_code="since-the-fetch")
        again = stream.delivery(shared.disclosure_id, skip=1, timeout=20)
        assert again.cause == CORRECTED and again.delivery_id != fetched.delivery_id
        assert values(again)["client.door_code"] == "since-the-fetch"
        stream.acknowledge(again)


# ---- changes that matter to nobody: all at once, since each is looked at twice


class Nothing:
    """Disclosures whose company's rows change, and what came of it."""

    def __init__(self, world):
        self.world = world
        self.recipients, self.shared, self.people = [], {}, {}
        self.same("a column that was not sent", phone="01 00 00 00 00")
        self.same("another client's", other=True, door_code="of-another")
        self.same("the same value")
        self.same("changed back at once")
        self.same("a column of the same name elsewhere")
        self.same("a booking that is another")
        self.ended()
        self.later()
        self.act()
        settled(world, *self.people.values())

    def add(self, name, **keywords):
        person, recipient = self.world.person(), self.world.recipient()
        shared = self.world.share(person, recipient, **keywords)
        stream = recipient.receive()
        self.recipients.append(recipient)
        stream.acknowledge(stream.delivery(shared.disclosure_id))
        self.shared[name], self.people[name] = shared, person
        return person, shared, stream

    def same(self, name, other=False, **columns):
        person, _, _ = self.add(name)
        if other:
            person = self.people[f"{name} neighbour"] = self.world.person()
        if columns:
            change(self.world, person, **columns)

    def ended(self):
        """Delivered, and over before the change."""
        person, shared, stream = self.add("an ended disclosure", starts_in=-60, lasts=64)
        stream.withdrawal(shared.disclosure_id, timeout=20)
        change(self.world, person, door_code="too-late")

    def later(self):
        """`entry`, with the door code, is due in a while: it comes once, with what holds then."""
        person, shared, stream = self.add("a release that is due later", service="staged", starts_in=30, lasts=60)
        change(self.world, person, door_code="before-it-was-due")

    def act(self):
        people = self.people
        say_changed(self.world, people["the same value"], "client", people["the same value"].subject_id, "door_code", "district")
        with self.world.sandbox.connect(autocommit=False) as connection, connection.cursor() as cursor:
            person = people["changed back at once"]
            for code in ("another", person.value("client.door_code")):
                cursor.execute("UPDATE company.client SET door_code = %s WHERE subject_id = %s", (code, person.subject_id))
        connection.close()
        person = people["a column of the same name elsewhere"]
        say_changed(self.world, person, "contract", person.subject_id, "door_code")
        person = people["a booking that is another"]
        say_changed(self.world, person, "booking", people["the same value"].booking_id, "tasks")
        # Against the contract: no worker must fall over it.
        self.world.sandbox.query("INSERT INTO share.change_queue (subject_id, source, key, columns) VALUES ('', '', '', '{}'),"
                                 " (%s, 'client', %s, ARRAY[NULL, 'door_code', NULL])", *[people["the same value"].subject_id] * 2)


@pytest.fixture(scope="module")
def nothing(one):
    return Nothing(one)


@pytest.mark.parametrize("name", ["a column that was not sent", "another client's", "the same value", "changed back at once",
                                  "a column of the same name elsewhere", "a booking that is another", "an ended disclosure"])
def test_a_change_that_changes_nothing_that_was_sent_leads_to_no_delivery(nothing, name):
    assert delivered(nothing.world, nothing.shared[name].disclosure_id) == ["NEW"]


def test_a_release_that_is_due_after_the_change_is_delivered_once(nothing):
    shared = nothing.shared["a release that is due later"]
    with nothing.recipients[-1].device("of-this-test").receive() as stream:
        delivery = stream.delivery(shared.disclosure_id, "entry", timeout=60)
        assert values(delivery) == {"client.door_code": "before-it-was-due"}
        stream.acknowledge(delivery)
    assert delivered(nothing.world, shared.disclosure_id, "planning") == ["NEW"]
    # The stream of before, which ended with the test before, may have been sent it already.
    assert delivered(nothing.world, shared.disclosure_id, "entry") in (["NEW"], ["NEW", "REPEATED"])


# ---- the queue


def test_a_flood_of_changes_of_clients_whom_nobody_serves_is_gone_at_once(one):
    """Pages follow one another without a pause, and nothing that was sent can have read what changed: no second look."""
    one.sandbox.query("UPDATE company.client SET door_code = door_code || '+' WHERE subject_id ~ '^C000[0-9]{3}$' AND door_code IS NOT NULL")
    one.sandbox.query("UPDATE company.client SET phone = phone || '0', email = 'e' || email WHERE subject_id ~ '^C000[0-9]{3}$'")
    until(lambda: one.sandbox.query("SELECT count(*) FROM share.change_queue")[0][0] == 0, 12, "the change queue, empty")


def test_a_right_that_is_missing_is_said_and_nothing_is_lost(one):
    person, recipient = one.person(), one.recipient()
    with sent(one, person, recipient) as (shared, stream):
        one.sandbox.query("REVOKE SELECT, DELETE ON share.change_queue FROM needtoknow_source")
        try:
            until(lambda: metric(one, "corrections_stopped"), 20, "the metric")
            assert "share.change_queue cannot be read" in one.sandbox.log()
            change(one, person, door_code="unseen")
        finally:
            one.sandbox.query("GRANT SELECT ON share.change_queue TO needtoknow_source")
        again = stream.delivery(shared.disclosure_id, skip=1, timeout=30)
        assert again.cause == CORRECTED and values(again)["client.door_code"] == "unseen"
        stream.acknowledge(again)
        until(lambda: "share.change_queue cannot be removed from" in one.sandbox.log(), TWICE, "what is still missing, in the log")
        assert queued(one, person)
        one.sandbox.query("GRANT DELETE ON share.change_queue TO needtoknow_source")
        until(lambda: not metric(one, "corrections_stopped"), 30, "the metric")
    expect(one, shared, "NEW", "CORRECTED")


def test_a_source_that_is_away_is_waited_for(one):
    person, recipient = one.person(), one.recipient()
    with sent(one, person, recipient) as (shared, stream):
        one.sandbox.query("ALTER ROLE needtoknow_source CONNECTION LIMIT 0")
        try:
            one.sandbox.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'needtoknow_source'")
            change(one, person, door_code="while-it-was-away")
        finally:
            one.sandbox.query("ALTER ROLE needtoknow_source CONNECTION LIMIT -1")
        again = stream.delivery(shared.disclosure_id, skip=1, timeout=40)
        assert again.cause == CORRECTED and values(again)["client.door_code"] == "while-it-was-away"
        stream.acknowledge(again)


def test_one_view_that_cannot_be_read_holds_back_its_own_corrections_alone(one):
    """The bookings' view is locked; the client's go on, and the booking's follows."""
    person, neighbour = one.person(), one.person()
    with sent(one, person, one.recipient()) as (shared, stream), sent(one, neighbour, one.recipient(), service="contact") as (other, also):
        with one.sandbox.connect(autocommit=False) as connection, connection.cursor() as cursor:
            change(one, person, tasks="Behind a lock")
            change(one, neighbour, email="autre@courriel.example")
            cursor.execute("LOCK TABLE company.booking IN ACCESS EXCLUSIVE MODE")
            again = also.delivery(other.disclosure_id, skip=1, timeout=30)
            assert again.cause == CORRECTED and len(stream.deliveries()) == 1
            also.acknowledge(again)
        connection.close()
        again = stream.delivery(shared.disclosure_id, skip=1, timeout=30)
        assert again.cause == CORRECTED and values(again)["booking.tasks"] == "Behind a lock"
        stream.acknowledge(again)


# ---- in between


def last_query(world):
    """When the daemon last read from the company's views."""
    return world.sandbox.query("SELECT max(query_start) FROM pg_stat_activity WHERE application_name = 'needtoknow source'"
                               " AND query LIKE '%%share%%'")[0][0]


def test_a_delivery_that_read_the_old_value_and_is_recorded_later_is_corrected(one):
    """It reads, then its train waits for the ledger's lock; the change is looked at meanwhile, when nothing was sent yet."""
    person, recipient = one.person(), one.recipient()
    with sent(one, one.person(), recipient):
        pass  # its device is known, and the views' connections are warm
    shared = one.share(person, recipient)
    before, waiting = last_query(one), metric(one, "changes_waiting")
    with one.sandbox.connect(autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT FROM needtoknow.head FOR UPDATE")
        stream = recipient.receive()
        until(lambda: last_query(one) > before, 4, "the delivery's reading", every=0.02)
        change(one, person, door_code="after-it-was-read")
        until(lambda: metric(one, "changes_waiting") > waiting, 4, "the first look")
    connection.close()
    with stream:
        first = stream.delivery(shared.disclosure_id, timeout=20)
        assert (first.cause, values(first)["client.door_code"]) == (NEW, person.value("client.door_code"))
        stream.acknowledge(first)
        again = stream.delivery(shared.disclosure_id, skip=1, timeout=TWICE)
        assert (again.cause, values(again)["client.door_code"]) == (CORRECTED, "after-it-was-read")
        stream.acknowledge(again)
    expect(one, shared, "NEW", "CORRECTED")


def test_nobody_was_corrected_twice(one):
    until(lambda: not one.sandbox.query("SELECT count(*) FROM share.change_queue")[0][0], TWICE, "the change queue, empty")
    for disclosure_id, reasons in one.expected.items():
        assert delivered(one, disclosure_id) == reasons


def test_two_workers_correct_once(two):
    people = [two.person() for _ in range(20)]
    recipients = [two.recipient() for _ in people]
    shared = [two.share(*each) for each in zip(people, recipients)]
    streams = [recipient.receive() for recipient in recipients]
    for each, stream in zip(shared, streams):
        stream.acknowledge(stream.delivery(each.disclosure_id))
    changing = threading.Thread(target=lambda: [change(two, person, door_code=f"code-{number}")
                                                for number, person in enumerate(people)])
    changing.start()
    changing.join(30)
    for number, (each, stream) in enumerate(zip(shared, streams)):
        again = stream.delivery(each.disclosure_id, skip=1, timeout=30)
        assert again.cause == CORRECTED and values(again)["client.door_code"] == f"code-{number}"
        stream.acknowledge(again)
    settled(two, *people)
    for each, stream in zip(shared, streams):
        assert delivered(two, each.disclosure_id) == ["NEW", "CORRECTED"]
        stream.close()
