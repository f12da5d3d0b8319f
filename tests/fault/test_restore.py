"""A database that is restored from a backup must not bring back who was erased since (GDPR art. 17): a real dump, a real restore."""

import os
import re
import signal
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor

import grpc
import psycopg2.extensions
import pytest

from needtoknow_testing import changes, ledger, protos, rights
from needtoknow_testing.paths import POSTGRES_BIN
from needtoknow_testing.refusal import refusal_of, refused
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

REPEATED = "needtoknowd reapply-erasures"
EVERYTHING = protos.delivery.ReceiveRequest(until_empty=True)


@pytest.fixture
def world():
    """One of its own: its database is taken back behind its ledger's checkpoints."""
    world = World.up(workers=2)
    yield world
    world.close_clients()
    world.down()


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0, f"{command}: {done.stdout}"


def dump(sandbox, path):
    run(str(POSTGRES_BIN / "pg_dump"), "--format=custom", f"--file={path}", sandbox.pguri)


def restore(sandbox, path):
    """As an operator does: another database of the same name in its place, whoever is connected."""
    name = psycopg2.extensions.parse_dsn(sandbox.pguri)["dbname"]
    sandbox.disconnect()
    template = psycopg2.extensions.make_dsn(sandbox.pguri, dbname="template1")
    psql = [str(POSTGRES_BIN / "psql"), "--no-psqlrc", "-qd", template, "-c"]
    run(*psql, f'DROP DATABASE "{name}" WITH (FORCE)')
    run(*psql, f'CREATE DATABASE "{name}"')
    run(str(POSTGRES_BIN / "pg_restore"), "--single-transaction", f"--dbname={sandbox.pguri}", str(path))


def state_dir(sandbox):
    (line,) = [line for line in sandbox.config.read_text().splitlines() if line.startswith("state_dir:")]
    return sandbox.config.parent / line.split(":", 1)[1].strip().strip('"')


def erase(world, person):
    request = rights.asked(rights.rights.EraseRequest, person.subject_id, cancel_bookings=True)
    return world.rights.rights.Erase(request, timeout=60)


def reapply(sandbox, **environment):
    """As the daemon's user, as the daemon itself is started."""
    return subprocess.run(
        [sandbox.command[0], "reapply-erasures", "--config", str(sandbox.config)], executable=sandbox.binary, cwd=sandbox.cwd,
        env={**sandbox.environment, **environment}, user=sandbox.user, group=sandbox.group, extra_groups=[], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)


def in_company(sandbox, person):
    return bool(sandbox.query("SELECT 1 FROM company.client WHERE subject_id = %s AND door_code = %s", person.subject_id,
                              person.value("client.door_code")))


def delivered(sandbox):
    return len(ledger.of_kind(ledger.entries(sandbox), "DELIVERED"))


