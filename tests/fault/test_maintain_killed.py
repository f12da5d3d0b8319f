"""Maintenance that is killed anywhere, or runs while deliveries do: the next run ends what it began, and nothing else is disturbed."""

import os
import threading
import time

import grpc
import psycopg2
import pytest

from needtoknow_testing.owner import PARTITION, TILE, Scratch, maintain
from needtoknow_testing.retention import await_pruned, await_tiles, expire, fill, forgetful_policy, pruned
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

STEPS = ["maintain.added", "maintain.detached", "maintain.bodies:2", "maintain.slices", "maintain.cleared"]


@pytest.fixture
def scratch(world):
    scratch = Scratch(world.sandbox)
    yield scratch
    scratch.close()


def furnish(scratch):
    """Something to do for every step."""
    scratch.policy(disclosures="30d")
    scratch.append(10, first=0, age="40 d", recipient="sparkle")
    for number in range(600):
        scratch.append(1, first=PARTITION + number, age="40 d", recipient=f"r{number % 3}")
    scratch.append(1)
    scratch.disclosure(shared=1, ended=5)
    scratch.reference(7)
    scratch.prune(PARTITION + 512)


def state(scratch):
    return (scratch.rows(), scratch.partitions(), scratch.query("SELECT * FROM needtoknow.recipient_slice ORDER BY 1, 2"),
            scratch.query("SELECT subject_id, booking_id FROM needtoknow.disclosure"), scratch.query("SELECT * FROM needtoknow.entry_reference"),
            scratch.query("SELECT relname FROM pg_class WHERE relnamespace = 'needtoknow'::regnamespace ORDER BY 1"))


@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_was_killed_is_gone_on_with_by_the_next(world, scratch, step):
    furnish(scratch)
    done = scratch.maintain(environment={**os.environ, "NEEDTOKNOW_STOP_AT": step}, check=False)
    assert done.returncode == -9, f"{step} was not passed: {done.stdout}{done.stderr}"
    half = state(scratch)
    scratch.maintain()
    ended = state(scratch)
    assert half != ended, "nothing was left to do"
    assert ended[0] == [(PARTITION + number, 1) for number in range(512, 601)]
    assert ended[1] == [(number * PARTITION, (number + 1) * PARTITION) for number in range(1, 4)]
    assert [first for _, first, *_ in sorted(ended[2], key=lambda row: row[1])] == list(range(PARTITION + 512, PARTITION + 600))
    assert ended[3] == [(None, None)] and ended[4][0][2:4] == (None, None)
    assert ("ledger_0",) not in ended[5]


def test_a_detaching_that_was_cut_short_is_finished(world, scratch):
    """DETACH ... CONCURRENTLY waits for whoever uses the partition; killed then, it leaves the partition pending."""
    furnish(scratch)
    holder = psycopg2.connect(scratch.uri)
    with holder.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM needtoknow.ledger")
        pending = "SELECT count(*) FROM needtoknow.ledger_partition WHERE leaving"
        run = threading.Thread(target=lambda: scratch.maintain(check=False))
        run.start()
        until(lambda: scratch.value(pending) == 1, 30, "a partition that is about to leave")
        scratch.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%%CONCURRENTLY'"
                      " AND pid <> pg_backend_pid()")
        run.join(60)
    holder.close()
    assert scratch.value(pending) == 1
    scratch.append(1)
    scratch.maintain()
    assert scratch.partitions()[0] == (PARTITION, 2 * PARTITION)
    assert scratch.value("SELECT to_regclass('needtoknow.ledger_0')") is None


@pytest.fixture
def forgetful_world():
    world = World.up(forgetful_policy())
    yield world
    world.down()


def test_nothing_is_pruned_while_signing_has_stopped(forgetful_world):
    """What is not signed may be a damaged ledger: what tells of the damage stays."""
    world, sandbox = forgetful_world, forgetful_world.sandbox
    live = world.share(world.person(), world.recipient(), service="staged", starts_in=3000, lasts=600)
    fill(world, 3 * TILE)
    goal = await_tiles(world)
    seen = sandbox.directory / "state" / "checkpoint"
    until(lambda: int(seen.read_text().splitlines()[1]) >= goal, 10, "the checkpoint in state_dir")
    sandbox.kill()
    note = seen.read_text()
    seen.write_text("nonsense\n")
    sandbox.start()
    until(lambda: 'needtoknow_signing_stopped{worker="1"} 1' in sandbox.metrics(), 15, "signing to stop")
    expire(world, live.disclosure_id)
    sandbox.wait_until(sandbox.database_now() + 4)  # two looks and more
    assert pruned(world) < TILE
    seen.write_text(note)
    await_pruned(world, goal)


class Customers(threading.Thread):
    """Share, receive and acknowledge, one after the other, until they are told to stop."""

    def __init__(self, world):
        super().__init__()
        self.world, self.person, self.recipient = world, world.person(), world.recipient()
        self.stopped, self.failures, self.times = threading.Event(), [], []

    def run(self):
        while not self.stopped.is_set():
            began = time.monotonic()
            try:
                self.world.share(self.person, self.recipient)
                self.recipient.acknowledge(*self.recipient.drain())
            except (grpc.RpcError, AssertionError) as error:
                self.failures.append(error)
            self.times.append(time.monotonic() - began)


def test_deliveries_go_on_while_maintenance_runs(forgetful_world):
    """Bodies are removed by the thousand and partitions come and go, and nobody's call fails or waits for it."""
    world, sandbox = forgetful_world, forgetful_world.sandbox
    for _ in range(4):
        fill(world, 4 * TILE)
    await_pruned(world, await_tiles(world))
    world.check()
    customers = [Customers(world) for _ in range(3)]
    for customer in customers:
        customer.start()
    try:
        said = maintain(sandbox).stdout
        end = sandbox.query("SELECT max(ends) / %s FROM needtoknow.ledger_partition", PARTITION)[0][0]
        for number in range(end, end + 4):
            sandbox.query("SELECT needtoknow.add_partition(%s)", number)
            sandbox.query(f"ALTER TABLE needtoknow.ledger DETACH PARTITION needtoknow.ledger_{number} CONCURRENTLY")
            maintain(sandbox, "--dry-run")
        maintain(sandbox)
        served = [len(customer.times) for customer in customers]
        until(lambda: all(len(customer.times) > before for customer, before in zip(customers, served)), 20, "one more delivery each")
    finally:
        for customer in customers:
            customer.stopped.set()
        for customer in customers:
            customer.join(60)
    assert int(said.split("bodies: ")[1].split()[0]) >= 12 * TILE, said
    assert [customer.failures for customer in customers] == [[], [], []]
    assert max(max(customer.times) for customer in customers) < 10
    world.check()
