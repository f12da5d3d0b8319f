"""Checkpoints and proofs, verified by what C2SP's and the IETF's texts say, with python3-cryptography."""

import base64
import hashlib
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from . import protos
from .ledger import unpack
from .merkle import Frontier, leaf_hash
from .waiting import until


@dataclass
class Checkpoint:
    origin: str
    size: int
    root: bytes
    signers: list  # the key ids that have signed

    @staticmethod
    def key_id(vkey):
        return int(vkey.rsplit("+", 2)[1], 16)


def open_note(note, *vkeys):
    """https://c2sp.org/signed-note, tlog-checkpoint: every signature of a key that is named must verify, and one must be there."""
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    keys = {}
    for vkey in vkeys:
        name, key_id, encoded = vkey.split("+", 2)
        data = base64.b64decode(encoded, validate=True)
        assert data[0] == 1 and len(data) == 33, "an Ed25519 key"
        assert hashlib.sha256(name.encode() + b"\n" + data).digest()[:4] == bytes.fromhex(key_id), "the key's id"
        keys[name, bytes.fromhex(key_id)] = Ed25519PublicKey.from_public_bytes(data[1:])
    signers = []
    assert signatures.endswith("\n")
    for line in signatures[:-1].split("\n"):
        dash, name, encoded = line.split(" ")
        assert dash == "\N{EM DASH}", line
        signature = base64.b64decode(encoded, validate=True)
        signers.append(int.from_bytes(signature[:4], "big"))
        if (name, signature[:4]) in keys:
            keys.pop((name, signature[:4])).verify(signature[4:], text.encode())  # raises
    assert len(keys) < len(vkeys), f"none of {vkeys} has signed {note}"
    origin, size, root = text.split("\n")[:3]
    assert size == str(int(size))
    return Checkpoint(origin, int(size), base64.b64decode(root, validate=True), signers)


class Tree:
    """The leaves that are in the table, and the roots of its beginnings."""

    def __init__(self, sandbox):
        rows = sandbox.query("SELECT bodies FROM needtoknow.ledger ORDER BY first_index")
        self.leaves = [leaf_hash(body) for bodies, in rows for body in unpack(bytes(bodies))]
        frontier = Frontier()
        self.roots = [frontier.root()]
        for leaf in self.leaves:
            frontier.append(leaf)
            self.roots.append(frontier.root())


def published(sandbox):
    """[(size, root, note)] in the order in which they were published."""
    return [(size, bytes(root), note)
            for size, root, note in sandbox.query("SELECT size, root_hash, note FROM needtoknow.checkpoint ORDER BY size")]


def wait_signed(sandbox, timeout=20):
    """Until the last checkpoint covers the whole ledger: its size."""
    def covers():
        ((size, signed),) = sandbox.query(
            "SELECT h.size, coalesce((SELECT max(c.size) FROM needtoknow.checkpoint AS c), 0) FROM needtoknow.head AS h")
        return size if signed == size else None
    return until(covers, timeout, "a checkpoint of the whole ledger")


def append(sandbox, count, a_row=500, actor="system"):
    """Entries by the thousand, as trains of that many would have written them, some with marks and some from before there were any; by the
    database's superuser."""
    connection = sandbox.connect(autocommit=False)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT size, frontier, recorded_at, extract(epoch FROM clock_timestamp()) * 1000000"
                           " FROM needtoknow.head FOR UPDATE")
            size, peaks, last, now = cursor.fetchone()
            frontier = Frontier()
            frontier.size, peaks = size, bytes(peaks)
            frontier.peaks = [peaks[at:at + 32] for at in range(0, len(peaks), 32)]
            now = int(now)
            moment = protos.timestamp_pb2.Timestamp(seconds=now // 1000000, nanos=now % 1000000 * 1000)
            while count:
                number = min(count, a_row)
                bodies, marks = b"", []
                for offset in range(number):
                    if offset % 4 == 0:
                        marks.append(len(bodies))
                    body = protos.ledger.LedgerEntry(kind=protos.ledger.ENTRY_KIND_AUDITED, recorded_at=moment, actor=actor,
                                                     fields=[f"made-{frontier.size}"]).SerializeToString()
                    bodies += len(body).to_bytes(2, "big") + body
                    frontier.append(leaf_hash(body))
                cursor.execute("INSERT INTO needtoknow.ledger (first_index, count, recorded_at, kinds, train_id, bodies, marks)"
                               " VALUES (%s, %s, to_timestamp(%s / 1000000.0), %s, %s, %s, %s)",
                               (frontier.size - number, number, now, 1 << protos.ledger.ENTRY_KIND_AUDITED, bytes(16), bodies,
                                marks if count % 2 else None))
                count -= number
            cursor.execute("UPDATE needtoknow.head SET size = %s, frontier = %s, recorded_at = to_timestamp(%s / 1000000.0),"
                           " train_id = %s", (frontier.size, b"".join(frontier.peaks), now, time.time_ns().to_bytes(16, "big")))
        connection.commit()
    finally:
        connection.close()
    return frontier.size