def refused_why(call):
    """Why it is refused; None where a connection that ended is still to be made again."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE, caught.value
    return refusal_of(caught.value).reason or None


@pytest.mark.parametrize("running", [False, True], ids=["stopped", "running"])
def test_p8_a_restored_backup_resurrects_nobody(world, tmp_path, running):
    sandbox = world.sandbox
    erased, early, other, recipient = world.person(), world.person(), world.person(), world.recipient()
    erase(world, early)
    shared = world.share(erased, recipient)
    world.share(other, recipient)
    recipient.acknowledge(*recipient.drain())
    waiting = world.share(erased, recipient)  # is due, and not sent yet: it must never be
    dump(sandbox, tmp_path / "backup")

    answer = erase(world, erased)
    assert {each.disclosure_id for each in answer.withdrawn} == {shared.disclosure_id, waiting.disclosure_id}
    assert not in_company(sandbox, erased)
    path = state_dir(sandbox) / "erasures"
    lines = path.read_text().splitlines()
    assert len(lines) == 2, "in the list when it is answered, once"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert erased.subject_id not in path.read_text() and early.subject_id not in path.read_text()

    if not running:
        sandbox.kill()
    restore(sandbox, tmp_path / "backup")
    if not running:
        sandbox.spawn()
    assert in_company(sandbox, erased), "the backup has them"
    until(lambda: REPEATED in sandbox.log(), 60, "what the operator is told")
    before = delivered(sandbox)
    until(lambda: sandbox.health() not in (None, protos.health.HealthCheckResponse.SERVING), 30, "NOT_SERVING")
    for call in (lambda: world.share(other, recipient), lambda: changes.get(world, shared.disclosure_id),
                 lambda: recipient.fetch(waiting.disclosure_id), lambda: list(recipient.client.delivery.Receive(EVERYTHING, timeout=20))):
        # One of the workers may only just have reached the restored database.
        until(lambda: refused_why(call) in (None, "ERASURES_PENDING") or None, 30, "an answer that is not of the database's absence")
        assert refused_why(call) == "ERASURES_PENDING"
    assert delivered(sandbox) == before

    done = reapply(sandbox)
    assert done.returncode == 0, done.stdout + done.stderr + sandbox.log()[-3000:]
    assert done.stdout.splitlines()[-1] == "erasures: 2 in the list, 1 recorded again, 1 of them done"
    assert erased.subject_id not in done.stdout + done.stderr
    sandbox.wait_serving(60)
    assert not in_company(sandbox, erased)
    with refused("FAILED_PRECONDITION", "ERASED"):
        world.share(erased, recipient)
    assert changes.get(world, shared.disclosure_id).state == protos.common.DISCLOSURE_STATE_ERASED
    assert waiting.disclosure_id not in {each.disclosure_id for each in recipient.drain()}, "it was never sent"
    assert world.wait_sharing(other, recipient).disclosure_id
    again = reapply(sandbox)
    assert again.returncode == 0 and again.stdout.splitlines()[-1] == "erasures: 2 in the list, 0 recorded again, 0 of them done"
    assert path.read_text().splitlines() == lines, "the list is as it was"


def erased_entries(sandbox, person):
    """Why, of each entry ERASED about them."""
    found = dict(ledger.entries(sandbox))
    indices = sandbox.query("SELECT ledger_index FROM needtoknow.entry_reference WHERE subject_id = %s ORDER BY 1", person.subject_id)
    return [ledger.reason_name(found[index]) for index, in indices if ledger.kind_name(found[index]) == "ERASED"]


def test_p6_an_erasure_that_a_restore_had_done_again_is_answered_to_whoever_repeats_it(world, tmp_path):
    sandbox, person, other, recipient = world.sandbox, world.person(), world.person(), world.recipient()
    shared = world.share(person, recipient)
    dump(sandbox, tmp_path / "backup")
    request = rights.asked(rights.rights.EraseRequest, person.subject_id, cancel_bookings=True)
    first = world.rights.rights.Erase(request, timeout=60)
    sandbox.kill()
    restore(sandbox, tmp_path / "backup")
    done = reapply(sandbox)
    assert done.returncode == 0, done.stdout + done.stderr
    sandbox.start()
    count = len(ledger.entries(sandbox))
    again = [world.rights.rights.Erase(request, timeout=60) for _ in range(2)]
    assert again[0] == again[1]
    assert [(each.column, each.outcome, each.law) for each in again[0].columns] == \
        [(each.column, each.outcome, each.law) for each in first.columns]
    assert [each.disclosure_id for each in again[0].withdrawn] == [shared.disclosure_id]
    assert again[0].key_destroyed_after == first.key_destroyed_after
    assert ledger.kind_name(dict(ledger.entries(sandbox))[again[0].receipt.ledger_index]) == "ERASED"
    assert len(ledger.entries(sandbox)) == count, "a repeat does nothing"
    request.subject_id = other.subject_id
    with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED"):
        world.rights.rights.Erase(request, timeout=60)
    assert in_company(sandbox, other)


def test_p6_a_reapplying_that_is_killed_is_gone_on_with(world, tmp_path):
    sandbox, people = world.sandbox, [world.person() for _ in range(5)]
    dump(sandbox, tmp_path / "backup")
    for person in people:
        erase(world, person)
    path = state_dir(sandbox) / "erasures"
    lines = path.read_text()
    sandbox.kill()
    restore(sandbox, tmp_path / "backup")
    done = reapply(sandbox, NEEDTOKNOW_STOP_AT="reapply.recorded:2")
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    (recorded,) = sandbox.query("SELECT count(*) FROM needtoknow.erasure")[0]
    assert recorded > 0 and sandbox.query("SELECT count(*) FROM needtoknow.erasure WHERE state = 2") == [(0,)]
    done = reapply(sandbox)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"5 in the list, {5 - recorded} recorded again" in done.stdout.splitlines()[-1]
    sandbox.start()
    for person in people:
        assert not in_company(sandbox, person)
        reasons = erased_entries(sandbox, person)
        assert reasons[0] == "UNSPECIFIED" and len(reasons) > 1 and len(set(reasons)) == len(reasons), "each is said once"
    assert sandbox.query("SELECT count(*), count(DISTINCT subject_id) FROM needtoknow.rights_request") == [(5, 5)]
    assert path.read_text() == lines


@pytest.mark.skipif(os.geteuid() != 0, reason="nobody else can be somebody else")
def test_root_does_not_do_it_in_the_place_of_the_daemons_user(world):
    """What it writes into state_dir the daemon could not read: it would sign no checkpoint any more."""
    sandbox, directory = world.sandbox, state_dir(world.sandbox)
    os.chown(sandbox.config.parent / "ledger.key", 0, -1)
    if not directory.stat().st_uid:
        os.chown(directory, 65534, -1)  # the daemon is root's here: it is somebody else's all the same
    done = subprocess.run([sandbox.binary, "reapply-erasures", "--config", str(sandbox.config)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stdout == "" and f"user {directory.stat().st_uid}" in done.stderr, done.stderr


def test_p8_many_erasures_are_done_again_and_said_as_they_go(world, tmp_path):
    count = int(os.environ.get("MANY_ERASURES", "200"))
    sandbox, people = world.sandbox, [world.person() for _ in range(count)]
    dump(sandbox, tmp_path / "backup")
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda person: erase(world, person), people))
    assert len((state_dir(sandbox) / "erasures").read_text().splitlines()) == count
    sandbox.kill()
    restore(sandbox, tmp_path / "backup")
    done = reapply(sandbox)
    assert done.returncode == 0, done.stdout + done.stderr
    said = [[int(word) for word in re.findall(r"\d+", line)] for line in done.stdout.splitlines()]
    assert len(said) > 1, "while it goes on, and at its end"
    assert said[-1] == [count, count, count] and said == sorted(said), "never less than before"
    assert all(recorded == count for _, recorded, completed in said if completed), "all are recorded before the first is waited for"
    assert sandbox.query("SELECT count(*) FROM share.client WHERE subject_id = ANY (%s)", [each.subject_id for each in people]) == [(0,)]
    assert sandbox.query("SELECT count(*), count(*) FILTER (WHERE state = 2) FROM needtoknow.erasure") == [(count, count)]


def test_p6_an_erasure_whose_worker_dies_over_its_answer_is_in_the_list_once(world):
    sandbox, person = world.sandbox, world.person()
    path = state_dir(sandbox) / "erasures"
    sandbox.kill()
    known = len(sandbox.log())
    sandbox.spawn({"NEEDTOKNOW_STOP_AT": "erasures.written:1"})
    sandbox.wait_serving()
    request = rights.asked(rights.rights.EraseRequest, person.subject_id, cancel_bookings=True)
    with pytest.raises(grpc.RpcError):
        world.rights.rights.Erase(request, timeout=30)
    until(lambda: "was ended by signal 9" in sandbox.log()[known:], 60, "the death")
    lines = path.read_text()
    assert len(lines.splitlines()) == 1 and lines.endswith("\n"), "whole, before anybody was answered"
    sandbox.restart()
    answer = world.rights.rights.Erase(request, timeout=60)
    assert answer == world.rights.rights.Erase(request, timeout=60)
    assert path.read_text() == lines
    reasons = erased_entries(sandbox, person)
    assert reasons[0] == "UNSPECIFIED" and len(set(reasons)) == len(reasons)
    erase(world, world.person())
    assert path.read_text().startswith(lines) and len(path.read_text().splitlines()) == 2


def test_p8_a_list_that_was_changed_keeps_the_daemon_from_serving(world):
    sandbox = world.sandbox
    erase(world, world.person())
    path = state_dir(sandbox) / "erasures"
    good = path.read_bytes()
    sandbox.kill()
    for bad in (good[:30] + bytes([good[30] ^ 1]) + good[31:], b"3" + good[1:], b"nonsense\n" + good):
        path.write_bytes(bad)
        log = len(sandbox.log())
        sandbox.spawn()
        until(lambda: "nobody can tell whose erasure it is" in sandbox.log()[log:], 30, "what the operator is told")
        assert sandbox.health() != protos.health.HealthCheckResponse.SERVING
        sandbox.kill()
    # The rest of a line that a writer died over is no line: what it was about was not answered, or another has it.
    path.write_bytes(good + good[:40])
    sandbox.start()
    erase(world, world.person())
    assert path.read_bytes().startswith(good) and len(path.read_bytes().splitlines()) == 2
    assert path.stat().st_uid == sandbox.user


def test_p6_an_erasure_whose_worker_dies_over_the_list_is_in_it_later(world):
    """Of another machine's erasure it is the same: whoever looks adds it."""
    sandbox, person = world.sandbox, world.person()
    path = state_dir(sandbox) / "erasures"
    erase(world, person)
    lines = path.read_text()
    sandbox.kill()
    os.unlink(path)
    sandbox.start()
    until(lambda: path.exists() and len(path.read_text().splitlines()) == 1, 60, "the line")
    assert path.read_text() == lines, "the same, by whomever"
