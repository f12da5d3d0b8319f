"""Retention: what the daemon says may go, that nothing goes before it has said so, and what is left works."""

import re

import grpc
import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.merkle import consistency_holds, inclusion_holds, leaf_hash, root_of
from needtoknow_testing.owner import TILE, Scratch, maintain
from needtoknow_testing.paths import ROOT
from needtoknow_testing.retention import await_pruned, await_tiles, expire, fill, forgetful_policy, pruned, whole_tiles
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

audit_pb2 = protos.audit


@pytest.fixture(scope="module")
def retaining():
    world = World.up(policy_text=forgetful_policy())
    yield world
    world.down()


def packed_rows(world):
    return world.sandbox.query("SELECT first_index, count FROM needtoknow.ledger ORDER BY first_index")


def confirm(party, disclosure_id):
    item = protos.delivery.DeletionItem(disclosure_id=disclosure_id, outcome=protos.delivery.DELETION_OUTCOME_DELETED)
    return party.client.delivery.ConfirmDeletion(protos.delivery.ConfirmDeletionRequest(items=[item]), timeout=10)


def delivered_and_ended(world):
    """A disclosure that a recipient has got and is told to delete."""
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    recipient.acknowledge(*recipient.drain())
    expire(world, shared.disclosure_id)
    return recipient, shared


def test_what_may_go_is_recorded_before_anything_goes(retaining):
    fill(retaining, 3 * TILE)
    before = packed_rows(retaining)
    goal = await_tiles(retaining)
    assert await_pruned(retaining, goal) == goal
    rows = retaining.sandbox.query("SELECT until, ledger_index FROM needtoknow.pruned ORDER BY until")
    found = dict(ledger.entries(retaining.sandbox))
    for until_index, index in rows:
        entry = found[index]
        assert (ledger.kind_name(entry), entry.pruned_until, entry.actor) == ("PRUNED", until_index, "system")
        assert index >= until_index, "an entry that says so of itself would be gone"
        assert len(entry.policy_digest) == 32
    assert packed_rows(retaining)[:len(before)] == before, "the daemon removes nothing"


