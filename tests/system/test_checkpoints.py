"""P5: checkpoints and proofs that anybody verifies with the public key alone, whoever signs and however it ends."""

import os
import random
import signal
import time

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.checkpoint import Tree, append, open_note, published, wait_signed
from needtoknow_testing.merkle import consistency_holds, inclusion_holds
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World


@pytest.fixture(scope="module")
def signed():
    """A ledger of its own, on two workers."""
    world = World.up(workers=2)
    yield world
    world.down()


def get_checkpoint(world):
    return world.auditor.audit.GetCheckpoint(protos.audit.GetCheckpointRequest(), timeout=10)


def prove(world, index, tree_size=0):
    return world.auditor.audit.GetInclusionProof(
        protos.audit.GetInclusionProofRequest(index=index, tree_size=tree_size), timeout=10)


def prove_consistency(world, from_size, to_size=0):
    return world.auditor.audit.GetConsistencyProof(
        protos.audit.GetConsistencyProofRequest(from_size=from_size, to_size=to_size), timeout=10)


def verify_all(world, indices, sizes):
    """Inclusion of these entries in these trees, and consistency of each of the trees with each larger one."""
    tree = Tree(world.sandbox)
    for size in sizes:
        for index in indices:
            if index < size:
                proof = prove(world, index, size)
                assert proof.leaf_hash == tree.leaves[index]
                assert inclusion_holds(tree.leaves[index], index, size, proof.hashes, tree.roots[size]), (index, size)
                signed = open_note(proof.checkpoint.note, world.sandbox.vkey)
                assert (signed.size, signed.root) == (size, tree.roots[size])


def verify_consistency(world, pairs):
    tree = Tree(world.sandbox)
    for first, second in pairs:
        hashes = prove_consistency(world, first, second).hashes
        assert consistency_holds(first, second, tree.roots[first], tree.roots[second], hashes), (first, second)


def test_p5_what_is_recorded_is_signed_within_moments_and_verifies(signed):
    recipient = signed.recipient()
    answer = signed.booking.sharing.Share(signed.share_request(signed.person(), recipient), timeout=10)
    index = answer.receipt.ledger_index
    note = until(lambda: (found := get_checkpoint(signed)).size > index and found, 5, "a checkpoint that covers the entry")
    checkpoint = open_note(note.note, signed.sandbox.vkey)
    tree = Tree(signed.sandbox)
    assert checkpoint.origin == "maison-claire.example/needtoknow"
    assert (checkpoint.size, checkpoint.root) == (note.size, note.root_hash) == (note.size, tree.roots[note.size])
    assert inclusion_holds(answer.receipt.leaf_hash, index, note.size, prove(signed, index, note.size).hashes, note.root_hash)


def test_p5_the_ledger_says_who_signs_it(signed):
    ((index, entry),) = ledger.of_kind(ledger.entries(signed.sandbox), "KEY_ROTATED")
    assert list(entry.verifier_keys) == [signed.sandbox.vkey] and entry.actor == "system"
    assert published(signed.sandbox)[0][0] > index, "nothing was signed before"


def test_p5_every_checkpoint_is_larger_than_the_one_before_and_has_the_ledgers_root(signed):
    for _ in range(3):
        signed.recipient()
        wait_signed(signed.sandbox)
    tree = Tree(signed.sandbox)
    sizes = []
    for size, root, note in published(signed.sandbox):
        checkpoint = open_note(note, signed.sandbox.vkey)
        assert (checkpoint.size, checkpoint.root) == (size, root) == (size, tree.roots[size])
        sizes.append(size)
    assert sizes == sorted(set(sizes)) and len(sizes) >= 3


