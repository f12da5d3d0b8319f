"""P3 No copies: after values were delivered they are nowhere on the daemon's side."""

import os
import subprocess
from pathlib import Path

import pytest

from needtoknow_testing.paths import POSTGRES_BIN
from needtoknow_testing.refusal import refusal
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World
from needtoknow_testing import protos, rights

REFUSED_VALUE = "refused-by-the-company-4711"


@pytest.fixture(scope="module")
def plain_world():
    """A build without sanitizers: a core of one with them is mostly shadow memory."""
    world = World.up(preset="plain", config=lambda text: text.replace("log_level: info", "log_level: debug"))
    yield world
    world.down()


def asked_for(world, owner):
    """Registered, put right and told to the client: what went in and out for the privacy desk."""
    typed = []
    for _ in range(20):
        token = os.urandom(8).hex()
        columns = {"client.given_name": f"Aude-{token}", "client.family_name": f"Vigie-{token}", "client.phone": "01 99 00 12 34",
                   "client.email": f"aude.{token}@courriel.example", "client.home_address": f"{token} rue Neuve, 44000 Nantes"}
        _, answer = rights.register(world, columns)
        code = f"nouveau-code-{token}"
        rights.rectify(world, answer.subject_id, "client.door_code", code)
        _, told = rights.record(world, answer.subject_id)
        assert {code, *columns.values()} <= set(rights.record_values(told).values())
        typed += [code, columns["client.given_name"], columns["client.family_name"], columns["client.email"]]
    rights.record(world, owner.subject_id)
    # What the company does not take is not kept either; it is looked for on our side alone.
    refusal(rights.rectify, world, owner.subject_id, "client.email", REFUSED_VALUE)
    return typed


@pytest.fixture(scope="module")
def sentinels(plain_world):
    """Everything that a run delivers, holds back or refuses, in every way that there is."""
    world, people = plain_world, []
    recipient = world.recipient()

    def somebody(**columns):
        people.append(world.person(**columns))
        return people[-1]

    # Delivered, acknowledged, repeated, fetched, and delivered to a stream that breaks off.
    shared = [world.share(somebody(), recipient) for _ in range(50)]
    recipient.drain()
    with recipient.receive() as stream:
        until(lambda: len(stream.deliveries()) == 50, what="50 deliveries")
        stream.acknowledge(*stream.deliveries()[:25])
    recipient.fetch(shared[0].disclosure_id)
    long = somebody(tasks="".join(f"{number:06d}-{os.urandom(8).hex()}-" for number in range(2500)))
    world.share(long, recipient)
    recipient.drain()
    # Too large: read, and held.
    large = somebody(instructions=os.urandom(40000).hex(), tasks=os.urandom(40000).hex())
    world.share(large, recipient)
    recipient.drain()
    # Expired before its time came, consent missing, not the booking's subject, another recipient's.
    world.share(somebody(), recipient, "staged", starts_in=300)
    refusal(world.booking.sharing.Share, world.share_request(somebody(consent=False), recipient, "newsletter"), timeout=10)
    mixed_up = world.share_request(somebody(), recipient)
    mixed_up.booking_id = somebody().booking_id
    refusal(world.booking.sharing.Share, mixed_up, timeout=10)
    other = world.recipient()
    refusal(other.fetch, shared[0].disclosure_id)
    expired = world.share(somebody(), recipient, "at-once", starts_in=0, lasts=3)
    with recipient.receive() as stream:
        stream.acknowledge(stream.delivery(expired.disclosure_id))
        stream.withdrawal(expired.disclosure_id, timeout=15)
    found = asked_for(world, somebody())
    for person in people:
        for value in person.sentinels():
            # A copy may be a piece: of a long value look for pieces from all over it.
            found += [value] if len(value) < 200 else [value[at:at + 24] for at in range(0, len(value) - 24, len(value) // 7)]
    # The last turn of the loop has ended when one more call is answered on every worker's connection.
    world.booking.sharing.ListDisclosures(protos.sharing.ListDisclosuresRequest(subject_id=people[0].subject_id), timeout=10)
    return sorted({value for value in found if len(value) >= 8})


def assert_absent(sentinels, content, where, forms=(bytes,)):
    """`content` is bytes. `forms`: how a value's bytes may have been written there."""
    for value in sentinels:
        for form in forms:
            at = content.find(form(value.encode()))
            assert at < 0, f"P3: {value!r} is in {where} at {at}: {content[max(0, at - 80):at + 120]!r}"


def test_p3_the_check_finds_a_value_that_is_there(plain_world, sentinels):
    """So that the others are not green for want of looking: the company's own tables have them all."""
    dump = dump_of(plain_world, "company")
    missing = [value for value in sentinels if value.encode() not in dump]
    # Addresses are put together by the view.
    assert len(missing) <= len(sentinels) // 2, missing[:5]


def dump_of(world, schema):
    return subprocess.run([str(POSTGRES_BIN / "pg_dump"), "-n", schema, world.sandbox.pguri], check=True, capture_output=True).stdout


def test_p3_no_value_is_in_the_daemons_tables(plain_world, sentinels):
    dump = dump_of(plain_world, "needtoknow")
    assert b"COPY needtoknow.ledger_0" in dump
    # pg_dump writes bytea in hexadecimal.
    assert_absent(sentinels, dump, "schema needtoknow", forms=(bytes, lambda value: value.hex().encode()))


def test_p3_no_value_is_in_the_log(plain_world, sentinels):
    assert REFUSED_VALUE not in plain_world.sandbox.log()
    assert_absent(sentinels, plain_world.sandbox.log_path.read_bytes(), "the log")


def test_p3_no_value_is_in_the_metrics(plain_world, sentinels):
    for path in ("/metrics", "/healthz", "/readyz"):
        assert_absent(sentinels, plain_world.sandbox.metrics(path).encode(), path)


def test_p3_no_value_is_in_a_core_of_the_daemon(plain_world, sentinels, tmp_path):
    # A batch of later work would overwrite what should have been wiped at once: the cores are taken first thing.
    for pid in plain_world.sandbox.processes():
        subprocess.run(["gcore", "-a", "-o", str(tmp_path / "core"), str(pid)], check=True, capture_output=True, timeout=300)
        core = tmp_path / f"core.{pid}"
        content = core.read_bytes()
        core.unlink()
        assert b"maison-claire.example" in content, "a core has the daemon's memory"
        assert_absent(sentinels, content, f"the core of {pid}")


def test_p3_no_value_is_under_the_daemons_directories(plain_world, sentinels):
    sandbox = plain_world.sandbox
    looked = 0
    for path in sandbox.directory.rglob("*"):
        if not path.is_file() or path.is_relative_to(sandbox.pgdata) or path == sandbox.postgres_log():
            continue
        looked += 1
        assert_absent(sentinels, path.read_bytes(), path)
    assert looked >= 5
    for pid in sandbox.processes():
        for link in Path(f"/proc/{pid}/fd").iterdir():
            target = Path(os.readlink(link))
            if target.is_file() and "/dev/" not in str(target):
                assert_absent(sentinels, target.read_bytes(), target)


def test_p3_a_core_dump_would_not_be_written(plain_world):
    for pid in plain_world.sandbox.processes():
        limits = Path(f"/proc/{pid}/limits").read_text()
        (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
        assert line.split()[4] == "0", line
