"""The ledger as it lies in the database, and the checker that every test ends with."""

import hashlib
import hmac
import struct

from . import protos
from .merkle import Frontier, leaf_hash

ENTRY_KIND = protos.ledger.EntryKind
REASON = protos.ledger.Reason


def kind_name(entry):
    return ENTRY_KIND.Name(entry.kind)[len("ENTRY_KIND_"):]


def reason_name(entry):
    return REASON.Name(entry.reason)[len("REASON_"):]


def unpack(bodies):
    """The entries of a packed row: each behind its u16 big-endian length (C2SP tlog-tiles, entry bundles)."""
    found, at = [], 0
    while at < len(bodies):
        (length,) = struct.unpack_from(">H", bodies, at)
        assert at + 2 + length <= len(bodies), "an entry runs over the row's end"
        found.append(bodies[at + 2:at + 2 + length])
        at += 2 + length
    return found


def rows(cursor, from_index):
    """Packed rows at or after an index."""
    cursor.execute("SELECT first_index, count, kinds, extract(epoch FROM recorded_at) * 1000000, bodies FROM needtoknow.ledger"
                   " WHERE first_index >= %s ORDER BY first_index", (from_index,))
    for first, count, kinds, recorded_at, bodies in cursor.fetchall():
        yield first, count, kinds, int(recorded_at), unpack(bytes(bodies))


def entries(sandbox, from_index=0):
    """[(index, LedgerEntry)] straight from the table."""
    found = []
    with sandbox.connect() as connection, connection.cursor() as cursor:
        for first, _, _, _, bodies in rows(cursor, 0 if from_index == 0 else row_of(cursor, from_index)):
            for offset, body in enumerate(bodies):
                if first + offset >= from_index:
                    found.append((first + offset, protos.ledger.LedgerEntry.FromString(body)))
    connection.close()
    return found


def row_of(cursor, index):
    cursor.execute("SELECT coalesce(max(first_index), 0) FROM needtoknow.ledger WHERE first_index <= %s", (index,))
    return cursor.fetchone()[0]


def size(sandbox):
    return sandbox.query("SELECT size FROM needtoknow.head")[0][0]


def of_kind(found, *kinds):
    return [(index, entry) for index, entry in found if kind_name(entry) in kinds]


def of_disclosure(found, disclosure_id, *kinds):
    return [(index, entry) for index, entry in found
            if entry.disclosure_id == disclosure_id and (not kinds or kind_name(entry) in kinds)]


def commitment(key, delivery):
    """values_commitment as ledger.proto writes it."""
    text = lambda value: struct.pack(">I", len(value)) + value
    message = text(delivery.delivery_id.encode())
    for field in delivery.fields:
        message += text(field.name.encode()) + bytes([field.is_null]) + text(field.value.encode())
    return hmac.new(key, message, hashlib.sha256).digest()


# Nothing is delivered after an entry of these kinds of the same disclosure.
ENDS = {"EXPIRED", "REVOKED", "WITHDRAWN", "ERASED"}