def test_p5_at_most_one_checkpoint_a_second_and_none_while_nothing_is_recorded(signed):
    until_then = time.monotonic() + 4
    while time.monotonic() < until_then:
        signed.recipient()
    size = wait_signed(signed.sandbox)
    moments = [float(moment) for moment, in signed.sandbox.query(
        "SELECT extract(epoch FROM signed_at) FROM needtoknow.checkpoint ORDER BY size DESC LIMIT 4")]
    # From end to end: one is signed a little after its second began, so that two may be a little closer than that.
    assert len(moments) == 4 and moments[0] - moments[-1] > 2.5, moments
    count = len(published(signed.sandbox))
    signed.sandbox.wait_until(signed.sandbox.database_now() + 2.5)
    assert (ledger.size(signed.sandbox), len(published(signed.sandbox))) == (size, count)


def test_p5_who_asks_for_proofs_is_no_entry(signed):
    size = wait_signed(signed.sandbox)
    get_checkpoint(signed)
    prove(signed, 0)
    prove_consistency(signed, 1)
    assert ledger.size(signed.sandbox) == size


def test_p5_every_proof_of_a_small_ledger_verifies(signed):
    """Past three full tiles of leaves and a part of one, at several sizes that were signed."""
    sizes = []
    for target in (255, 256, 257, 511, 769, 900):
        append(signed.sandbox, max(target - ledger.size(signed.sandbox), 1), a_row=37)
        sizes.append(wait_signed(signed.sandbox))
    verify_all(signed, range(sizes[-1]), [sizes[-1]])
    verify_all(signed, range(0, sizes[-1], 41), sizes)
    everything = range(1, sizes[-1] + 1)
    verify_consistency(signed, [(first, sizes[-1]) for first in everything])
    verify_consistency(signed, [tuple(sorted((random.choice(everything), random.choice(everything)))) for _ in range(300)])


