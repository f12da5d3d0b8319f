"""What must be true afterwards. Each check is a function from a History to sentences, one a breach; none is what one hopes for.

The ledger is one line after the other, so it is the order in which everything took effect. Three things are asked of it: that it is
an order that a service without faults could have made (`possible`), that it agrees with the clients' clocks (`in_real_time`: what was
answered before something else was asked comes before it), and that the clients were told and given what is in it, all the rest. The
first two together are linearizability of Share, Reschedule, Reassign, Revoke, SuspendRecipient, RevokeDevice, Object, Restrict and Erase
against deliveries.
"""

import bisect
import hashlib
import hmac
import struct
from collections import defaultdict

from needtoknow_testing.checkpoint import open_note
from needtoknow_testing.merkle import Frontier, consistency_holds, inclusion_holds

from . import rights
from .history import NEVER

SECOND = 1_000_000
ENDS = {"EXPIRED", "REVOKED", "REASSIGNED"}
LATE = 10.0      # seconds: nobody may be given anything so long after its end, however slow the machine is
OVERDUE = 8.0    # seconds after which what is due at the latest should have happened, when all is well again

# What each method's receipts stand for.
WRITES = {
    "Share": {"SHARED"},
    "Reschedule": {"RESCHEDULED"},
    "Reassign": {"REASSIGNED", "SHARED", "WITHDRAWN"},
    "Revoke": {"WITHDRAWN", *ENDS},  # what has ended already is answered as it is
    "PutRecipient": {"RECIPIENT_CHANGED"},
    "SuspendRecipient": {"RECIPIENT_CHANGED", "REVOKED", "WITHDRAWN"},
    "ResumeRecipient": {"RECIPIENT_CHANGED"},
    "RevokeDevice": {"RECIPIENT_CHANGED", "WITHDRAWN"},
    **rights.WRITES,
}
ENDED = {"FAILED_PRECONDITION EXPIRED", "FAILED_PRECONDITION REVOKED", "FAILED_PRECONDITION SUSPENDED", *rights.BARRED}
# How each method may be refused by what the parties do to each other. Whatever else is answered is a defect.
REFUSALS = {
    "Share": {"PERMISSION_DENIED RECIPIENT_SUSPENDED", "INVALID_ARGUMENT BAD_WINDOW"},
    "Reschedule": ENDED | {"PERMISSION_DENIED RECIPIENT_SUSPENDED", "INVALID_ARGUMENT BAD_WINDOW"},
    "Reassign": ENDED | {"PERMISSION_DENIED RECIPIENT_SUSPENDED", "INVALID_ARGUMENT BAD_WINDOW"},
    "Revoke": ENDED,
    "Fetch": ENDED | {"FAILED_PRECONDITION NOT_DUE", "PERMISSION_DENIED RECIPIENT_SUSPENDED", "PERMISSION_DENIED DEVICE_REVOKED"},
    "Acknowledge": {"PERMISSION_DENIED RECIPIENT_SUSPENDED", "PERMISSION_DENIED DEVICE_REVOKED"},
}
for method, refusals in rights.REFUSALS.items():
    REFUSALS[method] = REFUSALS.get(method, set()) | refusals
STATES = {"EXPIRED": "EXPIRED", "REVOKED": "REVOKED", "REASSIGNED": "REVOKED"}


def state_of(end):
    """The state that a disclosure has after the line that ended it."""
    return "SUSPENDED" if end.reason == "SUSPENDED" else rights.STATES.get(end.reason, STATES[end.kind])


