"""The sweeper: what is over ends when its time comes, by PostgreSQL's clock, among 100,000 live disclosures; caught up with in order."""

import os
import re
import signal
import statistics
import time

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

LIVE = 100_000
PAGE = 256  # ended in one train at most, src/service/sweeper.c


@pytest.fixture(scope="module")
def crowd():
    """A hundred thousand that live for a month, of 1,000 recipients that are never connected."""
    world = World.up()
    fill(world, LIVE)
    yield world
    world.down()


@pytest.fixture(scope="module")
def pair():
    world = World.up(workers=2)
    yield world
    world.down()


def fill(world, count):
    """As Share writes them, but for their entries: `at-once` is service of the policy in force."""
    subject = world.person()
    world.share(subject, world.recipient())
    world.sandbox.query(
        "INSERT INTO needtoknow.disclosure (disclosure_id, subject_id, booking_id, recipient_id, service, policy_number, state, starts_at,"
        " ends_at, expires_at, created_at, request_digest, shared_index)"
        " SELECT gen_random_uuid(), %s, %s, 'crowd-' || n %% 1000, 'at-once', (SELECT max(policy_number) FROM needtoknow.policy), 1,"
        " now(), now() + interval '30 days', now() + interval '30 days' + n * interval '1 ms', now(), decode(repeat('00', 16), 'hex'), -n"
        " FROM generate_series(1, %s) AS n", subject.subject_id, subject.booking_id, count)
    world.sandbox.query(
        "INSERT INTO needtoknow.due (recipient_id, device, due_at, disclosure_id, release)"
        " SELECT recipient_id, '', created_at, disclosure_id, 0 FROM needtoknow.disclosure WHERE recipient_id LIKE 'crowd-%%'")


def expired(world, from_index=0):
    """{disclosure: when its EXPIRED entry was recorded}, in the ledger's order"""
    found = ledger.of_kind(ledger.entries(world.sandbox, from_index), "EXPIRED")
    return {entry.disclosure_id: protos.seconds(entry.recorded_at) for _, entry in found}


def lateness(world, shared, timeout=40):
    """Sorted, in seconds, once all of them have expired"""
    until(lambda: {each.disclosure_id for each in shared} <= set(expired(world)), timeout, "every expiry", every=0.3)
    ends = expired(world)
    return sorted(ends[each.disclosure_id] - protos.seconds(each.expires_at) for each in shared)


def figures(world, name):
    """{worker: value} of one metric"""
    return {int(worker): int(value) for worker, value in re.findall(rf'(?m)^{name}{{worker="(\d+)"}} (\d+)$', world.sandbox.metrics())}


def on_time(measure):
    """Half of them as the promise says. In one of three rounds: the machine does other things, too.

    What a look costs is not seen here but by what it reads, below and in test_plans: that is the same on a busy machine.
    """
    for _ in range(3):
        late = sorted(measure())
        print(f"late by {statistics.median(late) * 1000:.1f} ms (median), {late[-1] * 1000:.1f} ms (worst) of {len(late)}")
        assert late[0] >= 0, "before its time"
        assert late[-1] < 5, late
        if statistics.median(late) < 0.1:
            return
    raise AssertionError(late)


def test_p4_expiry_is_on_time_among_100_000_live_disclosures(crowd):
    recipient, person = crowd.recipient(), crowd.person()
    on_time(lambda: lateness(crowd, [crowd.share(person, recipient, starts_in=0, lasts=3 + number * 0.03) for number in range(60)]))


def test_p4_many_that_expire_at_one_moment_end_together(crowd):
    recipient, person = crowd.recipient(), crowd.person()

    def measure():
        moment = time.time() + 4
        requests = [moved(crowd.share_request(person, recipient, starts_in=0), moment) for _ in range(100)]
        return lateness(crowd, [crowd.booking.sharing.Share(request, timeout=10).disclosure for request in requests])
    on_time(measure)


def moved(request, ends_at):
    request.ends_at.CopyFrom(protos.timestamp(ends_at))
    return request


def test_due_releases_are_on_time_among_100_000_live_disclosures(crowd):
    recipient, person = crowd.recipient(), crowd.person()

    def measure():
        with recipient.receive(max_unacknowledged=1024) as stream:
            shared = [crowd.share(person, recipient, "staged", starts_in=5 + number * 0.1, lasts=60) for number in range(20)]
            for disclosure in shared:
                due = {release.name: protos.seconds(release.due_at) for release in disclosure.releases}
                for name in ("visit", "entry"):
                    delivery = stream.delivery(disclosure.disclosure_id, name, 30)
                    yield protos.seconds(delivery.receipt.recorded_at) - due[name]
            stream.acknowledge(*stream.deliveries())
    on_time(measure)


def test_it_is_cheap_when_idle(crowd):
    """A statement a second looks for what has expired, and one for recipients."""
    before = figures(crowd, "needtoknow_sweeps_total")[1]
    began = time.monotonic()
    until(lambda: time.monotonic() > began + 5, 10, every=0.5)
    asked = figures(crowd, "needtoknow_sweeps_total")[1] - before
    assert 4 <= asked <= 4 * (time.monotonic() - began), asked


