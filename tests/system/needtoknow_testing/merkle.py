"""RFC 6962 section 2.1, written anew from the RFC for the tests."""

import hashlib


def leaf_hash(body):
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The roots of the complete subtrees of a growing tree, the largest first."""

    def __init__(self):
        self.size = 0
        self.peaks = []

    def append(self, leaf):
        self.peaks.append(leaf)
        size = self.size
        while size & 1:
            right = self.peaks.pop()
            self.peaks.append(node_hash(self.peaks.pop(), right))
            size >>= 1
        self.size += 1

    def root(self):
        return fold(self.peaks)


def fold(peaks):
    """The tree's root from its frontier."""
    if not peaks:
        return hashlib.sha256(b"").digest()
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def root_of(leaves):
    """The recursive definition, as the RFC writes it."""
    if len(leaves) == 0:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(root_of(leaves[:split]), root_of(leaves[split:]))


def root_from_inclusion(index, size, leaf, hashes):
    """RFC 9162 section 2.1.3.2: the root that an inclusion proof leads to, or None when it has another length."""
    fn, sn, root = index, size - 1, leaf
    for sibling in hashes:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            root = node_hash(sibling, root)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = node_hash(root, sibling)
        fn, sn = fn >> 1, sn >> 1
    return root if sn == 0 else None


def is_consistent(first, first_root, second, second_root, hashes):
    """RFC 9162 section 2.1.4.2."""
    if first == second:
        return not hashes and first_root == second_root
    hashes = ([first_root] if first & (first - 1) == 0 else []) + list(hashes)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    if not hashes:
        return False
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node_hash(new, sibling)
        fn, sn = fn >> 1, sn >> 1
    return old == first_root and new == second_root and sn == 0
