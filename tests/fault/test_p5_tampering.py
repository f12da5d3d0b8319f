"""
P5: whoever holds an earlier checkpoint and the verifier key detects, offline, whatever was done to the ledger, and learns where. Each kind
is tried on a copy of a real ledger by a superuser with every trigger off, who may also have made the daemon forget what it signed.
"""

import os
import re
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import psycopg2
import pytest

from needtoknow_testing import company, policy
from needtoknow_testing.impostor import Impostor, run_needtoknow
from needtoknow_testing.merkle import leaf_hash
from needtoknow_testing.sandbox import alive
from needtoknow_testing.tampering import TILE, Tampering, forged, publish
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

BOOKINGS = 230  # three entries each: two full tiles, and a tail that is not in one
INDEX, OTHER = 300, 411  # both in the second tile, and not at its edge
COPY = "p5_copy"


# ---- a real ledger, and what is kept of it outside ----

@dataclass
class Original:
    world: World
    directory: Path
    earlier: Path  # a checkpoint
    earlier_size: int
    exported: Path  # the tiles of that time, too, where an auditor keeps more than the checkpoint
    size: int
    state: Path  # what the daemon remembers
    first: tuple  # size and note of its first checkpoint

    @property
    def sandbox(self):
        return self.world.sandbox


def book(world, recipient, count):
    for _ in range(count):
        world.share(company.person(world.sandbox), recipient)
    deliveries = recipient.drain()
    assert len(deliveries) == count
    recipient.acknowledge(*deliveries)


def published(sandbox):
    """The last checkpoint's size, once it covers the ledger."""
    def covered():
        [(size, head)] = sandbox.query("SELECT (SELECT max(size) FROM needtoknow.checkpoint), (SELECT size FROM needtoknow.head)")
        return size if size == head else None
    return until(covered, 20, "a checkpoint of the whole ledger")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    world = World.up(policy.testing_policy())
    sandbox, directory = world.sandbox, world.sandbox._around / "p5"
    directory.mkdir()
    recipient = world.recipient()
    book(world, recipient, 10)
    published(sandbox)
    [first] = sandbox.query("SELECT size, note FROM needtoknow.checkpoint ORDER BY size DESC LIMIT 1")
    book(world, recipient, BOOKINGS - 10)
    published(sandbox)
    exported, earlier = directory / "exported", directory / "earlier"
    status, said = run_needtoknow(sandbox, sandbox.address, "audit", "export-tiles", exported, "--vkey", sandbox.vkey)
    assert status == 0, said
    shutil.copyfile(exported / "checkpoint", earlier)
    book(world, recipient, 10)
    size = published(sandbox)
    world.check()
    world.close_clients()
    # A last checkpoint is signed on the way out; whatever it is, the copies have it.
    os.kill(sandbox.pid, signal.SIGTERM)
    until(lambda: not alive(sandbox.pid), 20, "the daemon's end")
    state = directory / "state"
    shutil.copytree(sandbox.config.parent / "state", state)
    yield Original(world, directory, earlier, int(earlier.read_text().split("\n")[1]), exported, size, state, first)
    world.down()


@pytest.fixture
def copy(original):
    """A function that opens a connection to a copy of the ledger's database. It is gone afterwards."""
    sandbox = original.sandbox
    sandbox.disconnect()

    def connect(database, autocommit):
        connection = psycopg2.connect(sandbox.pguri.replace("/company?", f"/{database}?"))
        connection.autocommit = autocommit
        return connection

    def administer(statement):
        connection = connect("postgres", True)
        try:
            connection.cursor().execute(statement)
        finally:
            connection.close()

    administer(f"CREATE DATABASE {COPY} TEMPLATE company")
    administer(f"REVOKE TEMPORARY ON DATABASE {COPY} FROM PUBLIC")  # as of the original: that is not copied
    yield lambda: connect(COPY, False)
    administer(f"DROP DATABASE {COPY} WITH (FORCE)")


# ---- kinds of tampering ----

def body_changed(tampering, _):
    tampering.change_body(INDEX)


def tail_body_changed(tampering, original):
    tampering.change_body(tail(original))


def leaf_changed(tampering, _):
    tampering.change_leaf(INDEX, leaf_hash(b"something else"))


def body_and_leaf_changed(tampering, _):
    tampering.change_leaf(INDEX, leaf_hash(tampering.change_body(INDEX)))


def removed(tampering, _):
    rows = tampering.rows()
    row, place = tampering.place(rows, INDEX)
    del row.bodies[place]
    tampering.write(rows)


