"""
Fills a ledger, for the bulk of what tests/bench/ledger measures on: the very rows that the service's trains write (packed entries, head,
slices by recipient, disclosures, sendings, orders to delete, subjects' keys), a past of months in minutes. Each leaf and the head are
hashed as RFC 6962 says, by the tests' own code: the daemon that is then started over it signs it, and whoever verifies it finds no fault.
What differs: rows are written as they ended up, so there are none of the dead rows that updates leave.
"""

import hashlib
import hmac
import io
import math
import queue
import random
import sys
import threading

import psycopg2

from . import history, rows
from .setting import ROOT

sys.path.insert(0, str(ROOT / "tests" / "system"))

from needtoknow_testing import protos  # noqa: E402
from needtoknow_testing.ledger import unpack  # noqa: E402
from needtoknow_testing.merkle import Frontier, leaf_hash, node_hash  # noqa: E402

TRUST = "spiffe://maison-claire.example"
SERVICE, RELEASE, FIELDS = "home-cleaning", "visit", ("client.given_name", "client.home_address", "client.phone")
MARK_EVERY = 4  # entries: as src/service/departure.c
COMMON_KINDS = 1818  # those that the index ledger_rare leaves out
CHUNK = 100_000  # entries a transaction
REPORT = 1_000_000
BEGINNING_MAX = 1000
KIND, REASON = protos.ledger.EntryKind.Value, protos.ledger.Reason.Value

LEDGER = "ledger (first_index, count, recorded_at, kinds, train_id, bodies, marks, rare)"
SLICE = "recipient_slice (recipient_id, first_index, entries, kinds)"
DISCLOSURE = "disclosure (disclosure_id, subject_id, booking_id, recipient_id, service, policy_number, state, starts_at, ends_at," \
    " expires_at, created_at, request_digest, shared_index, ended_index)"
SENT = "sent (disclosure_id, release, serial, ledger_index, recipient_id, device, sent_at, free_at, acknowledged_index, open, commitment," \
    " for_device)"
WITHDRAWAL = "withdrawal (disclosure_id, device, recipient_id, cause, recorded_at, delete_by, ledger_index, leaf_hash, confirmed_index," \
    " outcome, ground, confirmed_at)"
DUE = "due (recipient_id, device, due_at, disclosure_id, release)"
DEVICE = "device (recipient_id, device, first_seen_at)"
KEY = "subject_key (subject_id, pseudonym, key)"
RECIPIENT = "recipient (recipient_id, kind, display_name, services, agreement_ref, agreement_from, agreement_until, deliver_to, changed_index)"
REFERENCE = "entry_reference (ledger_index, subject_id, booking_id, recipient_id)"
TABLES = (LEDGER, SLICE, DISCLOSURE, SENT, WITHDRAWAL, DUE, KEY, RECIPIENT, DEVICE, REFERENCE)


def client_id(number):
    return f"C{number + 1:06d}"


def booking_id(number):
    return f"V{number + 1:08d}"


