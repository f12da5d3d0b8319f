"""What a superuser can do to a ledger: its packed rows, tiles, head and checkpoints rewritten, with every trigger off."""

import struct
from dataclasses import dataclass

from . import protos
from .ledger import unpack
from .merkle import Frontier, fold, leaf_hash, node_hash

TILE = 256
MARK_EVERY = 4  # entries: as src/service/departure.c


@dataclass
class Row:
    """A packed row of the ledger; `bodies` may be changed."""
    recorded_at: object
    kinds: int
    train_id: bytes
    bodies: list


def pack(bodies):
    """The row's bytes, and where every MARK_EVERY-th entry begins in them."""
    packed, marks = b"", []
    for number, body in enumerate(bodies):
        if number % MARK_EVERY == 0:
            marks.append(len(packed))
        packed += struct.pack(">H", len(body)) + body
    return packed, marks


def forged(body, **changes):
    """An entry that reads just as well, and says something else."""
    entry = protos.ledger.LedgerEntry.FromString(body)
    for name, value in (changes or {"recipient_id": "somebody-else"}).items():
        setattr(entry, name, value)
    changed = entry.SerializeToString(deterministic=True)
    assert changed != body
    return changed


def tiles_of(leaves):
    """{(level, number): (root, hashes)} of all full tiles."""
    found, level, hashes = {}, 0, leaves
    while len(hashes) >= TILE:
        roots = []
        for number in range(len(hashes) // TILE):
            tile = hashes[number * TILE:(number + 1) * TILE]
            found[level, number] = tile_root(tile), b"".join(tile)
            roots.append(found[level, number][0])
        level, hashes = level + 1, roots
    return found


def tile_root(hashes):
    while len(hashes) > 1:
        hashes = [node_hash(*hashes[at:at + 2]) for at in range(0, len(hashes), 2)]
    return hashes[0]


class Tampering:
    """On one connection, as a superuser, in a transaction that commits at the end. As a context."""

    def __init__(self, connection):
        self.connection = connection
        self.cursor = connection.cursor()

    def __enter__(self):
        self.cursor.execute("SET session_replication_role = replica")
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.connection.commit()
        self.connection.close()

    # The whole ledger at once: these are small.

    def rows(self):
        self.cursor.execute("SELECT recorded_at, kinds, train_id, bodies FROM needtoknow.ledger ORDER BY first_index")
        return [Row(recorded_at, kinds, bytes(train_id), unpack(bytes(bodies)))
                for recorded_at, kinds, train_id, bodies in self.cursor.fetchall()]

    @staticmethod
    def place(rows, index):
        """The row that holds an entry, and its place there."""
        for row in rows:
            if index < len(row.bodies):
                return row, index
            index -= len(row.bodies)
        raise AssertionError("the ledger has no such entry")

    def write(self, rows, first_indices=None):
        """All packed rows anew, one behind the other, or where `first_indices` says."""
        self.cursor.execute("DELETE FROM needtoknow.ledger")
        following = 0
        for number, row in enumerate(rows):
            first = first_indices[number] if first_indices else following
            packed, marks = pack(row.bodies)
            if row.bodies:
                self.cursor.execute(
                    "INSERT INTO needtoknow.ledger (first_index, count, recorded_at, kinds, train_id, bodies, marks)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                    (first, len(row.bodies), row.recorded_at, row.kinds, row.train_id, packed, marks))
            following = first + len(row.bodies)

    def change_body(self, index, body=None):
        """One entry's bytes in its row; what they are now."""
        rows = self.rows()
        row, place = self.place(rows, index)
        row.bodies[place] = body or forged(row.bodies[place])
        self.write(rows)
        return row.bodies[place]

    def change_leaf(self, index, leaf):
        """One hash of the tile that holds it, and nothing above."""
        assert len(leaf) == 32
        self.cursor.execute(
            "UPDATE needtoknow.tile SET hashes = overlay(hashes PLACING %s FROM %s FOR 32) WHERE level = 0 AND number = %s",
            (leaf, index % TILE * 32 + 1, index // TILE))
        assert self.cursor.rowcount == 1, f"the tile of entry {index} is not full yet"

    def rehash(self, rows):
        """Tiles and head as if these rows had always been the ledger."""
        leaves = [leaf_hash(body) for row in rows for body in row.bodies]
        self.cursor.execute("DELETE FROM needtoknow.tile")
        for (level, number), (root, hashes) in tiles_of(leaves).items():
            self.cursor.execute("INSERT INTO needtoknow.tile (level, number, root, hashes) VALUES (%s, %s, %s, %s)",
                                (level, number, root, hashes))
        self.move_head(leaves)
        return fold(self.frontier(leaves).peaks)

    @staticmethod
    def frontier(leaves):
        frontier = Frontier()
        for leaf in leaves:
            frontier.append(leaf)
        return frontier

    def move_head(self, leaves):
        frontier = self.frontier(leaves)
        self.cursor.execute("UPDATE needtoknow.head SET size = %s, frontier = %s", (frontier.size, b"".join(frontier.peaks)))

    def forget_checkpoints(self, from_size):
        """Those of at least so many entries."""
        self.cursor.execute("DELETE FROM needtoknow.checkpoint WHERE size >= %s", (from_size,))


def tile_path(level, number, width=TILE):
    """https://c2sp.org/tlog-tiles"""
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03d}")
    return f"tile/{level}/{'/'.join(groups)}" + (f".p/{width}" if width < TILE else "")


def publish(connection, directory):
    """
    The static directory that whoever holds the database would hand out: its tiles as they lie there, bundles of its rows, and its last
    checkpoint. Nothing is checked.
    """
    def write(path, content):
        whole = directory / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_bytes(content)

    with connection.cursor() as cursor:
        cursor.execute("SELECT size, note FROM needtoknow.checkpoint ORDER BY size DESC LIMIT 1")
        size, note = cursor.fetchone()
        write("checkpoint", note.encode())
        cursor.execute("SELECT bodies FROM needtoknow.ledger ORDER BY first_index")
        bodies = [body for (packed,) in cursor.fetchall() for body in unpack(bytes(packed))][:size]
        for number in range((len(bodies) + TILE - 1) // TILE):
            bundle = bodies[number * TILE:(number + 1) * TILE]
            write(tile_path("entries", number, len(bundle)), pack(bundle)[0])
        cursor.execute("SELECT level, number, root, hashes FROM needtoknow.tile ORDER BY level, number")
        roots = {}
        for level, number, root, hashes in cursor.fetchall():
            write(tile_path(level, number), bytes(hashes))
            roots.setdefault(level, []).append(bytes(root))
        partial = [leaf_hash(body) for body in bodies[len(roots.get(0, ())) * TILE:]]
        for level in range(8):
            hashes = partial if level == 0 else roots.get(level - 1, [])[len(roots.get(level, ())) * TILE:]
            if hashes:
                write(tile_path(level, len(roots.get(level, ())), len(hashes)), b"".join(hashes))