def test_bodies_go_and_every_leaf_stays(retaining):
    fill(retaining, 2 * TILE)
    goal = await_pruned(retaining, await_tiles(retaining))
    retaining.check()
    leaves = list(retaining.checker.leaves)
    expected = [(first, count) for first, count in packed_rows(retaining) if first + count > goal]
    maintain(retaining.sandbox)
    assert packed_rows(retaining)[:len(expected)] == expected
    hashes = retaining.sandbox.query("SELECT hashes FROM needtoknow.tile WHERE level = 0 ORDER BY number")
    stored = b"".join(bytes(row[0]) for row in hashes)
    assert stored == b"".join(leaves[:len(stored) // 32]) and len(stored) // 32 >= goal
    assert "bodies: 0 entries" in maintain(retaining.sandbox).stdout


def shared_index(world, disclosure_id):
    return world.sandbox.query("SELECT shared_index FROM needtoknow.disclosure WHERE disclosure_id = %s", disclosure_id)[0][0]


def long_lived(world):
    return world.share(world.person(), world.recipient(), service="staged", starts_in=3000, lasts=600).disclosure_id


def held_up(world, disclosure_id):
    """Everything behind this disclosure is old and signed, and a look that gets as far as it does not get past it; where it stops."""
    index = shared_index(world, disclosure_id)
    earlier = next(iter(world.sandbox.query(
        "SELECT disclosure_id::text FROM needtoknow.disclosure WHERE state = 1 AND shared_index < %s", index)))[0]
    fill(world, 2 * TILE)
    goal = await_tiles(world)
    world.sandbox.wait_until(world.sandbox.database_now() + 1)
    assert pruned(world) <= shared_index(world, earlier) < whole_tiles(index) < goal
    expire(world, earlier)
    assert await_pruned(world, shared_index(world, earlier)) == whole_tiles(index)
    return goal


def test_nothing_of_a_live_disclosure_is_pruned(retaining):
    fill(retaining, TILE)
    long_lived(retaining)
    fill(retaining, TILE)
    live = long_lived(retaining)
    goal = held_up(retaining, live)
    expire(retaining, live)
    assert await_pruned(retaining, goal) >= goal


def test_nothing_is_pruned_that_somebody_has_not_confirmed_to_have_deleted(retaining):
    fill(retaining, TILE)
    long_lived(retaining)
    fill(retaining, TILE)
    owing, owed = delivered_and_ended(retaining)
    goal = held_up(retaining, owed.disclosure_id)
    retaining.check()
    maintain(retaining.sandbox)
    who = "SELECT subject_id, booking_id FROM needtoknow.disclosure WHERE disclosure_id = %s"
    assert None not in retaining.sandbox.query(who, owed.disclosure_id)[0], "who owes a deletion is still told of what"
    confirm(owing, owed.disclosure_id)
    assert await_pruned(retaining, goal) >= goal


def test_calls_about_what_was_cleared_are_answered(retaining):
    """Subject, booking and body are gone; the recipient's and the booking system's late calls find something orderly."""
    recipient = retaining.recipient()
    request = retaining.share_request(retaining.person(), recipient)
    shared = retaining.booking.sharing.Share(request, timeout=10)
    deliveries = recipient.drain()
    expire(retaining, shared.disclosure.disclosure_id)
    confirm(recipient, shared.disclosure.disclosure_id)
    fill(retaining, 2 * TILE)
    await_pruned(retaining, await_tiles(retaining))
    retaining.check()
    who = "SELECT subject_id, booking_id FROM needtoknow.disclosure WHERE disclosure_id = %s"

    def cleared():
        maintain(retaining.sandbox)
        return retaining.sandbox.query(who, shared.disclosure.disclosure_id) == [(None, None)]
    until(cleared, 20, "a disclosure that lost its subject", every=0.2)
    recipient.acknowledge(*deliveries)
    confirm(recipient, shared.disclosure.disclosure_id)
    got = retaining.booking.sharing.GetDisclosure(
        protos.sharing.GetDisclosureRequest(disclosure_id=shared.disclosure.disclosure_id), timeout=10)
    assert got.disclosure.booking_id == ""
    with pytest.raises(grpc.RpcError) as raised:
        retaining.booking.sharing.Share(request, timeout=10)
    assert raised.value.code() in (grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT)
    assert retaining.person() and recipient.drain() == []


def test_the_leaf_of_a_pruned_entry_is_that_of_the_receipt(retaining):
    """Whoever kept a receipt, or the entry, finds it in the tiles."""
    request = retaining.share_request(retaining.person(), retaining.recipient())
    shared = retaining.booking.sharing.Share(request, timeout=10)
    expire(retaining, shared.disclosure.disclosure_id)
    index, leaf = shared.receipt.ledger_index, shared.receipt.leaf_hash
    body = dict(ledger.entries(retaining.sandbox))[index].SerializeToString()
    assert leaf_hash(body) == leaf
    fill(retaining, 2 * TILE)
    goal = await_pruned(retaining, await_tiles(retaining))
    assert goal > index
    retaining.check()
    retaining.sandbox.query("DELETE FROM needtoknow.ledger AS l WHERE l.first_index + l.count <= %s", goal)  # whom it was about is kept
    again = retaining.booking.sharing.Share(request, timeout=10)
    assert again.receipt == shared.receipt, "the repeated request is answered as before"
    assert index not in dict(ledger.entries(retaining.sandbox))
    ((hashes,),) = retaining.sandbox.query("SELECT hashes FROM needtoknow.tile WHERE level = 0 AND number = %s", index // TILE)
    assert bytes(hashes)[index % TILE * 32:][:32] == leaf


def test_pruned_entries_are_listed_by_their_leaves(retaining):
    fill(retaining, 2 * TILE)
    await_pruned(retaining, await_tiles(retaining))
    retaining.check()
    maintain(retaining.sandbox)
    first_kept = packed_rows(retaining)[0][0]
    assert first_kept > 0
    page = retaining.auditor.audit.ListEntries(audit_pb2.ListEntriesRequest(page_size=100), timeout=20)
    assert [entry.index for entry in page.entries] == list(range(100))
    for entry in page.entries:
        assert (entry.body, entry.HasField("entry"), entry.leaf_hash) == (b"", False, retaining.checker.leaves[entry.index])
    received = retaining.auditor.audit.StreamEntries(audit_pb2.StreamEntriesRequest(from_index=first_kept - 5), timeout=20)
    streamed = [entry for answer in received for entry in answer.entries]
    assert [entry.index for entry in streamed[:10]] == list(range(first_kept - 5, first_kept + 5))
    for index, entry in enumerate(streamed[:10], first_kept - 5):
        assert (entry.index, entry.leaf_hash) == (index, retaining.checker.leaves[index])
        assert (entry.body == b"") == (index < first_kept)


def test_a_pruned_entry_is_proved_against_checkpoints_from_before_and_after(retaining):
    retaining.check()
    checkpoints = retaining.sandbox.query("SELECT size, root_hash FROM needtoknow.checkpoint ORDER BY size")
    leaves = retaining.checker.leaves
    fill(retaining, 2 * TILE)
    await_pruned(retaining, await_tiles(retaining))
    retaining.check()
    maintain(retaining.sandbox)
    assert packed_rows(retaining)[0][0] > 0
    size, root = checkpoints[-1]
    assert root_of(leaves[:size]) == bytes(root)
    newest, newest_root = retaining.sandbox.query("SELECT size, root_hash FROM needtoknow.checkpoint ORDER BY size DESC LIMIT 1")[0]
    for tree, tree_root in ((size, root), (newest, newest_root)):
        proof = retaining.auditor.audit.GetInclusionProof(audit_pb2.GetInclusionProofRequest(index=3, tree_size=tree), timeout=20)
        assert inclusion_holds(leaves[3], 3, tree, proof.hashes, bytes(tree_root))
    proof = retaining.auditor.audit.GetConsistencyProof(audit_pb2.GetConsistencyProofRequest(from_size=size, to_size=newest), timeout=20)
    assert consistency_holds(size, newest, bytes(root), bytes(newest_root), proof.hashes)


def test_what_is_younger_than_the_policy_keeps_it_is_not_reached(shared_world):
    """The daemon's own statement, where ages can be chosen."""
    text = (ROOT / "src" / "sql" / "retention.sql").read_text()
    (statement,) = re.findall(r"^-- name: prune_reach\n(?:--.*\n)*((?s:.*?));$", text, re.M)
    scratch = Scratch(shared_world.sandbox)
    try:
        for age in ("3 d", "2 d", "1 d", "0 d"):
            scratch.append(100, age=age)
        scratch.query(f"PREPARE reach AS {statement}")
        day = 86_400_000_000
        reach = lambda keep: scratch.query(f"EXECUTE reach(ARRAY[{keep}::bigint])")[0][1]
        assert [reach(keep) for keep in (4 * day, 5 * day // 2, 3 * day // 2, day // 2, 0)] == [0, 100, 200, 300, 400]
    finally:
        scratch.close()


def test_nothing_is_pruned_by_a_policy_that_is_in_force_no_more():
    """Another machine's policy, which this one cannot use, comes while PRUNED waits for the ledger's head."""
    world = World.up(policy_text=forgetful_policy())
    sandbox = world.sandbox
    workers = sandbox.workers()
    holder = sandbox.connect(autocommit=False)
    try:
        fill(world, TILE)
        with holder.cursor() as cursor:
            cursor.execute("SELECT 1 FROM needtoknow.head FOR UPDATE")
            before = pruned(world)
            until(lambda: sandbox.query("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'needtoknow train'"
                " AND wait_event_type = 'Lock'")[0][0], 20, "the look that wants to be recorded", every=0.005)
            sandbox.query("INSERT INTO needtoknow.policy VALUES (1000, sha256('x'), 'not: one of this version')")
            sandbox.query("INSERT INTO needtoknow.policy_activation VALUES (1000000, 1000, now(), 'somebody')")
            sandbox.query("NOTIFY needtoknow, '1 another policy'")
            until(lambda: "cannot be used by this one" in sandbox.log(), 4, "the news")
            holder.rollback()
        sandbox.wait_not_serving()
        assert sandbox.workers() == workers, "nobody died of it"
        assert pruned(world) == before
    finally:
        holder.close()
        world.down()


def test_an_operator_hears_that_the_ledger_will_outgrow_its_partitions():
    world = World.up()
    try:
        assert 'needtoknow_ledger_room_short{worker="1"} 0' in world.sandbox.metrics()
        world.sandbox.query("ALTER TABLE needtoknow.ledger DETACH PARTITION needtoknow.ledger_1")
        world.sandbox.query("DROP TABLE needtoknow.ledger_1")
        world.sandbox.restart()
        until(lambda: 'needtoknow_ledger_room_short{worker="1"} 1' in world.sandbox.metrics(), 10, "the metric")
        assert "run `needtoknowd maintain`" in world.sandbox.log()
        assert "partitions: 2 added" in maintain(world.sandbox).stdout
        world.sandbox.restart()
        world.share(world.person(), world.recipient())
        assert 'needtoknow_ledger_room_short{worker="1"} 0' in world.sandbox.metrics()
        world.check()
    finally:
        world.down()