def recipient_id(number):
    return f"provider-{number + 1:05d}"


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, value):
    """Of a protobuf message: a number, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def moment(number, microseconds):
    seconds, rest = divmod(microseconds, 1_000_000)
    return field(number, field(1, seconds) + (field(2, rest * 1000) if rest else b""))


class Writer:
    """Entries in, rows out: packs trains, keeps the frontier. `flush` is given the rows of each chunk."""

    def __init__(self, policy_number, policy_digest, flush):
        self.policy_number, self.flush = policy_number, flush
        self.frontier = Frontier()
        self.now = 0
        self.secret = hashlib.sha256(b"of the benchmark").digest()
        self.clients = set()  # that have a key
        self.draw = random.Random(2)
        self.live = {}
        self._empty()
        self._begin_train()
        # What all entries of a kind have in common.
        self.service = field(8, SERVICE) + field(9, "dpv:ServiceProvision") + field(10, "contract")
        self.digest = field(15, policy_digest)
        self.fields = b"".join(field(12, name) for name in FIELDS)

    def _empty(self):
        self.tables = {table: bytearray(rows.HEADER) for table in TABLES}
        self.chunk = 0

    def _begin_train(self):
        self.train, self.kinds, self.slices, self.marks, self.rare, self.bodies = [], 0, {}, [], [], bytearray()

    # A train.

    def entry(self, kind, body, recipient=None):
        """The entry's index; its leaf is the last of the train."""
        at, index = len(self.bodies), self.frontier.size
        if len(self.train) % MARK_EVERY == 0:
            self.marks.append(at)
        if not COMMON_KINDS >> kind & 1:
            self.rare.append(len(self.train) << 6 | kind)
        self.bodies += len(body).to_bytes(2, "big")
        self.bodies += body
        leaf = leaf_hash(body)
        self.frontier.append(leaf)
        self.kinds |= 1 << kind
        if recipient is not None:
            slice_ = self.slices.get(recipient)
            if slice_ is None:
                slice_ = self.slices[recipient] = [[], 0]
            slice_[0].append(len(self.train) << 6 | kind)
            slice_[1] |= 1 << kind
        self.train.append(leaf)
        return index

    def end_train(self):
        if not self.train:
            return
        count = len(self.train)
        first = self.frontier.size - count
        self.train_id = self.draw.randbytes(16)
        self.tables[LEDGER] += rows.row(rows.int8(first), rows.int4(count), rows.time(self.now), rows.int8(self.kinds),
                                        rows.data(self.train_id), rows.data(bytes(self.bodies)), rows.integers(self.marks),
                                        rows.integers(self.rare) if self.rare else rows.NULL)
        slices = self.tables[SLICE]
        for recipient, (entries, kinds) in self.slices.items():
            slices += rows.row(rows.text(recipient), rows.int8(first), rows.integers(entries), rows.int8(kinds))
        self.chunk += count
        self._begin_train()
        if self.chunk >= CHUNK:
            self.end_chunk()

    def end_chunk(self):
        self.flush(self.tables, self.frontier.size, b"".join(self.frontier.peaks), self.now, self.train_id)
        self._empty()

    # What happens.

    def key_of(self, client):
        made = hashlib.sha512(self.secret + client.to_bytes(8, "big")).digest()
        return made[:16], made[16:48]

    def know(self, booking):
        """The parts that all entries of a disclosure have in common; the client's key when it is new."""
        pseudonym, key = self.key_of(booking.client)
        if booking.client not in self.clients:
            self.clients.add(booking.client)
            self.tables[KEY] += rows.row(rows.text(client_id(booking.client)), rows.data(pseudonym), rows.data(key))
        reference = hmac.digest(key, booking_id(booking.number).encode(), "sha256")
        text = booking.disclosure.hex()
        text = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        recipient = recipient_id(booking.recipient)
        booking.parts = (
            recipient,
            field(4, text) + field(5, reference) + field(6, recipient),
            field(7, "default") + self.service,
            field(13, pseudonym),
            self.digest + moment(16, booking.expires_at),
            field(18, f"{text}-0-0"),
            field(3, f"{TRUST}/recipient/{recipient}"),
        )

    def share(self, booking, recorded):
        self.know(booking)
        recipient, ids, _, subject, rest, _, _ = booking.parts
        booking.shared_at = self.now
        booking.shared_index = self.entry(1, b"".join((b"\x08\x01", recorded, BOOKING, ids, self.service, subject, rest)), recipient)
        self.live[booking.number] = booking

    def deliver(self, booking, recorded):
        recipient, ids, device, subject, rest, delivery, actor = booking.parts
        booking.sent_at = self.now
        booking.sent_index = self.entry(3, b"".join((
            b"\x08\x03", recorded, actor, ids, device, RELEASE_FIELD, self.fields, subject, b"\x72\x20", booking.commitment, rest, NEW,
            delivery)), recipient)

    def acknowledge(self, booking, recorded):
        recipient, ids, device, subject, rest, delivery, actor = booking.parts
        booking.acknowledged_index = self.entry(
            4, b"".join((b"\x08\x04", recorded, actor, ids, device, RELEASE_FIELD, subject, rest, delivery)), recipient)

    def end(self, booking, recorded):
        recipient, ids, device, subject, rest, _, _ = booking.parts
        booking.ended_at = self.now
        booking.ended_index = self.entry(8, b"".join((b"\x08\x08", recorded, SYSTEM, ids, self.service, subject, rest, EXPIRED)), recipient)
        booking.withdrawal_index = self.entry(9, b"".join((b"\x08\x09", recorded, SYSTEM, ids, device, subject, rest, EXPIRED)), recipient)
        booking.withdrawal_leaf = self.train[-1]

    def confirm(self, booking, recorded):
        recipient, ids, device, subject, rest, _, actor = booking.parts
        booking.confirmed_at = self.now
        booking.confirmed_index = self.entry(10, b"".join((
            b"\x08\x0a", recorded, actor, ids, device, subject, rest, RETAINED if booking.retained else DELETED)), recipient)
        self.write(self.live.pop(booking.number))

    def refuse(self, booking, recorded):
        recipient, subject = recipient_id(booking.recipient), client_id(booking.client)
        index = self.entry(2, b"".join((b"\x08\x02", recorded, BOOKING, field(6, recipient), self.service, self.digest,
                                        field(17, REASON("REASON_OBJECTED")))), recipient)
        self.tables[REFERENCE] += rows.row(rows.int8(index), rows.text(subject), rows.text(booking_id(booking.number)), rows.text(recipient))

    def register(self, booking, recorded):
        recipient = recipient_id(booking.recipient)
        index = self.entry(22, b"".join((b"\x08\x16", recorded, ADMIN, field(6, recipient), self.digest)), recipient)
        self.tables[REFERENCE] += rows.row(rows.int8(index), rows.NULL, rows.NULL, rows.text(recipient))
        services = b"\0\0\0\1" + bytes(4) + (25).to_bytes(4, "big") + b"\0\0\0\1\0\0\0\1" + rows.text(SERVICE)  # text[]
        self.tables[RECIPIENT] += rows.row(
            rows.text(recipient), rows.int2(1), rows.text(f"Maison {booking.recipient + 1}"), rows.data(services),
            rows.text(f"AG-{booking.recipient + 1}"), rows.time(self.now - 400 * history.DAY), rows.data((2**63 - 1).to_bytes(8, "big")),
            rows.int2(1), rows.int8(index))
        self.tables[DEVICE] += rows.row(rows.text(recipient), rows.text("default"), rows.time(self.now))

    # Rows.

    def write(self, booking):
        """All rows of a booking, as far as it has come."""
        disclosure, recipient = rows.data(booking.disclosure), rows.text(booking.parts[0])
        device = rows.text("default")
        self.tables[DISCLOSURE] += rows.row(
            disclosure, rows.text(client_id(booking.client)), rows.text(booking_id(booking.number)), recipient, rows.text(SERVICE),
            rows.int4(self.policy_number), rows.int2(1 if booking.ended_at is None else 2), rows.time(booking.starts_at),
            rows.time(booking.ends_at), rows.time(booking.expires_at), rows.time(booking.shared_at), rows.data(booking.commitment[:16]),
            rows.int8(booking.shared_index), rows.int8(booking.ended_index))
        if booking.sent_at is None:
            self.tables[DUE] += rows.row(recipient, rows.text(""), rows.time(booking.shared_at), disclosure, rows.int2(0))
            return
        waiting = booking.acknowledged_index is None and booking.ended_at is None
        self.tables[SENT] += rows.row(
            disclosure, rows.int2(0), rows.int2(0), rows.int8(booking.sent_index), recipient, device, rows.time(booking.sent_at),
            rows.time(booking.sent_at + 10 * history.MINUTE), rows.int8(booking.acknowledged_index), rows.boolean(waiting),
            rows.data(booking.commitment), rows.text(""))
        if booking.ended_at is not None:
            confirmed = booking.confirmed_at is not None
            self.tables[WITHDRAWAL] += rows.row(
                disclosure, device, recipient, rows.int2(1), rows.time(booking.ended_at), rows.time(booking.ended_at + history.DAY),
                rows.int8(booking.withdrawal_index), rows.data(booking.withdrawal_leaf), rows.int8(booking.confirmed_index),
                rows.int2((2 if booking.retained else 1) if confirmed else None),
                rows.text("fr:ccom-L123-22" if booking.retained else None), rows.time(booking.confirmed_at))


