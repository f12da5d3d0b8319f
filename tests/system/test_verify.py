"""P5: a running service's ledger, exported, continued, proved and verified: by the command line, and by Go's own library for such logs."""

import os
import shutil
import subprocess

import pytest

from needtoknow_testing import protos, tlog
from needtoknow_testing.auditor import audit
from needtoknow_testing.merkle import leaf_hash
from needtoknow_testing.paths import ROOT, SYSTEM, program
from needtoknow_testing.waiting import until

FULL = 256


def head(world):
    return world.sandbox.query("SELECT size FROM needtoknow.head")[0][0]


def published(world):
    """The last checkpoint's size, once it covers all that is in the ledger now."""
    wanted = head(world)
    ask = lambda: world.auditor.audit.GetCheckpoint(protos.audit.GetCheckpointRequest(), timeout=10).size
    return until(lambda: (size := ask()) >= wanted and size, 20, f"a checkpoint of {wanted} entries")


def grow(world, to):
    """Entries until the ledger has that many: an auditor's questions are entries."""
    request = protos.audit.ListEntriesRequest(page_size=1)
    while (missing := to - head(world)) > 0:
        calls = [world.auditor.audit.ListEntries.future(request, timeout=30) for _ in range(min(missing, 64))]
        for call in calls:
            call.result()
    return published(world)


@pytest.fixture(scope="module")
def vkey(shared_world):
    return shared_world.sandbox.values["VKEY"]


def export(world, directory, vkey, **environment):
    return audit("export-tiles", directory, "--vkey", vkey, sandbox=world.sandbox, **environment)


def verify(directory, vkey, *flags):
    return audit("verify", "--tiles", directory, "--vkey", vkey, *flags)


def size_of(directory):
    return int((directory / "checkpoint").read_text().splitlines()[1])