class Checker:
    """
    Reads what is new in the ledger and holds it against every promise that can be seen there: no gap, right leaves and head,
    time never back, nothing delivered after its end, and each delivery that a client got is named.
    """

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.frontier = Frontier()
        self.last_recorded = 0
        self.leaves = []
        self.entries = []
        self.ended = {}
        self.barred = {}  # (recipient, device; '' all): the entry that suspended or revoked it
        self.expires = {}
        self.keys = {}

    def check(self, received=(), audit=None):
        connection = self.sandbox.connect(autocommit=False)
        try:
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            with connection.cursor() as cursor:
                cursor.execute("SELECT size, frontier FROM needtoknow.head")
                head_size, head_frontier = cursor.fetchone()
                for row in rows(cursor, self.frontier.size):
                    self._row(*row)
                assert self.frontier.size == head_size, f"{self.frontier.size} entries, the head says {head_size}"
                assert b"".join(self.frontier.peaks) == bytes(head_frontier), "the head's frontier is not the leaves'"
                for delivery in received:
                    self._received(cursor, delivery)
        finally:
            connection.close()
        if audit is not None:
            self._audited(audit)

    def _row(self, first, count, kinds, recorded_at, bodies):
        assert first == self.frontier.size, f"entry {self.frontier.size} is missing: the next row starts at {first}"
        assert count == len(bodies), f"row {first} says {count} entries and holds {len(bodies)}"
        mask = 0
        for body in bodies:
            entry = protos.ledger.LedgerEntry.FromString(body)
            mask |= 1 << entry.kind
            assert protos.microseconds(entry.recorded_at) == recorded_at, f"the time of entry {self.frontier.size}"
            self._entry(self.frontier.size, entry)
            self.leaves.append(leaf_hash(body))
            self.entries.append(entry)
            self.frontier.append(self.leaves[-1])
        assert kinds == mask, f"row {first} says kinds {kinds:#x}, its entries {mask:#x}"

    def _entry(self, index, entry):
        recorded = protos.microseconds(entry.recorded_at)
        assert recorded >= self.last_recorded, f"time went back at entry {index}"
        self.last_recorded = recorded
        assert entry.kind != 0 and entry.actor, f"entry {index} has no kind or actor: {entry}"
        assert len(entry.policy_digest) in (0, 32), f"entry {index}: {entry}"
        kind, disclosure = kind_name(entry), entry.disclosure_id
        if kind in ("SHARED", "RESCHEDULED", "REASSIGNED") and entry.HasField("expires_at"):
            self.expires[disclosure] = protos.microseconds(entry.expires_at)
        if kind == "RECIPIENT_CHANGED":
            self._recipient_changed(index, entry)
        # One device alone may be ordered to delete, while the disclosure goes on for the others.
        if kind in ENDS and disclosure and reason_name(entry) != "DEVICE_REVOKED":
            self.ended.setdefault(disclosure, index)
        if kind == "DELIVERED":
            for barred in ((entry.recipient_id, ""), (entry.recipient_id, entry.device)):
                assert barred not in self.barred, f"P4: {barred} was barred at {self.barred[barred]}, and is sent {index}"
            assert disclosure not in self.ended, f"P4: {disclosure} ended at {self.ended[disclosure]}, delivered at {index}"
            assert recorded < self.expires[disclosure], f"P4: entry {index} delivers {disclosure} after its expiry"
            assert len(entry.values_commitment) == 32 and len(entry.subject_pseudonym) == 16 and entry.delivery_id, entry
            assert entry.fields, f"entry {index} names no field"

    def _recipient_changed(self, index, entry):
        reason = reason_name(entry)
        if reason == "SUSPENDED":
            self.barred.setdefault((entry.recipient_id, ""), index)
        elif reason == "RESUMED":
            del self.barred[entry.recipient_id, ""]
        elif reason == "DEVICE_REVOKED":
            self.barred[entry.recipient_id, entry.device] = index

    def _received(self, cursor, delivery):
        """P1: what a client holds, the ledger names, and the commitment covers it."""
        index = delivery.receipt.ledger_index
        assert index < self.frontier.size, f"P1: {delivery.delivery_id} came with receipt {index}, beyond the ledger"
        entry = self.entries[index]
        assert kind_name(entry) == "DELIVERED", f"P1: the receipt {index} is a {kind_name(entry)}"
        assert entry.delivery_id == delivery.delivery_id and entry.disclosure_id == delivery.disclosure_id, f"P1: {index}"
        assert entry.release == delivery.release and list(entry.fields) == [field.name for field in delivery.fields], index
        assert delivery.receipt.leaf_hash == self.leaves[index], f"the receipt's leaf hash of entry {index}"
        assert delivery.receipt.recorded_at == entry.recorded_at, index
        key = self._key_of(cursor, entry.subject_pseudonym)
        assert entry.values_commitment == commitment(key, delivery), f"P1: entry {index} commits to other values"
        # The id itself is not compared with the booking system's: it is not in the ledger, its HMAC is.
        assert entry.booking_ref == hmac.new(key, delivery.booking_id.encode(), hashlib.sha256).digest(), index

    def _key_of(self, cursor, pseudonym):
        if pseudonym not in self.keys:
            cursor.execute("SELECT key FROM needtoknow.subject_key WHERE pseudonym = %s", (pseudonym,))
            found = cursor.fetchall()
            assert len(found) == 1, "a delivery's pseudonym has one subject"
            self.keys[pseudonym] = bytes(found[0][0])
        return self.keys[pseudonym]

    def _audited(self, audit):
        """ListEntries tells the same as the table, as far back as the last check did not see."""
        checked = getattr(self, "_listed", 0)
        ((pruned,),) = self.sandbox.query("SELECT coalesce(max(until), 0) FROM needtoknow.pruned")
        token = ""
        while True:
            page = audit.ListEntries(protos.audit.ListEntriesRequest(newest_first=True, page_size=1000, page_token=token))
            for entry in page.entries:
                if entry.body or entry.index >= pruned:
                    assert entry.leaf_hash == leaf_hash(entry.body), f"leaf hash of {entry.index}"
                    assert entry.entry == protos.ledger.LedgerEntry.FromString(entry.body), f"entry {entry.index} and its body"
                else:
                    assert not entry.HasField("entry"), f"entry {entry.index} has no body"
                if entry.index < len(self.leaves):
                    assert entry.leaf_hash == self.leaves[entry.index], f"ListEntries' {entry.index} is not the table's"
            token = page.next_page_token
            if not token or (page.entries and page.entries[-1].index <= checked):
                break
        self._listed = len(self.leaves)
