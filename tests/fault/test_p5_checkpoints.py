"""
P5: what was signed is never taken back. A database that is older than what was seen, or another one, is not signed, and whoever asks
is told why; deliveries go on, since they are as safe as before.
"""

import subprocess

import grpc
import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.checkpoint import Tree, append, open_note, published, wait_signed
from needtoknow_testing.merkle import Frontier
from needtoknow_testing.refusal import refusal_of
from needtoknow_testing.tampering import Tampering, forged
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World


@pytest.fixture
def mine():
    """Its database is replaced: a sandbox for each test, which the checker must not go on reading."""
    world = World.up()
    yield world
    world.down()


def get_checkpoint(world):
    return world.auditor.audit.GetCheckpoint(protos.audit.GetCheckpointRequest(), timeout=10)


def state_file(world):
    return world.sandbox.directory / "state" / "checkpoint"


def wait_seen(world):
    """Until the last checkpoint of the whole ledger is in the daemon's own file: its note."""
    size = wait_signed(world.sandbox)
    until(lambda: state_file(world).exists() and open_note(state_file(world).read_text(), world.sandbox.vkey).size == size, 5,
          "the checkpoint in state_dir")
    return state_file(world).read_text()


def dump(world):
    return subprocess.run(["pg_dump", "-Fc", "--schema=needtoknow", world.sandbox.pguri], check=True, capture_output=True).stdout


def restore(world, backup):
    world.sandbox.query("DROP SCHEMA needtoknow CASCADE")
    subprocess.run(["pg_restore", "--exit-on-error", "-d", world.sandbox.pguri], input=backup, check=True, capture_output=True)


def stopped(world):
    """Until GetCheckpoint says that signing has stopped: why."""
    def why():
        try:
            get_checkpoint(world)
        except grpc.RpcError as error:
            found = refusal_of(error)
            if found.reason == "NO_CHECKPOINT":
                return None  # not looked at yet
            assert (found.code.name, found.reason) == ("FAILED_PRECONDITION", "SIGNING_STOPPED"), found
            return found.message
        return None
    return until(why, 15, "SIGNING_STOPPED")


def note_of(world):
    """The last checkpoint; None while signing has stopped."""
    try:
        return get_checkpoint(world).note
    except grpc.RpcError as error:
        assert refusal_of(error).reason == "SIGNING_STOPPED", error
        return None