class Ledger:
    """The lines, found by what they are about."""

    def __init__(self, history):
        self.lines = history.lines
        self.of_kind, self.of_disclosure, self.of_train = defaultdict(list), defaultdict(list), defaultdict(list)
        self.of_subject = defaultdict(list)
        self.end, self.shared, self.acknowledged, self.confirmed, self.withdrawn = {}, {}, {}, {}, {}
        for line in self.lines:
            self.of_kind[line.kind].append(line)
            self.of_train[line.train].append(line)
            if line.pseudonym:
                self.of_subject[line.pseudonym].append(line)
            if line.disclosure:
                self.of_disclosure[line.disclosure].append(line)
            if line.kind in ENDS:
                self.end.setdefault(line.disclosure, line)
            elif line.kind == "SHARED":
                self.shared.setdefault(line.disclosure, line)
            elif line.kind == "ACKNOWLEDGED":
                self.acknowledged.setdefault(line.delivery, []).append(line)
            elif line.kind == "WITHDRAWN":
                self.withdrawn.setdefault((line.disclosure, line.device), line)
            elif line.kind == "DELETION_CONFIRMED":
                self.confirmed.setdefault((line.disclosure, line.device), line)

    def at(self, index):
        return self.lines[index] if 0 <= index < len(self.lines) else None

    def expiries(self, disclosure):
        """What it had one after the other, as it was moved."""
        return [line.expires_at for line in self.of_disclosure[disclosure] if line.kind in ("SHARED", "RESCHEDULED")]


def commitment(key, delivery, values):
    """values_commitment as ledger.proto writes it."""
    text = lambda value: struct.pack(">I", len(value)) + value
    message = text(delivery.encode())
    for name, value in values.items():
        message += text(name.encode()) + bytes([value is None]) + text((value or "").encode())
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def keys_by_pseudonym(history):
    return {pseudonym: bytes.fromhex(key) for pseudonym, key in history.keys.values()}


# --------------------------------------------------------------------------------------------------- the ledger by itself

def no_gap_in_the_indices(history):
    """P5, P6: 0, 1, 2, ... as far as the head says, the head's tree is theirs, and time never goes back."""
    frontier, last = Frontier(), 0
    for place, line in enumerate(history.lines):
        if line.index != place:
            yield f"where entry {place} should be there is {line.index}"
            return
        if line.at < last:
            yield f"time goes back at entry {line.index}"
        last = line.at
        frontier.append(bytes.fromhex(line.leaf))
    if history.size != len(history.lines):
        yield f"the head says {history.size} entries, there are {len(history.lines)}"
    elif b"".join(frontier.peaks).hex() != history.frontier:
        yield "the head's tree is not that of the entries"


def all_proofs_valid(history):
    """P5: every checkpoint ever signed or given is of this very ledger, and every proof leads to one."""
    frontier, roots = Frontier(), [Frontier().root()]
    for line in history.lines:
        frontier.append(bytes.fromhex(line.leaf))
        roots.append(frontier.root())
    known = {}
    for note in [*history.published, *history.notes, *(proof.note for proof in history.proofs)]:
        if note in known:
            continue
        try:
            known[note] = open_note(note, history.vkey)
        except Exception as error:  # pylint: disable=broad-except
            yield f"a checkpoint whose signature does not hold ({error!r}): {note!r}"
            continue
        if known[note].size >= len(roots) or known[note].root != roots[known[note].size]:
            yield f"the checkpoint of {known[note].size} entries is of another ledger"
    sizes = [known[note].size for note in history.notes if note in known]
    if sizes != sorted(sizes):
        yield f"an auditor was given a smaller checkpoint after a larger one: {sizes}"
    for proof in history.proofs:
        opened = known.get(proof.note)
        hashes = [bytes.fromhex(each) for each in proof.hashes]
        if opened and not inclusion_holds(bytes.fromhex(proof.leaf), proof.index, opened.size, hashes, opened.root):
            yield f"the proof that entry {proof.index} is in {opened.size} does not hold"
    for proof in history.consistencies:
        hashes = [bytes.fromhex(each) for each in proof.hashes]
        if proof.second >= len(roots) or not consistency_holds(
                proof.first, proof.second, roots[proof.first], roots[proof.second], hashes):
            yield f"the proof that {proof.second} entries go on from {proof.first} does not hold"


def possible(history):
    """P4, P6, P8: line after line, what a service without any fault could have done."""
    model = Model(history)
    for line in history.lines:
        step = getattr(model, line.kind.lower(), None)
        for breach in step(line) if step else ():
            yield f"entry {line.index} ({line.kind}): {breach}"
    yield from model.halves()


