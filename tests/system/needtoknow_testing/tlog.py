"""A transparency log written anew from the C2SP documents: signed notes, checkpoints, tiles, proofs. Nothing of ours is in it."""

import base64
import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .merkle import leaf_hash, node_hash, root_of

WIDTH = 256


class Key:
    """https://c2sp.org/signed-note"""

    def __init__(self, name, seed=None):
        self.name = name
        self.private = Ed25519PrivateKey.from_private_bytes(seed) if seed else Ed25519PrivateKey.generate()
        self.public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = hashlib.sha256(name.encode() + b"\n\x01" + self.public).digest()[:4]

    @property
    def vkey(self):
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(b'%c' % 1 + self.public).decode()}"

    def sign(self, text):
        signature = base64.b64encode(self.id + self.private.sign(text.encode())).decode()
        return f"— {self.name} {signature}\n"


def checkpoint(origin, size, root, *keys):
    """https://c2sp.org/tlog-checkpoint"""
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    return text + "\n" + "".join(key.sign(text) for key in keys)


def number_path(number):
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03d}")
    return "/".join(groups)


def tile_path(level, number, width=WIDTH):
    """https://c2sp.org/tlog-tiles; level may be `entries`."""
    return f"tile/{level}/{number_path(number)}" + (f".p/{width}" if width < WIDTH else "")


def levels_of(leaves):
    """The hashes of each level of tiles."""
    levels = [list(leaves)]
    while len(levels[-1]) >= WIDTH:
        below = levels[-1]
        levels.append([root_of(below[at:at + WIDTH]) for at in range(0, len(below) // WIDTH * WIDTH, WIDTH)])
    return levels


def bundle(entries):
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def read_bundle(data):
    entries, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at:at + 2], "big")
        entries.append(data[at + 2:at + 2 + length])
        at += 2 + length
    assert at == len(data)
    return entries


def files_of(entries, leaves=None):
    """Path and content of every tile and bundle. An entry may be None: its body is gone, `leaves` has its hash."""
    leaves = leaves or [leaf_hash(entry) for entry in entries]
    for level, hashes in enumerate(levels_of(leaves)):
        for number in range(0, (len(hashes) + WIDTH - 1) // WIDTH):
            tile = hashes[number * WIDTH:(number + 1) * WIDTH]
            yield tile_path(level, number, len(tile)), b"".join(tile)
    for number in range(0, (len(entries) + WIDTH - 1) // WIDTH):
        part = entries[number * WIDTH:(number + 1) * WIDTH]
        if any(entry is not None for entry in part):
            yield tile_path("entries", number, len(part)), bundle([entry or b"" for entry in part])


def write(directory, key, entries, leaves=None, origin=None):
    """The whole directory; returns the checkpoint's note."""
    directory = Path(directory)
    for path, content in files_of(entries, leaves):
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(content)
    leaves = leaves or [leaf_hash(entry) for entry in entries]
    note = checkpoint(origin or key.name, len(leaves), root_of(leaves), key)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "checkpoint").write_text(note)
    return note


def inclusion(leaves, index):
    """RFC 6962 section 2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return inclusion(leaves[:split], index) + [root_of(leaves[split:])]
    return inclusion(leaves[split:], index - split) + [root_of(leaves[:split])]


def proof(index, hashes, note):
    """https://c2sp.org/tlog-proof"""
    lines = ["c2sp.org/tlog-proof@v1", f"index {index}"] + [base64.b64encode(one).decode() for one in hashes]
    return "\n".join(lines) + "\n\n" + note


__all__ = ["Key", "bundle", "checkpoint", "files_of", "inclusion", "leaf_hash", "node_hash", "proof", "read_bundle", "tile_path", "write"]