def removed_with_a_gap(tampering, _):
    rows = tampering.rows()
    firsts = [sum(len(row.bodies) for row in rows[:number]) for number in range(len(rows))]
    row, place = tampering.place(rows, INDEX)
    del row.bodies[place]
    tampering.write(rows, firsts)


def inserted(tampering, _):
    rows = tampering.rows()
    row, place = tampering.place(rows, INDEX)
    row.bodies.insert(place, forged(row.bodies[place]))
    tampering.write(rows)


def swapped(tampering, _):
    rows = tampering.rows()
    (one, here), (other, there) = tampering.place(rows, INDEX), tampering.place(rows, OTHER)
    one.bodies[here], other.bodies[there] = other.bodies[there], one.bodies[here]
    tampering.write(rows)


def truncated(tampering, original):
    rows = tampering.rows()
    while sum(len(row.bodies) for row in rows) > original.first[0]:
        rows.pop()
    tampering.write(rows)
    tampering.rehash(rows)
    tampering.forget_checkpoints(original.first[0] + 1)


def removed_and_rehashed(tampering, _):
    removed(tampering, _)
    tampering.rehash(tampering.rows())
    tampering.forget_checkpoints(INDEX)


def rewritten(tampering, _, length=0):
    rows = tampering.rows()
    for row in rows:
        row.bodies = [forged(body, actor="spiffe://maison-claire.example/booking/somebody-else") for body in row.bodies]
    last = rows[-1].bodies
    while sum(len(row.bodies) for row in rows) < length:
        last.append(forged(last[-1], actor=f"spiffe://maison-claire.example/booking/{len(last)}"))
    tampering.write(rows)
    tampering.rehash(rows)
    tampering.forget_checkpoints(0)