class Model(rights.RightsModel):
    """The service as one reads about it: recipients, devices and disclosures, changed by one line at a time. A method a kind."""

    def __init__(self, history):
        super().__init__()
        self.ledger = Ledger(history)
        self.gone = set()         # recipients that are suspended, (recipient, device)s that are revoked
        self.owner = {}           # {disclosure: recipient}
        self.ends = {}            # {disclosure: the line that ended it}
        self.expires, self.due = {}, {}
        self.holders = {}         # {disclosure: devices that were sent something}
        self.first = {}           # where each release was new
        self.latest = {}          # {disclosure: {device: (due, release)}}: of what was new to it, the last to become due
        self.sent = {}            # {delivery: its first line}
        self.waiting = set()      # deliveries that were not acknowledged since they were last sent
        self.seen = set()         # what may be there once
        self.every = set(history.every_device)
        # What clients were told of due times, by the entry that made them so.
        self.told = {(told.disclosure, index): told.due for operation in history.operations if operation.ok
                     for told in operation.disclosures for index, _ in operation.receipts}

    def _once(self, line, *what):
        if (line.kind, *what) in self.seen:
            yield f"a second time for {what}"
        self.seen.add((line.kind, *what))

    def _place(self, line, *what):
        """Of a recipient of which each device gets everything, each counts for itself."""
        return (*what, line.device if line.recipient in self.every else "")

    def _alive(self, line):
        if line.disclosure not in self.owner:
            yield f"{line.disclosure} is not shared"
        elif line.disclosure in self.ends:
            yield f"{line.disclosure} has ended at {self.ends[line.disclosure].index}"
        elif line.recipient != self.owner[line.disclosure]:
            yield f"{line.disclosure} is {self.owner[line.disclosure]}'s, not {line.recipient}'s"

    def shared(self, line):
        yield from self._once(line, line.disclosure)
        if line.recipient in self.gone:
            yield f"{line.recipient} is suspended"
        yield from self.barred(line)
        self.owner[line.disclosure] = line.recipient
        self._window(line)

    def rescheduled(self, line):
        yield from self._alive(line)
        self._window(line)

    def _window(self, line):
        self.expires[line.disclosure] = line.expires_at
        self.due[line.disclosure] = self.told.get((line.disclosure, line.index), {})
        # What went out before it was moved says nothing of what comes after.
        self.latest[line.disclosure] = {}

    def _in_turn(self, line):
        """Within a disclosure a device gets the releases in the order in which they became due. Those of one train: a release whose
        source failed, or that another worker holds, lets the others pass."""
        due, latest = self.due.get(line.disclosure, {}).get(line.release), self.latest.get(line.disclosure, {})
        if line.reason != "NEW" or due is None:
            return
        later, release = latest.get((line.device, line.train), (due, line.release))
        if later > due:
            yield f"{line.release} of {line.disclosure} comes to {line.device} after {release}, which was due {(later - due) / SECOND} s later"
        latest[line.device, line.train] = max((due, line.release), (later, release))

    def delivered(self, line):
        yield from self._alive(line)
        yield from self.barred(line)
        if line.at >= self.expires.get(line.disclosure, 0):
            yield f"{line.disclosure} has expired"
        if line.recipient in self.gone:
            yield f"{line.recipient} is suspended"
        if (line.recipient, line.device) in self.gone:
            yield f"{line.recipient}/{line.device} is revoked"
        early = self.due.get(line.disclosure, {}).get(line.release, 0) - line.at
        if early > 0:
            yield f"{line.release} of {line.disclosure} is due {early / SECOND} s later"
        yield from self._in_turn(line)
        if not line.fields or not line.commitment or not line.delivery:
            yield "it does not say what"
        place = self._place(line, line.disclosure, line.release)
        if line.reason == "NEW" and place in self.first:
            yield f"{place} was sent before, at {self.first[place]}, and this does not say that it is a repeat"
        if line.reason == "REPEATED" and line.delivery not in self.sent:
            yield f"{line.delivery} is repeated and never was sent"
        self.first.setdefault(place, line.index)
        self.sent.setdefault(line.delivery, line)
        self.waiting.add(self._place(line, line.delivery))
        self.holders.setdefault(line.disclosure, set()).add(line.device)

    def acknowledged(self, line):
        if line.delivery not in self.sent or self.sent[line.delivery].recipient != line.recipient:
            yield f"{line.delivery} was not sent to {line.recipient}"
        elif self._place(line, line.delivery) not in self.waiting:
            yield f"a second time for {line.delivery}, which was not sent again meanwhile"
        self.waiting.discard(self._place(line, line.delivery))

    def _end(self, line):
        yield from self._alive(line)
        self.ends.setdefault(line.disclosure, line)
        # Whoever holds something of it is ordered to delete it by the same transaction.
        for device in sorted(self.holders.get(line.disclosure, ())):
            order = self.ledger.withdrawn.get((line.disclosure, device))
            if order is None or (order.index > line.index and order.train != line.train):
                yield f"{line.disclosure} ends without an order to {device}"

    def expired(self, line):
        if line.at < self.expires.get(line.disclosure, 0) and line.reason == "EXPIRED":
            yield f"{line.disclosure} ends {(self.expires[line.disclosure] - line.at) / SECOND} s early"
        yield from self.kept(line)
        yield from self._end(line)

    def revoked(self, line):
        yield from self._end(line)

    def reassigned(self, line):
        yield from self._end(line)

    def withdrawn(self, line):
        yield from self._once(line, line.disclosure, line.device)
        if line.disclosure not in self.ends and (line.recipient, line.device) not in self.gone:
            yield f"{line.disclosure} has not ended, and {line.device} is not revoked"
        if line.device not in self.holders.get(line.disclosure, ()):
            yield f"{line.device} was sent nothing of {line.disclosure}"

    def deletion_confirmed(self, line):
        yield from self._once(line, line.disclosure, line.device)
        if ("WITHDRAWN", line.disclosure, line.device) not in self.seen:
            yield f"{line.disclosure} was not withdrawn from {line.device}"

    def recipient_changed(self, line):
        if line.reason in ("SUSPENDED", "DEVICE_REVOKED"):
            yield from self._once(line, line.recipient, line.device, line.index if line.reason == "SUSPENDED" else 0)
            self.gone.add((line.recipient, line.device) if line.device else line.recipient)
        elif line.reason == "RESUMED":
            live = [each for each, owner in self.owner.items() if owner == line.recipient and each not in self.ends]
            if live:
                yield f"{line.recipient} is back, and {live} never ended"
            self.gone.discard(line.recipient)

    def refused(self, line):
        if line.reason == "RECIPIENT_SUSPENDED" and line.recipient and line.recipient not in self.gone:
            yield f"{line.recipient} is not suspended"
        yield from self.refused_by(line)

    def halves(self):
        """Reassign: never both, never neither. Its two halves are one transaction."""
        for line in self.ledger.of_kind["REASSIGNED"]:
            others = [each for each in self.ledger.of_train[line.train] if each.kind == "SHARED"
                      and each.booking_ref == line.booking_ref and each.disclosure != line.disclosure]
            if not others:
                yield f"entry {line.index}: {line.disclosure} went to nobody"