def test_p5_proofs_verify_past_a_tile_of_tiles(signed):
    """65,536 entries fill a tile of the second level."""
    before = wait_signed(signed.sandbox)
    append(signed.sandbox, 65536 - 3 - ledger.size(signed.sandbox))
    sizes = [before, wait_signed(signed.sandbox)]
    for more in (3, 1, 1000):
        append(signed.sandbox, more)
        sizes.append(wait_signed(signed.sandbox))
    assert sizes[2:4] == [65536, 65537]
    tiles = signed.sandbox.query("SELECT level, count(*), max(number) FROM needtoknow.tile GROUP BY level ORDER BY level")
    assert tiles == [(0, sizes[-1] // 256, sizes[-1] // 256 - 1), (1, 1, 0)]
    tree = Tree(signed.sandbox)
    for number, hashes, root in signed.sandbox.query("SELECT number, hashes, root FROM needtoknow.tile WHERE level = 0"):
        assert bytes(hashes) == b"".join(tree.leaves[number * 256:number * 256 + 256])
    edges = [0, 1, 255, 256, 32767, 32768, 65279, 65280, 65533, 65534, 65535, 65536, 65791, 65792, sizes[-1] - 1]
    verify_all(signed, edges + random.sample(range(sizes[-1]), 60), sizes)
    verify_consistency(signed, [(first, second) for first in sizes + edges[1:] for second in sizes if first <= second])
    verify_consistency(signed, [tuple(sorted(random.sample(range(1, sizes[-1]), 2))) for _ in range(100)])


def test_p5_what_cannot_be_proved_is_said(signed):
    last = wait_signed(signed.sandbox)
    between = next(size for size in range(last - 1, 0, -1) if size not in {each for each, _, _ in published(signed.sandbox)})
    for index, tree_size, reason in ((last, 0, "NO_ENTRY"), (last, last, "NO_ENTRY"), (2**64 - 1, 0, "NO_ENTRY"),
                                     (0, last + 1, "NO_CHECKPOINT"), (0, between, "NO_CHECKPOINT"),
                                     (0, 2**63, "NO_CHECKPOINT"), (0, 2**64 - 1, "NO_CHECKPOINT")):
        with refused("NOT_FOUND", reason):
            prove(signed, index, tree_size)
    for from_size, to_size in ((0, 0), (0, last), (5, 4), (last + 1, 0), (2**64 - 1, 0)):
        with refused("INVALID_ARGUMENT", "BAD_SIZE"):
            prove_consistency(signed, from_size, to_size)
    for to_size in (last + 1, 2**63, 2**64 - 1):
        with refused("NOT_FOUND", "NO_CHECKPOINT"):
            prove_consistency(signed, 1, to_size)
    assert list(prove_consistency(signed, last, last).hashes) == []


def signer(world):
    """The worker whose session has the lock, by what it has logged last."""
    lines = [line for line in world.sandbox.log().splitlines() if "signer elected" in line]
    return lines[-1].split("[", 1)[1].split("]")[0]


def lock_holders(world):
    return [pid for pid, in world.sandbox.query(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32 | objid::bigint)"
        " = 7954877705826659182")]


def test_p5_one_of_all_workers_signs_and_another_goes_on_when_it_is_killed(signed):
    sandbox = signed.sandbox
    wait_signed(sandbox)
    (holder,) = lock_holders(signed)
    number = int(signer(signed).split()[-1])
    # Workers are started in their order; each says which process it is.
    pids = {}
    for line in sandbox.log().splitlines():
        if "daemon started, process" in line:
            pids[int(line.split("[worker ")[1].split("]")[0])] = int(line.rsplit(" ", 1)[1])
    append(sandbox, 700)
    os.kill(pids[number], signal.SIGKILL)
    size = append(sandbox, 700)
    assert until(lambda: wait_signed(sandbox), 20) >= size
    (successor,) = lock_holders(signed)
    assert successor != holder
    tree = Tree(sandbox)
    for size, root, _ in published(sandbox):
        assert root == tree.roots[size]
    numbers = [number for number, in sandbox.query("SELECT number FROM needtoknow.tile WHERE level = 0 ORDER BY number")]
    assert numbers == list(range(size // 256)), "no tile is missing"
    until(lambda: len(sandbox.workers()) == 2, 20, "the killed worker's successor")
    sandbox.wait_serving()
    verify_all(signed, random.sample(range(size), 30), [size])


def test_p5_what_is_answered_before_the_end_is_signed_before_the_end(signed):
    sandbox = signed.sandbox
    for _ in range(3):
        signed.recipient()
        answer = signed.booking.sharing.Share(signed.share_request(signed.person(), signed.recipient()), timeout=10)
        workers = sandbox.workers()
        os.kill(sandbox.pid, signal.SIGTERM)
        until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers), 20, "the workers' end")
        size = ledger.size(sandbox)
        assert published(sandbox)[-1][0] == size > answer.receipt.ledger_index
        seen = (sandbox.directory / "state" / "checkpoint").read_text()
        assert open_note(seen, sandbox.vkey).size == size
        sandbox.start()


def test_p5_the_last_checkpoint_is_kept_beside_the_database(signed):
    signed.recipient()
    size = wait_signed(signed.sandbox)
    path = signed.sandbox.directory / "state" / "checkpoint"
    until(lambda: open_note(path.read_text(), signed.sandbox.vkey).size == size, 5, "the checkpoint in state_dir")
    assert path.stat().st_mode & 0o777 == 0o600


def test_p5_metrics_tell_how_far_the_signatures_reach(signed):
    signed.recipient()
    size = wait_signed(signed.sandbox)

    def figures():
        lines = signed.sandbox.metrics().splitlines()
        return {name: [float(line.split()[-1]) for line in lines if line.startswith(f"needtoknow_{name}{{")]
                for name in ("checkpoint_size", "checkpoint_timestamp_seconds", "checkpoint_entries_behind", "signing_stopped",
                             "checkpoints_signed_total")}
    until(lambda: figures()["checkpoint_size"] == [size, size], 10, "the size in the metrics")
    found = figures()
    assert found["checkpoint_entries_behind"] == [0, 0] and found["signing_stopped"] == [0, 0]
    assert all(abs(each - time.time()) < 60 for each in found["checkpoint_timestamp_seconds"])
    assert sum(found["checkpoints_signed_total"]) > 0