BOOKING, ADMIN, SYSTEM = (field(3, actor) for actor in (f"{TRUST}/booking/booking", f"{TRUST}/admin/admin", "system"))
RELEASE_FIELD = field(11, RELEASE)
NEW, EXPIRED, DELETED, RETAINED = (field(17, REASON(f"REASON_{name}")) for name in ("NEW", "EXPIRED", "DELETED", "RETAINED"))
ACTS = {
    history.SHARE: Writer.share, history.DELIVER: Writer.deliver, history.ACKNOWLEDGE: Writer.acknowledge, history.END: Writer.end,
    history.CONFIRM: Writer.confirm, history.REFUSE: Writer.refuse, history.REGISTER: Writer.register,
}


class Copier:
    """Sends chunks to the database while the next one is made. As a context; commits each chunk with the head."""

    def __init__(self, uri):
        self.connection = psycopg2.connect(uri)
        self.waiting = queue.Queue(1)
        self.failure = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.waiting.put(None)
        self.thread.join()
        self.connection.close()
        if kind is None and self.failure:
            raise self.failure

    def flush(self, *chunk):
        if self.failure:
            raise self.failure
        self.waiting.put(chunk)

    def _run(self):
        while (chunk := self.waiting.get()) is not None:
            if self.failure:
                continue
            try:
                self._write(*chunk)
            except Exception as error:  # pylint: disable=broad-except  # told by flush() or at the end
                self.failure = error

    def _write(self, tables, size, frontier, now, train_id):
        with self.connection, self.connection.cursor() as cursor:
            for table, text in tables.items():
                if len(text) > len(rows.HEADER):
                    cursor.copy_expert(f"COPY needtoknow.{table} FROM STDIN (FORMAT binary)", io.BytesIO(text + rows.TRAILER), 1 << 20)
            cursor.execute("UPDATE needtoknow.head SET size = %s, frontier = %s, recorded_at = to_timestamp(0) + %s * interval '1 us',"
                           " train_id = %s", (size, frontier, now, train_id))