def in_real_time(history):
    """What had been answered, or had arrived, before something else was asked for stands before it in the ledger."""
    done = [(operation.ended, max(index for index, _ in operation.receipts)) for operation in history.operations
            if operation.ok and operation.receipts]
    done += [(arrival.at, arrival.index) for arrival in history.arrivals]
    done += [(order.at, order.index) for order in history.orders]
    done.sort()
    times, highest = [moment for moment, _ in done], []
    for _, index in done:
        highest.append(max(index, highest[-1] if highest else -1))
    before = lambda moment: highest[bisect.bisect_left(times, moment) - 1] if bisect.bisect_left(times, moment) else -1
    ledger = Ledger(history)
    for operation in history.operations:
        seen = before(operation.started)
        own = [index for index, _ in operation.receipts if is_its_own(ledger.at(index), operation)]
        if operation.ok and own and min(own) <= seen:
            yield f"{describe(operation)} is entry {min(own)}; entry {seen} had been seen before it was asked for"
        if operation.refused_index >= 0 and operation.refused_index <= seen:
            yield f"{describe(operation)} was refused by entry {operation.refused_index}, seen were {seen} already"
        yield from stale(operation, seen, ledger)


def is_its_own(line, operation):
    """Revoke answers what is ended already with the receipt of who ended it."""
    return line is not None and (operation.kind != "Revoke" or line.actor == operation.who and line.at >= operation.started * SECOND)