def files(directory):
    """Path -> (inode, time of change) of each file."""
    return {str(path.relative_to(directory)): (path.stat().st_ino, path.stat().st_mtime_ns)
            for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def exported(world, vkey, tmp_path):
    grow(world, 600)
    export(world, tmp_path / "log", vkey).ok()
    return tmp_path / "log"


def test_what_is_exported_is_the_ledger_as_the_c2sp_documents_write_it(world, vkey, exported):
    rows = world.sandbox.query("SELECT first_index, bodies FROM needtoknow.ledger ORDER BY first_index")
    entries = [entry for _, bodies in rows for entry in tlog.read_bundle(bytes(bodies))][:size_of(exported)]
    expected = dict(tlog.files_of(entries))
    assert {name for name in files(exported)} == {*expected, "checkpoint"}
    for name, content in expected.items():
        assert (exported / name).read_bytes() == content, name
    assert "verified" in verify(exported, vkey).ok().out


def test_continuing_rewrites_only_what_was_not_full(world, vkey, exported):
    before, size = files(exported), size_of(exported)
    grow(world, size + 300)
    export(world, exported, vkey).ok()
    after = files(exported)
    assert size_of(exported) >= size + 300
    for name, identity in before.items():
        if ".p/" in name or name == "checkpoint":
            assert after.get(name) != identity, f"{name} is still there"
        else:
            assert after[name] == identity, f"{name} was written again"
    verify(exported, vkey).ok()
    assert not [name for name in after if ".p/" in name and FULL in (int(name.rsplit("/", 1)[1]), )]


@pytest.mark.parametrize("point,continued,least", [
    ("export.write", False, 8), ("export.written", False, 8), ("export.write", True, 5), ("export.written", True, 5),
    ("export.removed", True, 3)])
def test_an_export_that_was_killed_leaves_what_verifies_and_goes_on(world, vkey, tmp_path, point, continued, least):
    """At every file that it writes or removes."""
    grow(world, 600)
    before = tmp_path / "before"
    before.mkdir()
    if continued:
        export(world, before, vkey).ok()
        grow(world, size_of(before) // FULL * FULL + FULL + 20)
    for count in range(1, 40):
        directory = tmp_path / f"{count}"
        shutil.copytree(before, directory)
        ran = export(world, directory, vkey, NEEDTOKNOW_STOP_AT=f"{point}:{count}")
        if ran.status == 0:
            break
        assert ran.status == -9, ran
        if (directory / "checkpoint").exists():
            verify(directory, vkey).ok()
        export(world, directory, vkey).ok()
        verify(directory, vkey).ok()
        assert set(files(directory)) == exported_names(directory), (point, count)
        shutil.rmtree(directory)
    assert count > least, f"{point} was passed {count - 1} times"


def exported_names(directory):
    entries = [b""] * size_of(directory)
    return {name for name, _ in tlog.files_of(entries)} | {"checkpoint"}


def test_an_interrupted_export_does_not_begin_anew(world, vkey, tmp_path):
    grow(world, 600)
    export(world, tmp_path / "log", vkey, NEEDTOKNOW_STOP_AT="export.written:4")  # two bundles, two tiles
    before = files(tmp_path / "log")
    ran = export(world, tmp_path / "log", vkey).ok()
    assert "512 there before" in ran.out
    after = files(tmp_path / "log")
    assert {name for name in before if after.get(name) == before[name]} == set(before) - {"tile.tmp"}


def test_an_export_into_something_else_is_refused(world, vkey, tmp_path):
    (tmp_path / "letter").write_text("Chère Madame")
    ran = export(world, tmp_path, vkey)
    assert ran.status == 2 and "something else than a log" in ran.err, ran
    assert os.listdir(tmp_path) == ["letter"]


def test_an_export_of_another_log_or_history_is_refused(world, vkey, exported, tmp_path):
    other = tlog.Key(vkey.split("+")[0])
    keys = tmp_path / "keys"
    keys.write_text(f"{vkey}\n{other.vkey}\n")
    forged = tmp_path / "forged"
    tlog.write(forged, other, [f"{index}".encode() for index in range(300)])
    ran = export(world, forged, keys)
    assert ran.status == 1 and "another history" in ran.err, ran
    tlog.write(tmp_path / "longer", other, [f"{index}".encode() for index in range(size_of(exported) + 100000)])
    ran = export(world, tmp_path / "longer", keys)
    assert ran.status == 1 and "rolled back" in ran.err, ran


def test_an_export_into_a_damaged_directory_is_refused(world, vkey, exported):
    partial = next(path for path in exported.glob("tile/0/*.p/*"))
    data = bytearray(partial.read_bytes())
    data[0] ^= 1
    partial.write_bytes(data)
    ran = export(world, exported, vkey)
    assert ran.status == 1 and "is not what its own checkpoint says" in ran.err, ran


def test_gos_own_library_verifies_what_is_exported(world, vkey, exported, tmp_path):
    if shutil.which("go") is None:
        pytest.fail("golang-go is not installed: deploy/install-packages test")
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(tmp_path / "go"), "GOFLAGS": ""}
    program = tmp_path / "verify"
    subprocess.run(["go", "build", "-o", program, SYSTEM / "independent" / "verify.go"], check=True, env=environment, timeout=300)

    def independent():
        return subprocess.run([program, exported, vkey], capture_output=True, text=True, timeout=60)
    assert independent().stdout == f"{size_of(exported)} entries\n"
    grow(world, size_of(exported) + 300)
    export(world, exported, vkey).ok()
    assert independent().stdout == f"{size_of(exported)} entries\n"
    bundle = next(path for path in exported.glob("tile/entries/001"))
    data = bytearray(bundle.read_bytes())
    data[-1] ^= 1
    bundle.write_bytes(data)
    assert "entry 511 does not hash" in independent().stderr


def test_the_service_is_verified_and_continues_an_earlier_checkpoint(world, vkey, tmp_path):
    kept = tmp_path / "kept"
    audit("checkpoint", "--vkey", vkey, "--save", kept, sandbox=world.sandbox).ok()
    grow(world, head(world) + 10)
    ran = audit("verify", "--vkey", vkey, "--since", kept, sandbox=world.sandbox).ok()
    assert "verified: the signature, every leaf and the root" in ran.out
    assert "entries are as they were signed" in ran.out


def test_the_service_is_not_believed_with_another_key_or_history(world, vkey, exported, tmp_path):
    other = tlog.Key(vkey.split("+")[0])
    ran = audit("verify", "--vkey", other.vkey, sandbox=world.sandbox)
    assert ran.status == 1 and "checkpoint" in ran.err, ran
    entries = [entry for path in sorted(exported.glob("tile/entries/00[01]")) for entry in tlog.read_bundle(path.read_bytes())]
    entries[300] = b"another"
    tlog.write(tmp_path / "forged", other, entries)
    keys = tmp_path / "keys"
    keys.write_text(f"{vkey}\n{other.vkey}\n")
    ran = audit("verify", "--vkey", keys, "--since", tmp_path / "forged" / "checkpoint", sandbox=world.sandbox)
    assert ran.status == 1 and "a fork" in ran.err and "entry 300 " in ran.err and "and 1 more" in ran.err, ran


def test_a_checkpoint_is_kept_only_if_it_continues_the_one_that_is_kept(world, vkey, tmp_path):
    kept = tmp_path / "kept"

    def save(key=vkey):
        return audit("checkpoint", "--vkey", key, "--save", kept, sandbox=world.sandbox)
    first = save().ok().out
    assert kept.read_text() == first
    grow(world, head(world) + 1)
    second = save().ok().out
    assert second != first and kept.read_text() == second
    other = tlog.Key(vkey.split("+")[0])
    keys = tmp_path / "keys"
    keys.write_text(f"{vkey}\n{other.vkey}\n")
    for size, what in ((5, "a fork"), (10 ** 9, "rolled back")):
        forged = tlog.checkpoint(other.name, size, leaf_hash(b""), other)
        kept.write_text(forged)
        ran = save(keys)
        assert ran.status == 1 and what in ran.err, ran
        assert kept.read_text() == forged, "the evidence was written over"
    ran = save()
    assert ran.status == 1 and kept.read_text() == forged, ran


@pytest.mark.parametrize("index", [0, 255, 256, 599])
def test_an_entry_is_proved_to_whoever_has_the_key(world, vkey, tmp_path, index):
    grow(world, 600)
    audit("prove", index, "--vkey", vkey, "--out", tmp_path / "one", sandbox=world.sandbox).ok()
    proof, entry = tmp_path / "one.tlog-proof", tmp_path / "one.entry"
    audit("verify", "--proof", proof, "--entry", entry, "--vkey", vkey).ok()
    assert protos.ledger.LedgerEntry.FromString(entry.read_bytes()).kind != 0
    entry.write_bytes(entry.read_bytes()[:-1] + b"x")
    assert audit("verify", "--proof", proof, "--entry", entry, "--vkey", vkey).status == 1


def test_an_entry_that_is_not_there_is_not_proved(world, vkey, tmp_path):
    ran = audit("prove", 10 ** 9, "--vkey", vkey, "--out", tmp_path / "one", sandbox=world.sandbox)
    assert ran.status == 1 and list(tmp_path.iterdir()) == [], ran
    assert audit("prove", "first", sandbox=world.sandbox).status == 2


def test_a_checkpoint_is_mailed_a_day_and_a_rollback_is_too(world, vkey, tmp_path):
    """deploy/systemd/mail-checkpoint, with a sendmail that keeps what it is given."""
    mail, kept = tmp_path / "mail", tmp_path / "kept"
    sendmail = tmp_path / "sendmail"
    sendmail.write_text(f"#!/bin/sh\ncat >{mail}\n")
    sendmail.chmod(0o755)
    certificate, key = world.sandbox.key_pair("auditor")

    def run(vkey):
        return subprocess.run([ROOT / "deploy" / "systemd" / "mail-checkpoint"], capture_output=True, text=True, timeout=60, env={
            "PATH": f"{program('needtoknow').parent}:/usr/bin:/bin", "SENDMAIL": str(sendmail), "CHECKPOINT_FILE": str(kept),
            "CHECKPOINT_TO": "dpo@example.org", "NEEDTOKNOW_ADDRESS": world.sandbox.address, "NEEDTOKNOW_CA": str(world.sandbox.ca),
            "NEEDTOKNOW_CERT": str(certificate), "NEEDTOKNOW_KEY": str(key), "NEEDTOKNOW_VKEY": vkey})
    done = run(vkey)
    assert done.returncode == 0, done
    text = mail.read_text()
    assert "To: dpo@example.org\n" in text and f"checkpoint, {kept.read_text().splitlines()[1]} entries\n" in text
    assert kept.read_text() in text
    other = tlog.Key(vkey.split("+")[0])
    (tmp_path / "keys").write_text(f"{vkey}\n{other.vkey}\n")
    kept.write_text(tlog.checkpoint(other.name, 10 ** 9, leaf_hash(b""), other))
    assert run(str(tmp_path / "keys")).returncode == 1
    assert "NO CHECKPOINT" in mail.read_text() and "rolled back" in mail.read_text()