def rows_read(world):
    """Of what is shared, by every statement so far whose figures PostgreSQL has: a second or so late."""
    ((rows,),) = world.sandbox.query(
        "SELECT (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relid = 'needtoknow.disclosure'::regclass)"
        " + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relid = 'needtoknow.disclosure'::regclass)")
    return int(rows)


def test_what_the_sweeper_reads_when_idle_does_not_grow_with_what_lives(crowd):
    """A hundred recipients are suspended, and as many without an agreement, of whom nothing lives."""
    crowd.sandbox.query(
        "INSERT INTO needtoknow.recipient (recipient_id, kind, display_name, services, agreement_ref, agreement_from, agreement_until,"
        " deliver_to, suspended, changed_index)"
        " SELECT 'idle-' || n, 1, '', '{}', '', now() - interval '2 days', now() - n %% 2 * interval '1 day' + interval '1 hour',"
        " 1, n %% 2 = 0, 0"
        " FROM generate_series(1, %s) AS n", 200)
    looks = lambda: figures(crowd, "needtoknow_sweeps_total")[1]
    start = looks()
    until(lambda: looks() > start + 4, 20, "what was read before, in the figures", every=0.5)
    before, start = rows_read(crowd), looks()
    until(lambda: looks() > start + 20, 60, "twenty looks", every=0.5)
    assert rows_read(crowd) - before < LIVE / 100


def test_p4_what_expired_during_an_outage_is_caught_up_with_in_order_while_others_are_served(crowd):
    sandbox, count = crowd.sandbox, 3000
    recipient, person = crowd.recipient(), crowd.person()
    sandbox.kill()
    from_index = ledger.size(sandbox)
    moved_rows = sandbox.query(
        "WITH c AS (SELECT disclosure_id, row_number() OVER (ORDER BY disclosure_id) AS n FROM needtoknow.disclosure"
        " WHERE state = 1 AND recipient_id LIKE 'crowd-%%' ORDER BY disclosure_id LIMIT %s)"
        " UPDATE needtoknow.disclosure AS d SET expires_at = clock_timestamp() - c.n * interval '1 ms' FROM c"
        " WHERE d.disclosure_id = c.disclosure_id RETURNING d.disclosure_id::text, d.expires_at", count)
    order = [disclosure_id for disclosure_id, _ in sorted(moved_rows, key=lambda row: row[1])]
    sandbox.start()
    began = time.monotonic()
    shared = crowd.wait_sharing(person, recipient)
    assert time.monotonic() - began < 5, "a Share waits for its place in a train, not for the end of the arrears"
    until(lambda: len(expired(crowd, from_index)) >= count, 60, "the arrears", every=0.3)
    assert [each for each in expired(crowd, from_index) if each in set(order)] == order
    rows = sandbox.query("SELECT max(count) FROM needtoknow.ledger WHERE first_index >= %s AND (kinds >> 8) & 1 = 1", from_index)
    assert rows[0][0] <= 2 * PAGE, "a page a train, and room for others beside it"
    assert [delivery.disclosure_id for delivery in recipient.drain()] == [shared.disclosure_id]


def test_p4_one_worker_sweeps_and_what_is_shared_at_any_is_on_time(pair):
    recipient, person = pair.recipient(), pair.person()
    callers = [pair.sandbox.new_client("booking") for _ in range(6)]
    before = figures(pair, "needtoknow_expiries_total")
    shared = []

    def measure():
        """Shared for half a second or so, at both workers: the one that sweeps may not have looked meanwhile."""
        mine = []
        for number in range(30):
            request = moved(pair.share_request(person, recipient, starts_in=0), time.time() + 0.4 + number % 6 * 0.1)
            mine.append(callers[number % 6].sharing.Share(request, timeout=10).disclosure)
        shared.extend(mine)
        return lateness(pair, mine)
    on_time(measure)

    def swept():
        return {worker: value - before[worker] for worker, value in figures(pair, "needtoknow_expiries_total").items()}
    until(lambda: sum(swept().values()) >= len(shared), 10, "the figures")
    assert len(swept()) == 2 and 0 in swept().values(), swept()
    for caller in callers:
        caller.close()


def test_p4_when_the_worker_that_sweeps_dies_another_does(pair):
    recipient, person = pair.recipient(), pair.person()
    for pid in pair.sandbox.workers():
        shared = pair.wait_sharing(person, recipient)
        pair.sandbox.query("UPDATE needtoknow.disclosure SET expires_at = clock_timestamp() + interval '2 s' WHERE disclosure_id = %s",
                           shared.disclosure_id)
        os.kill(pid, signal.SIGKILL)
        until(lambda: shared.disclosure_id in expired(pair), 30, "the expiry", every=0.3)
        pair.sandbox.wait_serving()