def stale(operation, seen, ledger):
    """What an answer says of a disclosure's state must have been so at some moment while it was asked."""
    if operation.outcome in ENDED and "disclosure" in operation.asked:
        yield from untrue(operation, operation.asked.get("disclosure"), operation.outcome.split()[-1], seen, ledger)
    for told in operation.disclosures if operation.ok else ():
        yield from untrue(operation, told.disclosure, told.state, seen, ledger)


def untrue(operation, disclosure, state, seen, ledger):
    end, until = ledger.end.get(disclosure), (operation.ended + 1) * SECOND
    if state == "RESTRICTED":
        if not rights.was_restricted(ledger, disclosure, until):
            yield f"{describe(operation)} says that {disclosure} is restricted; nobody asked for that"
    elif state == "ACTIVE":
        if end is not None and end.index <= seen:
            yield f"{describe(operation)} says that {disclosure} is active; its end {end.index} had been seen"
    elif state == "EXPIRED" and any(expiry <= until for expiry in ledger.expiries(disclosure)):
        return  # by the clock, whether the line is there already or not; a second before it nothing is sent any more
    elif end is None or end.at > until:
        yield f"{describe(operation)} says that {disclosure} is {state}; its end is {end}"


def describe(operation):
    asked = " ".join(f"{name}={value}" for name, value in operation.asked.items())
    return f"{operation.kind} by {operation.who} ({asked}; {operation.started:.3f} to {operation.ended:.3f})"


# ------------------------------------------------------------------------------------------- the ledger and the clients' records

def no_value_without_an_entry(history):
    """P1: what an app holds, the ledger names: which fields, to whom, and a commitment that covers these very values."""
    ledger, keys = Ledger(history), keys_by_pseudonym(history)
    for arrival in history.arrivals:
        line = ledger.at(arrival.index)
        what = f"{arrival.delivery} ({arrival.release} of {arrival.disclosure}) at {arrival.recipient}/{arrival.device}"
        if line is None or line.kind != "DELIVERED":
            yield f"{what} came with entry {arrival.index}, which is {line.kind if line else 'not there'}"
            continue
        told = (arrival.delivery, arrival.disclosure, arrival.release, list(arrival.values), arrival.leaf, arrival.cause)
        if told != (line.delivery, line.disclosure, line.release, line.fields, line.leaf, line.reason):
            yield f"{what} is not what entry {arrival.index} says: {line}"
        elif line.pseudonym not in keys or commitment(keys[line.pseudonym], arrival.delivery, arrival.values) != line.commitment:
            yield f"{what}: entry {arrival.index} commits to other values"
    for order in history.orders:
        line = ledger.at(order.index)
        if line is None or (line.kind, line.disclosure, line.device, line.leaf) != (
                "WITHDRAWN", order.disclosure, order.device, order.leaf):
            yield f"{order.recipient}/{order.device} was ordered to delete {order.disclosure} by entry {order.index}: {line}"
    yield from rights.notices_agree(history, ledger)


def no_others_data(history):
    """P7: every device got its own recipient's deliveries, of the booking that was shared, with its client's values and no other's."""
    ledger = Ledger(history)
    shared = {told.disclosure: told for operation in history.operations if operation.ok for told in operation.disclosures}
    for arrival in history.arrivals:
        who, line = f"{arrival.recipient}/{arrival.device}", ledger.at(arrival.index)
        if line is not None and (line.recipient, line.device) != (arrival.recipient, arrival.device):
            yield f"{who} got entry {line.index}, which is for {line.recipient}/{line.device}"
        owner = ledger.shared.get(arrival.disclosure)
        if owner is None or owner.recipient != arrival.recipient:
            yield f"{who} got {arrival.disclosure}, which was shared with {owner.recipient if owner else 'nobody'}"
        if arrival.disclosure in shared and shared[arrival.disclosure].booking != arrival.booking:
            yield f"{who} got {arrival.booking} in a disclosure of {shared[arrival.disclosure].booking}"
        booking = history.bookings.get(arrival.booking)
        for name, value in arrival.values.items():
            if booking is None or value not in booking.values.get(name, ()):
                yield f"{who} got a {name} that {arrival.booking} never had"
    for order in history.orders:
        owner = ledger.shared.get(order.disclosure)
        if owner is None or owner.recipient != order.recipient:
            yield f"{order.recipient}/{order.device} was told of {order.disclosure}, which is not its own"