def rewritten_past_what_was_signed(tampering, original):
    """So far that the tiles, from which a signer goes on, reach beyond it."""
    rewritten(tampering, original, (original.size // TILE + 1) * TILE + 20)


def replayed(tampering, original):
    tampering.forget_checkpoints(original.first[0] + 1)


def head_moved(tampering, original):
    rows = tampering.rows()
    tampering.move_head([leaf_hash(body) for row in rows for body in row.bodies] + [leaf_hash(b"one more")])


def head_moved_back(tampering, original):
    rows = tampering.rows()
    tampering.move_head([leaf_hash(body) for row in rows for body in row.bodies][:original.earlier_size - 1])


def tail(original):
    """An entry of the earlier checkpoint's that was in no full tile, and is in none now."""
    assert original.size // TILE == original.earlier_size // TILE
    return original.earlier_size - 2


# ---- what has to be noticed ----

@dataclass
class Exactly:
    """The message names the entry."""
    index: object

    def holds(self, said, original):
        return self.of(original) in numbers(said)

    def of(self, original):
        return self.index(original) if callable(self.index) else self.index


class Around(Exactly):
    """Hashes cannot tell more than that it is one between two entries, and the message names both."""

    def holds(self, said, original):
        index = self.of(original)
        return any(low <= index <= high for low, high in re.findall(r"(\d+) (?:to|and size|entries, now it has) (\d+)", said)
                   for low, high in [sorted((int(low), int(high)))])


REFUSED, UNTOUCHED = "the service refuses a checkpoint", "nothing that is shown was touched"


def numbers(said):
    return {int(number) for number in re.findall(r"\b\d+\b", said)}


@dataclass
class Kind:
    tamper: Callable
    offline: object  # what is said of the static directory by whoever has an earlier checkpoint alone
    live: object  # what is said of the service, whose daemon was made to forget
    stops: bool = False  # a daemon that has not forgotten signs nothing any more
    signs: bool = False  # one that has, signs the forged ledger, and its note is handed out
    kept: object = None  # what is said of the directory by whoever has kept the tiles of the earlier time as well


def first_size(original):
    return original.first[0]


KINDS = {kind.tamper.__name__: kind for kind in (
    Kind(body_changed, Exactly(INDEX), Around(INDEX)),
    Kind(tail_body_changed, Around(tail), REFUSED, stops=True, kept=Exactly(tail)),
    Kind(leaf_changed, Exactly(INDEX), UNTOUCHED),
    Kind(body_and_leaf_changed, Around(INDEX), Around(INDEX), kept=Exactly(INDEX)),
    Kind(removed, Exactly(INDEX), REFUSED, stops=True),
    Kind(removed_with_a_gap, Exactly(INDEX), Around(INDEX)),
    Kind(inserted, Exactly(INDEX), REFUSED, stops=True),
    Kind(swapped, Exactly(INDEX), Around(INDEX)),
    Kind(truncated, Exactly(first_size), Around(first_size), stops=True),
    Kind(removed_and_rehashed, Around(INDEX), Around(INDEX), stops=True, signs=True, kept=Exactly(INDEX)),
    Kind(rewritten, Around(0), Around(0), stops=True, signs=True, kept=Exactly(0)),
    Kind(rewritten_past_what_was_signed, Around(0), Around(0), stops=True, signs=True, kept=Exactly(0)),
    Kind(replayed, Exactly(first_size), UNTOUCHED),
    Kind(head_moved, UNTOUCHED, REFUSED, stops=True),
    Kind(head_moved_back, UNTOUCHED, REFUSED, stops=True),
)}


def kinds(wanted=lambda kind: True):
    return pytest.mark.parametrize("kind", [pytest.param(kind, id=name) for name, kind in KINDS.items() if wanted(kind)])


@pytest.fixture
def tampered(kind, original, copy):
    """The copy after it was tampered with: a function that connects to it."""
    with Tampering(copy()) as tampering:
        kind.tamper(tampering, original)
    return copy


def impostor(original, tmp_path, state):
    return Impostor(original.sandbox, COPY, original.directory / f"impostor-{tmp_path.name}", state)


def judge(outcome, expected, original):
    status, said = outcome
    if expected == UNTOUCHED:
        assert status == 0, said
    else:
        assert status != 0, f"it verifies: {said}"
        if expected != REFUSED:
            assert expected.holds(said, original), f"{expected.of(original)} is not named: {said}"


# ---- the promises ----

def test_an_original_verifies(original):
    """What the others are compared with: without tampering there is nothing to find."""
    directory = original.directory / "untampered"
    connection = psycopg2.connect(original.sandbox.pguri)
    publish(connection, directory)
    connection.close()
    status, said = verify(original, "--tiles", directory, "--since", original.earlier)
    assert status == 0, said
    assert original.earlier_size in numbers(said)


def verify(original, *words, address="unix:nobody"):
    return run_needtoknow(original.sandbox, address, "audit", "verify", "--vkey", original.sandbox.vkey, *words)


@kinds()
def test_an_earlier_checkpoint_and_the_key_are_enough_offline(kind, original, tampered, tmp_path):
    """Nothing of the service is asked: the directory is what whoever tampered hands out."""
    if kind.signs:
        with impostor(original, tmp_path, state=None) as daemon:
            until(lambda: daemon.checkpoint()[0], 20, "a checkpoint of the forged ledger")
    directory = tmp_path / "handed-out"
    connection = tampered()
    publish(connection, directory)
    connection.close()
    judge(verify(original, "--tiles", directory, "--since", original.earlier), kind.offline, original)
    if kind.kept:
        judge(verify(original, "--tiles", directory, "--since", original.exported / "checkpoint"), kind.kept, original)


@kinds()
def test_a_service_over_it_is_found_out(kind, original, tampered, tmp_path):
    """Even when the daemon was made to forget what it signed."""
    with impostor(original, tmp_path, state=None) as daemon:
        if kind.live == REFUSED:
            until(lambda: daemon.checkpoint()[1] == "SIGNING_STOPPED", 20, "the end of signing")
        elif kind.signs:
            until(lambda: daemon.checkpoint()[0], 20, "a checkpoint of the forged ledger")
        judge(verify(original, "--since", original.earlier, address=daemon.address), kind.live, original)


@kinds(lambda kind: kind.stops)
def test_a_daemon_that_remembers_signs_nothing_any_more(kind, original, tampered, tmp_path):
    with impostor(original, tmp_path, state=original.state) as daemon:
        until(lambda: daemon.checkpoint()[1] == "SIGNING_STOPPED", 20, "the end of signing")
        connection = tampered()
        with connection.cursor() as cursor:
            cursor.execute("SELECT size FROM needtoknow.checkpoint WHERE signed_at > %s", (daemon.started_at,))
            assert cursor.fetchall() == [], "something was signed all the same"
        connection.close()
        assert "no checkpoint is signed" in daemon.log() or "Nothing is signed" in daemon.log()


@kinds(lambda kind: kind.tamper is leaf_changed)
def test_a_proof_over_a_changed_leaf_is_not_handed_on(kind, original, tampered, tmp_path):
    """The service shows leaves in its proofs alone: that of the neighbour has this one in it."""
    with impostor(original, tmp_path, state=None) as daemon:
        proof = tmp_path / "proof"
        status, said = run_needtoknow(original.sandbox, daemon.address, "audit", "prove", INDEX ^ 1, "--out", proof,
                                      "--vkey", original.sandbox.vkey)
        assert status != 0 and list(tmp_path.glob("proof*")) == [], said