def still_delivers(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    assert [delivery.disclosure_id for delivery in recipient.drain()] == [shared.disclosure_id]


def check(world):
    """What `needtoknowd check` says, to the daemon's account."""
    sandbox = world.sandbox
    done = subprocess.run([sandbox.binary, "check", "--config", str(sandbox.config)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=30, user=sandbox.user, group=sandbox.group, extra_groups=[])
    assert done.returncode == 0, done.stdout  # a warning: the daemon starts
    return done.stdout


def nothing_is_signed(world, seconds=2.5):
    before = published(world.sandbox)
    world.sandbox.wait_until(world.sandbox.database_now() + seconds)
    assert published(world.sandbox) == before


def begin_anew(world):
    """Another ledger than the checker has read."""
    world.received, world.streams = [], []
    world.checker = type(world.checker)(world.sandbox)


def test_p5_a_restored_backup_is_not_signed_until_the_loss_is_accepted(mine):
    sandbox = mine.sandbox
    wait_seen(mine)
    backup = dump(mine)
    append(sandbox, 40)
    lost = open_note(wait_seen(mine), sandbox.vkey)
    sandbox.kill()
    assert "warning" not in check(mine)
    restore(mine, backup)
    begin_anew(mine)
    assert f"fewer than the checkpoint of {lost.size}" in check(mine)
    sandbox.start()
    why = stopped(mine)
    assert f"of {lost.size} that was seen" in why and "remove" in why and str(state_file(mine)) in why
    assert why in sandbox.log()
    still_delivers(mine)
    nothing_is_signed(mine)
    assert "needtoknow_signing_stopped{worker=\"1\"} 1" in sandbox.metrics()
    assert open_note(state_file(mine).read_text(), sandbox.vkey) == lost, "what was seen stays"
    # The ledger goes its own way beyond that size: another root there.
    append(sandbox, lost.size - ledger.size(sandbox) + 3)
    assert "does not go on" in until(lambda: "root" in (now := stopped(mine)) and now, 15, "the fork")
    nothing_is_signed(mine)
    # Whoever accepts the loss says so; no restart is needed.
    state_file(mine).unlink()
    note = until(lambda: note_of(mine), 30, "a checkpoint")
    assert open_note(note, sandbox.vkey).size >= lost.size
    assert "checkpoints are signed again" in sandbox.log()
    assert "needtoknow_signing_stopped{worker=\"1\"} 0" in until(
        lambda: (now := sandbox.metrics()) and 'signing_stopped{worker="1"} 0' in now and now, 5, "the metric")


def test_p5_another_ledger_of_the_same_size_is_not_signed(mine):
    sandbox = mine.sandbox
    wait_seen(mine)
    backup = dump(mine)
    append(sandbox, 300, actor="the one")
    seen = open_note(wait_seen(mine), sandbox.vkey)
    sandbox.kill()
    restore(mine, backup)
    begin_anew(mine)
    assert append(sandbox, 300, actor="the other") == seen.size
    sandbox.start()
    assert "root" in until(lambda: "does not go on" in (now := stopped(mine)) and now, 15, "the fork")
    still_delivers(mine)
    nothing_is_signed(mine)


def test_p5_a_fork_that_another_daemon_has_signed_is_seen(mine):
    """Whatever is published, and however far it has gone on: the tree must have the root that was seen, where it was seen."""
    sandbox = mine.sandbox
    wait_seen(mine)
    backup = dump(mine)
    append(sandbox, 30, actor="the one")
    mine_was = wait_seen(mine)
    sandbox.kill()
    restore(mine, backup)
    begin_anew(mine)
    state_file(mine).unlink()
    append(sandbox, 600, actor="the other")
    sandbox.start()
    wait_seen(mine)
    sandbox.kill()
    state_file(mine).write_text(mine_was)
    sandbox.start()
    assert "does not go on" in stopped(mine)
    still_delivers(mine)
    nothing_is_signed(mine)
    assert state_file(mine).read_text() == mine_was


def test_p5_a_database_that_lost_only_its_last_checkpoints_is_signed_on(mine):
    """A standby may have the entries and not yet the checkpoint: that is the same ledger."""
    sandbox = mine.sandbox
    append(sandbox, 300)
    seen = open_note(wait_seen(mine), sandbox.vkey)
    append(sandbox, 1)
    last = open_note(wait_seen(mine), sandbox.vkey)
    sandbox.kill()
    sandbox.query(f"""BEGIN; SET session_replication_role = replica;
        DELETE FROM needtoknow.checkpoint WHERE size > {seen.size - 10}; COMMIT""")
    sandbox.start()
    mine.recipient()
    assert wait_signed(sandbox) > last.size
    note = until(lambda: note_of(mine), 10, "a checkpoint")
    assert open_note(note, sandbox.vkey).root == Tree(sandbox).roots[wait_signed(sandbox)]


def change_row(world, sql, *parameters):
    world.sandbox.query("BEGIN; SET session_replication_role = replica; " + sql + "; COMMIT", *parameters)


@pytest.mark.parametrize("tamper", ["a body changed", "an entry removed", "the head moved back", "a tile changed"])
def test_p5_a_ledger_that_was_changed_is_not_signed(mine, tamper):
    """By a superuser, with triggers disabled, before the signer has taken it into a tile."""
    sandbox = mine.sandbox
    append(sandbox, 600, a_row=10)
    size = open_note(wait_seen(mine), sandbox.vkey).size
    sandbox.kill()
    checker, mine.checker = mine.checker, None
    kept = sandbox.query("SELECT first_index, bodies FROM needtoknow.ledger ORDER BY first_index DESC LIMIT 1")[0]
    if tamper == "a body changed":
        change_row(mine, "UPDATE needtoknow.ledger SET bodies = overlay(bodies placing '\\x7a'::bytea from length(bodies))"
                         f" WHERE first_index = {kept[0]}")
    elif tamper == "an entry removed":
        change_row(mine, f"DELETE FROM needtoknow.ledger WHERE first_index = {kept[0] - 10}")
    elif tamper == "the head moved back":
        tree = Tree(sandbox)
        frontier = Frontier()
        for leaf in tree.leaves[:kept[0]]:
            frontier.append(leaf)
        sandbox.query("UPDATE needtoknow.head SET size = %s, frontier = %s", kept[0], b"".join(frontier.peaks))
    else:
        change_row(mine, "UPDATE needtoknow.tile SET root = sha256(root) WHERE number = 1 AND level = 0")
    sandbox.start()
    why = stopped(mine)
    assert "estore" in why or "right database" in why, why
    nothing_is_signed(mine)
    if tamper == "a body changed":
        still_delivers(mine)
        change_row(mine, "UPDATE needtoknow.ledger SET bodies = %s WHERE first_index = %s", bytes(kept[1]), kept[0])
        note = until(lambda: note_of(mine), 30, "a checkpoint")
        assert open_note(note, sandbox.vkey).size > size
        mine.checker = checker
    else:
        sandbox.kill()
        mine.checker = type("Nothing", (), {"check": lambda *arguments: None})()


@pytest.mark.parametrize("checkpoints", ["kept", "gone", "all gone"])
@pytest.mark.parametrize("signed,entries", [(512, 512), (512, 1100), (700, 700), (700, 767), (700, 768), (700, 1500)])
def test_p5_a_ledger_that_was_rewritten_whole_is_not_signed(rewritten, signed, entries, checkpoints):
    """Entries, tiles and head anew and in themselves right, wherever the tree is resumed from."""
    world = rewritten
    sandbox = world.sandbox
    sandbox.kill()
    state_file(world).unlink(missing_ok=True)
    sandbox.query("BEGIN; SET session_replication_role = replica; DELETE FROM needtoknow.checkpoint; DELETE FROM needtoknow.tile;"
                  " DELETE FROM needtoknow.ledger WHERE first_index > 20; COMMIT")
    with Tampering(sandbox.connect(autocommit=False)) as tampering:
        tampering.rehash(tampering.rows())
    append(sandbox, signed - ledger.size(sandbox), a_row=50)
    sandbox.start()
    until(lambda: published(sandbox) and published(sandbox)[-1][0] == signed, 15, "the checkpoint")
    sandbox.kill()
    state_file(world).write_text(published(sandbox)[-1][2])
    with Tampering(sandbox.connect(autocommit=False)) as tampering:
        rows = tampering.rows()
        row, place = tampering.place(rows, 100)
        row.bodies[place] = forged(row.bodies[place])
        tampering.write(rows)
        tampering.rehash(rows)
        if checkpoints != "kept":
            tampering.forget_checkpoints(0 if checkpoints == "all gone" else signed)
    if entries > signed:
        append(sandbox, entries - signed)
    with Tampering(sandbox.connect(autocommit=False)) as tampering:
        tampering.rehash(tampering.rows())
    before = published(sandbox)
    sandbox.start()
    assert "does not go on" in until(lambda: "root" in (now := stopped(world)) and now, 15, "why")
    nothing_is_signed(world, 1.5)
    assert published(sandbox) == before


@pytest.fixture(scope="module")
def rewritten():
    """One sandbox, whose ledger is written anew again and again; the checker cannot follow."""
    world = World.up()
    world.checker = type("Nothing", (), {"check": lambda *arguments: None})()
    yield world
    world.down()


def test_p5_a_file_that_is_no_checkpoint_is_not_passed_over(mine):
    sandbox = mine.sandbox
    note = wait_seen(mine)
    sandbox.kill()
    for content in ("", "nonsense\n", note.replace("\n", "0\n", 2), note.rsplit("\n\n", 1)[0] + "\n\n"):
        state_file(mine).write_text(content)
        assert "not to be trusted" in check(mine)
        sandbox.start()
        assert "not to be trusted" in stopped(mine)
        nothing_is_signed(mine, 1.5)
        assert state_file(mine).read_text() == content
        sandbox.kill()
    state_file(mine).write_text(note)
    sandbox.start()
    assert until(lambda: note_of(mine), 15, "a checkpoint")


def keygen(world, file):
    done = subprocess.run([world.sandbox.binary, "keygen", "--name", "maison-claire.example/needtoknow", "--out", str(file)],
                          stdout=subprocess.PIPE, check=True, text=True, user=world.sandbox.user, group=world.sandbox.group)
    return done.stdout.strip()


def configure(world, *files):
    """Other signing keys, from a restart on."""
    text = world.sandbox.config.read_text()
    before = next(line for line in text.splitlines() if "signing_keys:" in line)
    world.sandbox.config.write_text(text.replace(before, f"  signing_keys: [{', '.join(map(str, files))}]"))
    world.sandbox.restart()


def test_p5_one_key_takes_over_from_another(mine):
    sandbox = mine.sandbox
    old, new_file = sandbox.vkey, sandbox.directory / "state" / "next.key"
    wait_seen(mine)
    new = keygen(mine, new_file)
    configure(mine, "ledger.key", new_file)
    until(lambda: len(rotations(mine)) == 2, 10, "the second KEY_ROTATED")
    wait_signed(sandbox)
    both = until(lambda: (note := note_of(mine)) and len(open_note(note, old).signers) == 2 and note, 10, "two signatures")
    assert open_note(both, old).root == open_note(both, new).root == open_note(both, old, new).root
    # The order in which they are named means nothing.
    configure(mine, new_file, "ledger.key")
    mine.recipient()
    wait_signed(sandbox)
    assert len(rotations(mine)) == 2
    wait_seen(mine)
    configure(mine, new_file)
    sandbox.vkey = new
    until(lambda: len(rotations(mine)) == 3, 10, "the third KEY_ROTATED")
    wait_signed(sandbox)
    alone = until(lambda: (note := note_of(mine)) and len(open_note(note, new).signers) == 1 and note, 10, "one signature")
    with pytest.raises(AssertionError, match="none of"):
        open_note(alone, old)
    assert [sorted(keys) for keys in rotations(mine)] == [[old], sorted([old, new]), [new]]
    assert sandbox.query("SELECT verifier_keys FROM needtoknow.verifier_key ORDER BY ledger_index") == [
        (old,), ("\n".join(sorted([old, new])),), (new,)]


def rotations(world):
    return [list(entry.verifier_keys) for _, entry in ledger.of_kind(ledger.entries(world.sandbox), "KEY_ROTATED")]


def test_p5_a_key_that_nobody_handed_over_to_signs_nothing(mine):
    """A new key alone, at once: nobody could tell it from an intruder's."""
    sandbox = mine.sandbox
    note = wait_seen(mine)
    keygen(mine, sandbox.directory / "state" / "next.key")
    configure(mine, sandbox.directory / "state" / "next.key")
    assert "not to be trusted" in stopped(mine)
    nothing_is_signed(mine)
    assert state_file(mine).read_text() == note
    configure(mine, "ledger.key", sandbox.directory / "state" / "next.key")
    assert until(lambda: note_of(mine), 15, "a checkpoint")