def no_ok_lost(history):
    """P6: whatever was answered OK is in the ledger, as it was answered."""
    ledger = Ledger(history)
    for operation in history.operations:
        if not operation.ok:
            continue
        for index, leaf in operation.receipts:
            line = ledger.at(index)
            if line is None or line.leaf != leaf or line.kind not in WRITES[operation.kind]:
                yield f"{describe(operation)} was answered with entry {index}, which is {line}"
        yield from LOST.get(operation.kind, lambda *_: ())(operation, ledger)


def lost_write(operation, ledger):
    """Those with receipts: the first is the thing itself."""
    if not operation.receipts:
        yield f"{describe(operation)} was answered without a receipt"
        return
    line = ledger.at(operation.receipts[0][0])
    if line is None:
        return  # said already
    for name in ("disclosure", "recipient", "device"):
        wanted = operation.asked.get(name)
        if wanted is not None and getattr(line, name) != wanted:
            yield f"{describe(operation)}: entry {line.index} has {getattr(line, name)}"
    if operation.kind == "Share" and [told.disclosure for told in operation.disclosures] != [line.disclosure]:
        yield f"{describe(operation)}: entry {line.index} shares {line.disclosure}"


def lost_revoke(operation, ledger):
    if not operation.disclosures:
        yield f"{describe(operation)} was answered with nothing"
    for told in operation.disclosures:
        if told.disclosure not in ledger.end:
            yield f"{describe(operation)} was answered OK, and {told.disclosure} never ended"


def lost_reassign(operation, ledger):
    lines = [ledger.at(index) for index, _ in operation.receipts if ledger.at(index)]
    if not any(line.kind == "REASSIGNED" and line.disclosure == operation.asked["disclosure"] for line in lines):
        yield f"{describe(operation)} has no receipt of the old one's end: {lines}"
    if not any(line.kind == "SHARED" and line.recipient == operation.asked["recipient"] for line in lines):
        yield f"{describe(operation)} has no receipt of the new one: {lines}"


def lost_suspension(operation, ledger):
    """Effective with the answer: of what the recipient had, nothing is live any more."""
    recipient = operation.asked["recipient"]
    changes = [line for line in ledger.of_kind["RECIPIENT_CHANGED"]
               if line.recipient == recipient and line.reason == "SUSPENDED" and line.at <= (operation.ended + 1) * SECOND]
    if not changes:
        yield f"{describe(operation)} was answered OK, and {recipient} never was suspended"
        return
    for line in ledger.of_kind["SHARED"]:
        if line.recipient == recipient and line.index < changes[-1].index:
            end = ledger.end.get(line.disclosure)
            # All is on one machine: the entry's time was read before the answer left.
            if end is None or end.at > operation.ended * SECOND:
                yield f"{describe(operation)} was answered, and {line.disclosure} was live; its end is {end}"


def lost_revoked_device(operation, ledger):
    """It has no request id: a repeat finds it revoked."""
    asked = (operation.asked["recipient"], operation.asked["device"])
    if not any((line.recipient, line.device) == asked and line.reason == "DEVICE_REVOKED" for line in ledger.of_kind["RECIPIENT_CHANGED"]):
        yield f"{describe(operation)} was answered OK, and the device never was revoked"


def lost_acknowledgement(operation, ledger):
    found = [each for each in operation.asked["deliveries"] if each in ledger.acknowledged]
    if len(found) < operation.count:
        yield f"{describe(operation)} counted {operation.count}, the ledger has {found}"


def lost_confirmation(operation, ledger):
    found = [each for each in operation.asked["disclosures"] if (each, operation.asked["device"]) in ledger.confirmed]
    if len(found) < operation.count:
        yield f"{describe(operation)} counted {operation.count}, the ledger has {found}"


def lost_right(operation, ledger):
    yield from rights.lost_right(operation, ledger, describe)


def lost_read(operation, ledger):
    """What the last reading says, after everything, is what the ledger says, but for what ended since."""
    for told in operation.disclosures if operation.asked.get("final") else ():
        end = ledger.end.get(told.disclosure)
        if told.state != (state_of(end) if end else "ACTIVE") and not (end and end.at > operation.started * SECOND):
            yield f"{told.disclosure} is {told.state} in the end, and the ledger says {end}"


