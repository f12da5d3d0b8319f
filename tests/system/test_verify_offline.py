"""P5: whoever has an exported directory and the log's key sees by himself what was changed in it, and where.

The directories are written by tlog.py, which knows the C2SP documents and nothing of ours."""

import os
import shutil

import pytest

from needtoknow_testing import tlog
from needtoknow_testing.auditor import audit
from needtoknow_testing.merkle import leaf_hash, root_of

KEY = tlog.Key("ledger.example/needtoknow")
HASH = 32


def body(index):
    return f"entry {index}, of a log that is not ours".encode()


def entries(size):
    return [body(index) for index in range(size)]


def pruned(until):
    """LedgerEntry{kind: PRUNED, pruned_until}."""
    number, varint = until, b""
    while number > 127:
        varint += bytes([number & 127 | 128])
        number >>= 7
    return b"\x08\x18" + b"\xa0\x01" + varint + bytes([number])


def verify(directory, *flags, key=KEY):
    return audit("verify", "--tiles", directory, "--vkey", key.vkey, *flags)


def wrong(ran, *words):
    """It does not verify; the line that says so has these words."""
    assert ran.status == 1, ran
    first = ran.err.split("does not verify: ", 1)[1].splitlines()[0]
    for word in words:
        assert word in first, ran.err
    return ran


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Three levels: 65,536 + 600 entries."""
    directory = tmp_path_factory.mktemp("large") / "log"
    tlog.write(directory, KEY, entries(65536 + 600))
    return directory


@pytest.fixture
def log(tmp_path):
    """700 entries: two full tiles of leaves, and one of 188."""
    directory = tmp_path / "log"
    tlog.write(directory, KEY, entries(700))
    return directory


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def change_bundle(directory, number, width, change):
    path = directory / tlog.tile_path("entries", number, width)
    found = tlog.read_bundle(path.read_bytes())
    change(found)
    path.write_bytes(tlog.bundle(found))


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 700])
def test_a_log_of_any_size_verifies(tmp_path, size):
    tlog.write(tmp_path / "log", KEY, entries(size))
    ran = verify(tmp_path / "log").ok()
    assert "verified: the signature, every leaf, every tile and the root" in ran.out


def test_three_levels_verify(large):
    assert "66136" in verify(large).ok().out


def test_a_full_tile_stands_for_one_that_was_not_full_yet(log, tmp_path):
    """A log that has grown since the checkpoint, and dropped what is not full any more."""
    earlier = tlog.checkpoint(KEY.name, 300, root_of([leaf_hash(entry) for entry in entries(300)]), KEY)
    (log / "checkpoint").write_text(earlier)
    ran = verify(log)
    # Tile 1 of level 0 is there in full; the one of level 1 is not: it had one hash then and has two now.
    wrong(ran, "tile/1/000.p/1", "there is no such tile")
    shutil.copytree(log / "tile" / "1" / "000.p", tmp_path / "kept")
    (log / "tile/1/000.p/1").write_bytes((tmp_path / "kept" / "2").read_bytes()[:HASH])
    verify(log).ok()


def test_entries_that_are_all_absent_are_missing_unless_nobody_publishes_them(log):
    shutil.rmtree(log / "tile" / "entries")
    wrong(verify(log), "entries 0 to 699", "missing")
    ran = verify(log, "--leaves-only").ok()
    assert "there are no entries here" in ran.out and "there were no entries to verify" in ran.out


def test_leaves_only_does_not_excuse_some_that_are_absent(log):
    (log / tlog.tile_path("entries", 1)).unlink()
    wrong(verify(log, "--leaves-only"), "entries 256 to 511", "missing")


def test_a_size_that_no_directory_has_is_given_up(log):
    root = root_of([leaf_hash(entry) for entry in entries(700)])
    (log / "checkpoint").write_text(tlog.checkpoint(KEY.name, 2 ** 62, root, KEY))
    wrong(verify(log), "there is no such tile", "from entry 0 on")


def test_a_pipe_in_the_directory_is_not_waited_for(log):
    path = log / tlog.tile_path(0, 1)
    path.unlink()
    os.mkfifo(path)
    ran = verify(log)
    assert ran.status == 1 and "no file of that size belongs there" in ran.err, ran


def test_a_private_key_that_is_given_by_mistake_is_not_shown(log, tmp_path):
    secret = f"PRIVATE+KEY+{KEY.name}+{KEY.id.hex()}+c2VjcmV0"
    (tmp_path / "ledger.key").write_text(secret + "\n")
    for given in (secret, tmp_path / "ledger.key"):
        ran = audit("verify", "--tiles", log, "--vkey", given)
        assert ran.status == 2 and "it is the private key" in ran.err, ran
        assert "c2VjcmV0" not in ran.out + ran.err


def test_a_body_that_was_changed_is_named(log):
    change_bundle(log, 1, 256, lambda found: found.__setitem__(44, b"another"))
    wrong(verify(log), "entry 300:", "its body does not hash to its leaf")


def test_a_leaf_that_was_changed_is_told_from_its_body(log):
    flip(log / tlog.tile_path(0, 1), 44 * HASH)
    wrong(verify(log), "entry 300:", "its leaf differs in tile/0/001")


def test_a_leaf_at_the_end_that_was_changed_is_told_from_its_body(log):
    flip(log / tlog.tile_path(0, 2, 188), 100 * HASH)
    wrong(verify(log), "entry 612:", "its leaf differs in tile/0/002.p/188")


def test_a_body_and_its_leaf_changed_together_do_not_match_the_tile_above(log):
    change_bundle(log, 1, 256, lambda found: found.__setitem__(44, b"another"))
    path = log / tlog.tile_path(0, 1)
    data = bytearray(path.read_bytes())
    data[44 * HASH:45 * HASH] = leaf_hash(b"another")
    path.write_bytes(data)
    ran = wrong(verify(log), "tile/0/001:", "entries 256 to 511", "and its leaf with it")
    assert "more" not in ran.err


def test_a_body_and_its_leaf_changed_together_are_named_by_who_has_the_earlier_directory(log, tmp_path):
    earlier = tmp_path / "earlier"
    tlog.write(earlier, KEY, entries(650))
    others = entries(700)
    others[300] = b"another"
    shutil.rmtree(log)
    tlog.write(log, KEY, others)  # with the key, and all of it rewritten
    verify(log).ok()
    wrong(verify(log, "--since", earlier / "checkpoint"), "a fork", "entry 300 ")
    shutil.move(earlier / "checkpoint", tmp_path / "kept")
    wrong(verify(log, "--since", tmp_path / "kept"), "a fork", "between size 0 and size 650")


def test_all_of_it_rewritten_without_the_key_is_not_what_was_signed(log):
    others = entries(700)
    others[300] = b"another"
    for path, content in tlog.files_of(others):
        (log / path).write_bytes(content)
    wrong(verify(log), "the root differs", "one of the entries 0 to 699")


def test_an_earlier_checkpoint_tells_where_what_was_rewritten_begins(log, tmp_path):
    others = entries(700)
    others[600] = b"another"
    for path, content in tlog.files_of(others):
        (log / path).write_bytes(content)
    for size, what in ((590, "one of the entries 590 to 699"), (650, "between size 0 and size 650")):
        leaves = [leaf_hash(entry) for entry in entries(size)]
        (tmp_path / "kept").write_text(tlog.checkpoint(KEY.name, size, root_of(leaves), KEY))
        wrong(verify(log, "--since", tmp_path / "kept"), what)


@pytest.mark.parametrize("place", [0, 44, 254])
def test_an_entry_that_was_removed_is_named(log, place):
    change_bundle(log, 1, 256, lambda found: found.pop(place))
    ran = wrong(verify(log), f"entry {256 + place}:", "it was removed")
    assert "more" not in ran.err


def test_an_entry_that_was_inserted_is_named(log):
    change_bundle(log, 1, 256, lambda found: found.insert(44, b"another"))
    ran = wrong(verify(log), "entry 300:", "inserted")
    assert "more" not in ran.err


@pytest.mark.parametrize("one,other", [(44, 45), (0, 255), (44, 100)])
def test_two_entries_that_were_swapped_are_named(log, one, other):
    def swap(found):
        found[one], found[other] = found[other], found[one]
    change_bundle(log, 1, 256, swap)
    ran = wrong(verify(log), f"entry {256 + one}:", f"it and entry {256 + other} were swapped")
    assert "more" not in ran.err


def test_a_bundle_that_ends_within_an_entry_is_named(log):
    path = log / tlog.tile_path("entries", 2, 188)
    path.write_bytes(path.read_bytes()[:-3])
    wrong(verify(log), "entry 699:", "cut short")


def test_a_tail_that_was_truncated_is_missing(log):
    for path in (tlog.tile_path(0, 2, 188), tlog.tile_path("entries", 2, 188)):
        (log / path).unlink()
    wrong(verify(log), "tile/0/002.p/188: there is no such tile", "from entry 512 on")


def test_a_tail_that_was_truncated_from_all_but_the_checkpoint_is_missing(log):
    signed = (log / "checkpoint").read_text()
    shutil.rmtree(log)
    tlog.write(log, KEY, entries(600))
    (log / "checkpoint").write_text(signed)
    wrong(verify(log), "there is no such tile", "from entry 512 on")


def test_a_tile_that_was_cut_is_named(log):
    path = log / tlog.tile_path(0, 2, 188)
    path.write_bytes(path.read_bytes()[:-HASH])
    wrong(verify(log), "tile/0/002.p/188:", "cut short")


def test_a_hash_of_level_one_is_told_from_the_tile_below(log):
    flip(log / tlog.tile_path(1, 0, 2), HASH)
    wrong(verify(log), "tile/1/000.p/2: hash 1", "the tile below, which is right", "entries from 256 on")


def test_a_hash_of_a_full_tile_of_level_one_is_told_too(large, tmp_path):
    log = tmp_path / "log"
    shutil.copytree(large, log)
    flip(log / tlog.tile_path(1, 0), 7 * HASH)
    ran = wrong(verify(log), "tile/1/000: hash 7", "which is right", f"entries from {7 * 256} on")
    assert "more" not in ran.err


def test_a_leaf_deep_in_three_levels_is_one_fault(large, tmp_path):
    log = tmp_path / "log"
    shutil.copytree(large, log)
    change_bundle(log, 100, 256, lambda found: found.__setitem__(3, b"another"))
    path = log / tlog.tile_path(0, 100)
    data = bytearray(path.read_bytes())
    data[3 * HASH:4 * HASH] = leaf_hash(b"another")
    path.write_bytes(data)
    ran = wrong(verify(log), "tile/0/100:", "entries 25600 to 25855")
    assert "more" not in ran.err


def test_several_faults_are_counted_and_the_first_is_named(log):
    change_bundle(log, 2, 188, lambda found: found.__setitem__(1, b"another"))
    change_bundle(log, 0, 256, lambda found: (found.__setitem__(9, b"another"), found.__setitem__(20, b"another")))
    ran = wrong(verify(log), "entry 9:")
    assert "and 2 more" in ran.err


def test_another_key_and_another_log_are_not_believed(log):
    wrong(verify(log, key=tlog.Key(KEY.name)), "checkpoint")
    wrong(verify(log, key=tlog.Key("elsewhere.example/log")), "checkpoint")
    note = (log / "checkpoint").read_text()
    (log / "checkpoint").write_text(note.replace("\n700\n", "\n699\n"))
    wrong(verify(log), "checkpoint")
    leaves = [leaf_hash(entry) for entry in entries(700)]
    (log / "checkpoint").write_text(tlog.checkpoint("elsewhere.example/log", 700, root_of(leaves), KEY))
    wrong(verify(log), "checkpoint")


def test_a_checkpoint_that_is_replayed_is_a_rollback(log, tmp_path):
    shutil.copy(log / "checkpoint", tmp_path / "kept")
    shutil.rmtree(log)
    tlog.write(log, KEY, entries(600))
    verify(log).ok()
    wrong(verify(log, "--since", tmp_path / "kept"), "rolled back", "700 entries", "it has 600")


@pytest.mark.parametrize("size", [1, 255, 256, 300, 512, 513, 700])
def test_an_earlier_checkpoint_of_any_size_is_the_beginning(log, tmp_path, size):
    leaves = [leaf_hash(entry) for entry in entries(size)]
    (tmp_path / "kept").write_text(tlog.checkpoint(KEY.name, size, root_of(leaves), KEY))
    assert f"the first {size} entries are as they were signed" in verify(log, "--since", tmp_path / "kept").ok().out
    leaves[-1] = leaf_hash(b"another")
    (tmp_path / "kept").write_text(tlog.checkpoint(KEY.name, size, root_of(leaves), KEY))
    wrong(verify(log, "--since", tmp_path / "kept"), "a fork", f"size {size}")


def test_bodies_below_a_pruned_entry_are_gone_by_right(tmp_path):
    bodies = entries(700)
    bodies[650] = pruned(512)
    leaves = [leaf_hash(entry) for entry in bodies]
    tlog.write(tmp_path / "log", KEY, [None] * 400 + bodies[400:], leaves)
    assert "400 legitimately gone (entry 650: PRUNED below 512)" in verify(tmp_path / "log").ok().out


def test_bodies_above_a_pruned_entry_are_missing(tmp_path):
    bodies = entries(700)
    bodies[650] = pruned(256)
    leaves = [leaf_hash(entry) for entry in bodies]
    tlog.write(tmp_path / "log", KEY, [None] * 400 + bodies[400:], leaves)
    wrong(verify(tmp_path / "log"), "entries 256 to 399", "missing")


def test_a_pruned_entry_that_is_not_in_the_tree_allows_nothing(tmp_path):
    bodies = entries(700)
    leaves = [leaf_hash(entry) for entry in bodies]
    bodies[650] = pruned(512)
    tlog.write(tmp_path / "log", KEY, [None] * 256 + bodies[256:], leaves)
    ran = wrong(verify(tmp_path / "log"), "entries 0 to 255", "missing")
    assert "and 1 more" in ran.err


def test_two_keys_of_one_log_while_one_takes_over(log, tmp_path):
    other = tlog.Key(KEY.name)
    leaves = [leaf_hash(entry) for entry in entries(700)]
    (log / "checkpoint").write_text(tlog.checkpoint(KEY.name, 700, root_of(leaves), other))
    keys = tmp_path / "keys"
    keys.write_text(f"# the log's\n{KEY.vkey}\n{other.vkey}\n")
    audit("verify", "--tiles", log, "--vkey", keys).ok()
    audit("verify", "--tiles", log, NEEDTOKNOW_VKEY=keys).ok()


@pytest.fixture
def proof(tmp_path):
    leaves = [leaf_hash(entry) for entry in entries(700)]
    note = tlog.checkpoint(KEY.name, 700, root_of(leaves), KEY)
    (tmp_path / "proof").write_text(tlog.proof(300, tlog.inclusion(leaves, 300), note))
    (tmp_path / "entry").write_bytes(body(300))
    return tmp_path


def prove(directory, key=KEY):
    return audit("verify", "--proof", directory / "proof", "--entry", directory / "entry", "--vkey", key.vkey)


def test_one_entry_is_verified_by_its_proof(proof):
    assert "300 is in the log" in prove(proof).ok().out


def test_a_proof_of_another_entry_or_log_is_refused(proof):
    (proof / "entry").write_bytes(body(301))
    wrong(prove(proof), "entry 300:", "does not lead to the checkpoint's root")
    (proof / "entry").write_bytes(body(300))
    wrong(prove(proof, tlog.Key(KEY.name)), "checkpoint")
    text = (proof / "proof").read_text()
    (proof / "proof").write_text(text.replace("index 300", "index 301"))
    wrong(prove(proof), "entry 301:")
    (proof / "proof").write_text(text.replace("index 300", "index 700"))
    wrong(prove(proof), "the log has 700 entries")
    (proof / "proof").write_text("no proof")
    wrong(prove(proof), "is not a C2SP tlog-proof file")


@pytest.mark.parametrize("words,what", [
    (["--tiles", "."], "whose signature"),
    (["--tiles", "nowhere", "--vkey", KEY.vkey], "nowhere"),
    (["--tiles", "/", "--vkey", KEY.vkey], "holds no checkpoint"),
    (["--proof", "x", "--vkey", KEY.vkey], "belong together"),
    (["--proof", "x", "--entry", "y", "--tiles", ".", "--vkey", KEY.vkey], "do not go with it"),
    (["--tiles", ".", "--vkey", "nothing"], "neither a verifier key nor a file"),
    (["--tiles", ".", "--vkey", KEY.vkey[:-6] + "AAAAA="], "neither"),
    (["--tiles", ".", "--vkey", KEY.vkey, "--since", "nowhere"], "nowhere: there is no such file"),
    (["--tiles", ".", "--vkey", KEY.vkey, "--since", "/"], "Is a directory"),
])
def test_wrong_usage_is_told_from_what_does_not_verify(words, what):
    ran = audit("verify", *words)
    assert ran.status == 2 and what in ran.err, ran