def root(frontier):
    """Of RFC 6962, from the frontier."""
    found = frontier.peaks[-1]
    for peak in reversed(frontier.peaks[:-1]):
        found = node_hash(peak, found)
    return found


def take_beginning(uri):
    """What the daemon recorded when it was started for the first time (its policy, its keys, recipients); then the ledger is empty."""
    connection = psycopg2.connect(uri)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT size FROM needtoknow.head")
        (size,) = cursor.fetchone()
        if size > BEGINNING_MAX:
            raise RuntimeError(f"this ledger has {size:,} entries already")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SELECT bodies FROM needtoknow.ledger ORDER BY first_index")
        beginning = [protos.ledger.LedgerEntry.FromString(body) for (bodies,) in cursor.fetchall() for body in unpack(bytes(bodies))]
        cursor.execute("TRUNCATE needtoknow.ledger, needtoknow.recipient_slice, needtoknow.tile, needtoknow.checkpoint, needtoknow.train_keys")
        cursor.execute("SELECT p.policy_number, p.digest FROM needtoknow.policy AS p ORDER BY 1 DESC LIMIT 1")
        number, digest = cursor.fetchone()
    connection.close()
    return beginning, number, bytes(digest)


def fill(uri, entries, shape, until, say=lambda text: None):
    """
    Fills the ledger of a daemon that does not run, with about so many entries; `until`: microseconds since 1970, now. Returns how many
    there are, and the root over them. Its notes of checkpoints in state_dir must go too: they are of another ledger.
    """
    beginning, policy_number, policy_digest = take_beginning(uri)
    past = history.History(shape, entries, until)
    sizes = random.Random(3)
    with Copier(uri) as copier:
        writer = Writer(policy_number, policy_digest, copier.flush)
        writer.now = past.begins
        for entry in beginning:
            entry.recorded_at.CopyFrom(protos.timestamp(writer.now / 1e6))
            writer.entry(entry.kind, entry.SerializeToString(deterministic=True), entry.recipient_id or None)
        writer.end_train()
        aboard, room, told = [], 1, REPORT
        for event in past:
            aboard.append(event)
            if len(aboard) < room:
                continue
            board(writer, aboard)
            aboard.clear()
            room = int(math.exp(sizes.random() * math.log(shape.train + 1)))
            if writer.frontier.size >= told:
                say(f"{writer.frontier.size:,} entries")
                told += REPORT
        board(writer, aboard)
        for booking in writer.live.values():
            writer.write(booking)
        writer.end_chunk()
    return writer.frontier.size, root(writer.frontier)


def board(writer, aboard):
    """A train: its time is that of the last that happened."""
    if not aboard:
        return
    writer.now = max(int(aboard[-1][0]), writer.now + 1)
    recorded = moment(2, writer.now)
    for _, act, booking in aboard:
        ACTS[act](writer, booking, recorded)
    writer.end_train()