LOST = {
    "Share": lost_write, "Reschedule": lost_write, "Reassign": lost_reassign, "Revoke": lost_revoke, "PutRecipient": lost_write,
    "SuspendRecipient": lost_suspension, "RevokeDevice": lost_revoked_device, "Acknowledge": lost_acknowledgement,
    "ConfirmDeletion": lost_confirmation, "GetDisclosure": lost_read, "Object": lost_right, "Erase": lost_right,
}


def no_effect_twice(history):
    """P6: a repeated request repeats the answer, not the effect; and one without an answer had one effect at most."""
    wanted, given = defaultdict(int), {}
    keys = history.keys
    for operation in history.operations:
        for receipts in operation.again:
            if receipts != operation.receipts:
                yield f"{describe(operation)} was answered {operation.receipts}, and once more {receipts}"
        for index, _ in operation.receipts if operation.kind != "Revoke" else ():
            if given.setdefault(index, operation) is not operation:
                yield f"entry {index} was the answer to {describe(given[index])} and to {describe(operation)}"
        if operation.kind in ("Share", "Reassign"):
            subject = history.bookings[operation.asked["booking"]].subject
            if subject in keys:
                key = bytes.fromhex(keys[subject][1])
                ref = hmac.new(key, operation.asked["booking"].encode(), hashlib.sha256).hexdigest()
                wanted["SHARED", ref, operation.asked["recipient"]] += 1
        if operation.kind == "Reschedule":
            wanted["RESCHEDULED", operation.asked["disclosure"]] += 1
    had = defaultdict(list)
    for line in history.lines:
        if line.kind == "SHARED":
            had["SHARED", line.booking_ref, line.recipient].append(line.index)
        if line.kind == "RESCHEDULED":
            had["RESCHEDULED", line.disclosure].append(line.index)
    for what, indices in had.items():
        if len(indices) > wanted[what]:
            yield f"{what} was asked for {wanted[what]} times and is in entries {indices}"


def nothing_late(history):
    """P4: nothing follows its withdrawal on a stream, and nothing arrives long after its end, whatever stood still meanwhile."""
    ledger, ordered = Ledger(history), {}
    for order in history.orders:
        ordered.setdefault((order.recipient, order.device, order.stream, order.disclosure), order.at)
    for arrival in history.arrivals:
        what = f"{arrival.delivery} of {arrival.disclosure} at {arrival.recipient}/{arrival.device}"
        place = (arrival.recipient, arrival.device, arrival.stream, arrival.disclosure)
        if arrival.stream and ordered.get(place, arrival.at) < arrival.at:
            yield f"{what} came after its withdrawal on the same stream"
        end = ledger.end.get(arrival.disclosure)
        ends = min(end.at if end else arrival.expires_at, arrival.expires_at) / SECOND
        if arrival.at > ends + LATE:
            yield f"{what} came {arrival.at - ends:.1f} s after its end"


def only_expected_refusals(history):
    """P8: whoever asked for what was possible got it, or was told why not, truly."""
    ledger = Ledger(history)
    for operation in history.operations:
        if operation.outcome in ("OK", "UNKNOWN"):
            continue
        if operation.outcome not in REFUSALS.get(operation.kind, ()):
            yield f"{describe(operation)} was answered {operation.outcome}: {operation.error}"
        if operation.refused_index >= 0:
            line = ledger.at(operation.refused_index)
            if line is None or line.kind != "REFUSED" or line.reason != operation.outcome.split()[-1]:
                yield f"{describe(operation)} was refused by entry {operation.refused_index}: {line}"


# --------------------------------------------------------------------------------------------- what is owed until it has happened

def moved_ahead(history, ledger):
    """Is a release that was sent with this entry due only later now, since its disclosure was moved? Nothing of it is sent until then."""
    told = {(each.disclosure, index): each.due for operation in history.operations if operation.ok for each in operation.disclosures
            for index, _ in operation.receipts}

    def answer(disclosure, release, sent):
        moved = [each for each in ledger.of_disclosure[disclosure] if each.kind == "RESCHEDULED" and each.index > sent]
        due = told.get((disclosure, moved[-1].index), {}).get(release, NEVER) if moved else 0
        return due > (history.finished - OVERDUE) * SECOND
    return answer


def acknowledged_repeated_or_withdrawn(history):
    """
    P6: each delivery was acknowledged, or sent again, or ordered to be deleted. Not so what was sent before and is fetched once more:
    whoever has asked, and got no answer, asks again, and what was sent before is repeated for its own sake. And what was moved after it
    was sent is repeated when it is due again.
    """
    ledger, every, sent = Ledger(history), set(history.every_device), {}
    waits = moved_ahead(history, ledger)
    for line in ledger.of_kind["DELIVERED"]:
        place = (line.disclosure, line.release, line.device if line.recipient in every else "")
        if line.reason != "FETCHED" or place not in sent:
            sent[place] = line
    for line in sent.values():
        acknowledged = any(each.index > line.index and (each.device == line.device or line.recipient not in every)
                           for each in ledger.acknowledged.get(line.delivery, ()))
        if (not acknowledged and (line.disclosure, line.device) not in ledger.withdrawn
                and not waits(line.disclosure, line.release, line.index)):
            yield f"entry {line.index}: {line.delivery} to {line.recipient}/{line.device} was neither acknowledged, repeated nor withdrawn"


def everything_happened(history):
    """P4, P6: what was due was delivered, what ended was withdrawn from and deleted by every device that held it."""
    ledger, now = Ledger(history), history.finished * SECOND
    for disclosure in ledger.shared:
        if disclosure not in ledger.end and ledger.expiries(disclosure)[-1] < now - OVERDUE * SECOND:
            yield f"{disclosure} has expired, and the ledger does not say so"
    delivered = {(line.disclosure, line.release) for line in ledger.of_kind["DELIVERED"]}
    windows = {}
    for operation in history.operations:
        for told in operation.disclosures if operation.ok else ():
            windows.setdefault(told.disclosure, []).append((operation.ended, told))
    for disclosure, each in windows.items():
        told = max(each, key=lambda one: one[0])[1]
        for release, due in told.due.items():
            if disclosure not in ledger.end and due < now - OVERDUE * SECOND and (disclosure, release) not in delivered:
                yield f"{release} of {disclosure} for {told.recipient} is due and was never delivered"
    ordered = {(order.disclosure, order.device) for order in history.orders}
    for (disclosure, device), line in ledger.withdrawn.items():
        if (disclosure, device) not in ordered:
            yield f"{line.recipient}/{device} was never told to delete {disclosure} (entry {line.index})"
        elif (disclosure, device) not in ledger.confirmed:
            yield f"{line.recipient}/{device} has not confirmed that it deleted {disclosure}"
    yield from rights.told_of_restrictions(history, ledger)


def corrected(history):
    """
    Art. 16, 19: of what is live, the last that was sent of each field is what the company has now; of what was moved ahead, once it is due.
    """
    ledger, last = Ledger(history), {}
    waits = moved_ahead(history, ledger)
    for arrival in history.arrivals:
        device = arrival.device if arrival.recipient in history.every_device else ""
        place = (arrival.recipient, device, arrival.disclosure, arrival.release)
        if place not in last or last[place].index < arrival.index:
            last[place] = arrival
    for (recipient, device, disclosure, release), arrival in last.items():
        if disclosure in ledger.end or (disclosure, device) in ledger.withdrawn or waits(disclosure, release, arrival.index):
            continue
        for name, value in arrival.values.items():
            if value != history.bookings[arrival.booking].values[name][-1]:
                yield f"{recipient}/{arrival.device} has an old {name} in {release} of {disclosure}"


OWED = [acknowledged_repeated_or_withdrawn, everything_happened, corrected]
CHECKS = [no_gap_in_the_indices, all_proofs_valid, possible, in_real_time, no_value_without_an_entry, no_others_data, no_ok_lost,
          no_effect_twice, nothing_late, only_expected_refusals, *OWED]


def breaches(history, checks=CHECKS):
    """["check: sentence", ...]; empty when everything is as it must be."""
    return [f"{check.__name__}: {sentence}" for check in checks for sentence in check(history)]
