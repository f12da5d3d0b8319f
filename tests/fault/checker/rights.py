"""Clients' rights in the checker: what holds of them line after line, and what their exercise is to have come to."""

from collections import defaultdict

# The purposes of the parties' services that one may object to (GDPR art. 21(1)); the others rest on a contract.
OBJECTABLE = {"dpv:CustomerCare"}

WRITES = {
    "Object": {"OBJECTION_RAISED", "CONSENT_WITHDRAWN", "REVOKED", "WITHDRAWN"},
    "LiftObjection": {"OBJECTION_LIFTED"},
    "Restrict": {"RESTRICTION_RAISED"},
    "LiftRestriction": {"RESTRICTION_LIFTED"},
    "Erase": {"ERASED"},
}
BARRED = {"FAILED_PRECONDITION OBJECTED", "FAILED_PRECONDITION RESTRICTED", "FAILED_PRECONDITION ERASED"}
# What may be answered since a desk or a fault came in between. Who was erased is unknown to the company's database.
REFUSALS = {
    "Share": BARRED | {"NOT_FOUND UNKNOWN_SUBJECT", "NOT_FOUND UNKNOWN_BOOKING"},
    "LiftObjection": {"NOT_FOUND NOT_OBJECTED", "NOT_FOUND UNKNOWN_SUBJECT"},
    "LiftRestriction": {"NOT_FOUND NOT_RESTRICTED", "NOT_FOUND UNKNOWN_SUBJECT"},
    **dict.fromkeys(("Object", "Restrict", "Erase"), {"NOT_FOUND UNKNOWN_SUBJECT"}),
}
# Under which state a disclosure is answered that ended for one of these reasons.
STATES = {"OBJECTED": "OBJECTED", "CONSENT_MISSING": "OBJECTED", "ERASED": "ERASED"}


class RightsModel:
    """The part of checks.Model that is about them: which hold of whom. A method a kind of line."""

    def __init__(self):
        self.in_force = defaultdict(set)   # {pseudonym: {(right, purpose)}}
        self.notices = {}                  # {(disclosure, device): what it was told of a restriction last}

    def barred(self, line):
        """Nothing is shared or delivered against a right that holds."""
        for right, purpose in sorted(self.in_force[line.pseudonym]):
            # No service of the parties' rests on a consent.
            if right in ("erased", "restricted") or right == "objected" and (line.purpose in OBJECTABLE and purpose in ("", line.purpose)):
                yield f"its client is {right}{purpose and ' to ' + purpose}"

    def kept(self, line):
        """Art. 18: what is restricted is kept, also beyond its end."""
        if line.reason == "EXPIRED" and ("restricted", "") in self.in_force[line.pseudonym]:
            yield f"{line.disclosure} is ordered to be deleted while it is restricted"

    def _live(self, pseudonym):
        return [each for each in self.owner if each not in self.ends and self.ledger.shared[each].pseudonym == pseudonym]

    def _all_end(self, line, purposes=None):
        """What a right bars ends by the transaction that records it."""
        for disclosure in self._live(line.pseudonym):
            end = self.ledger.end.get(disclosure)
            if purposes is not None and self.ledger.shared[disclosure].purpose not in purposes:
                continue
            if end is None or end.train != line.train:
                yield f"{disclosure} goes on"

    def objection_raised(self, line):
        self.in_force[line.pseudonym].add(("objected", line.purpose))
        yield from self._all_end(line, OBJECTABLE & {line.purpose} if line.purpose else OBJECTABLE)

    def consent_withdrawn(self, line):
        """Beside an objection to all that may be objected to."""
        self.in_force[line.pseudonym].add(("unconsented", line.purpose))
        return ()

    def objection_lifted(self, line):
        right = ("unconsented" if line.basis == "consent" else "objected", line.purpose)
        if right not in self.in_force[line.pseudonym]:
            yield "nobody had objected"
        self.in_force[line.pseudonym].discard(right)

    def _told(self, line, heard):
        """Each device that holds something, and did not hear so last, is told in its turn: unless it was ordered to delete, or the
        client has changed their mind, before it came to that."""
        later = [each for each in self.ledger.of_subject[line.pseudonym] if each.index > line.index]
        if any(each.kind.startswith("RESTRICTION_") and each.kind != line.kind and not each.disclosure for each in later):
            return
        told = {(each.disclosure, each.device) for each in later if each.kind == line.kind}
        for disclosure in self._live(line.pseudonym):
            for device in sorted(self.holders.get(disclosure, ())):
                place = (disclosure, device)
                if heard(self.notices.get(place)) and place not in told and place not in self.ledger.withdrawn:
                    yield f"{device}, which holds something of {disclosure}, is not told"

    def _notice(self, line):
        if line.disclosure in self.ends or line.device not in self.holders.get(line.disclosure, ()):
            yield f"{line.device} holds nothing of {line.disclosure} that lives"
        self.notices[line.disclosure, line.device] = line.kind

    def restriction_raised(self, line):
        if line.disclosure:
            yield from self._notice(line)
            return
        if ("restricted", "") not in self.in_force[line.pseudonym]:
            yield from self._told(line, lambda last: last != line.kind)
        self.in_force[line.pseudonym].add(("restricted", ""))

    def restriction_lifted(self, line):
        if line.disclosure:
            yield from self._notice(line)
            return
        if ("restricted", "") not in self.in_force[line.pseudonym]:
            yield "nothing was restricted"
        self.in_force[line.pseudonym].discard(("restricted", ""))
        yield from self._told(line, lambda last: last == "RESTRICTION_RAISED")

    def erased(self, line):
        """First that it holds; later, with DELETED and RETAINED, what the company's database has made of it."""
        if line.reason in ("DELETED", "RETAINED"):
            if ("erased", "") not in self.in_force[line.pseudonym]:
                yield "the company was asked before the erasure was recorded"
        elif line.reason != "EXPIRED":
            self.in_force[line.pseudonym].add(("erased", ""))
            yield from self._all_end(line)

    def refused_by(self, line):
        """A refusal names a right that holds."""
        rights = {right for right, _ in self.in_force[line.pseudonym]}
        if line.pseudonym and line.reason in ("OBJECTED", "RESTRICTED", "ERASED") and line.reason.lower() not in rights:
            yield f"its client is not {line.reason.lower()}"


def lost_right(operation, ledger, describe):
    """Effective with the answer: what it bars had ended by then."""
    line = ledger.at(operation.receipts[0][0]) if operation.receipts else None
    if line is None:
        yield f"{describe(operation)} was answered without a receipt"
        return
    for shared in ledger.of_kind["SHARED"]:
        barred = operation.kind == "Erase" or (shared.purpose in OBJECTABLE and operation.asked["purpose"] in ("", shared.purpose))
        if shared.pseudonym == line.pseudonym and shared.index < line.index and barred:
            end = ledger.end.get(shared.disclosure)
            if end is None or end.at > operation.ended * 1_000_000:
                yield f"{describe(operation)} was answered, and {shared.disclosure} was live; its end is {end}"


def was_restricted(ledger, disclosure, moment):
    """At some time until this one, in microseconds."""
    shared = ledger.shared.get(disclosure)
    return shared is not None and any(each.pseudonym == shared.pseudonym and not each.disclosure and each.at <= moment
                                      for each in ledger.of_kind["RESTRICTION_RAISED"])


def notices_agree(history, ledger):
    """Each restriction, or its lifting, that an app was told of is in the ledger, for it."""
    for notice in history.restrictions:
        line = ledger.at(notice.index)
        kind = "RESTRICTION_LIFTED" if notice.lifted else "RESTRICTION_RAISED"
        if line is None or (line.kind, line.recipient, line.disclosure, line.device, line.leaf) != (
                kind, notice.recipient, notice.disclosure, notice.device, notice.leaf):
            yield f"{notice.recipient}/{notice.device} was told of {kind} of {notice.disclosure} by entry {notice.index}: {line}"


def told_of_restrictions(history, ledger):
    """Art. 18(3), 19: the last word on each disclosure that lives has reached each device that was to be told."""
    last = {}
    for line in ledger.of_kind["RESTRICTION_RAISED"] + ledger.of_kind["RESTRICTION_LIFTED"]:
        place = (line.recipient, line.device, line.disclosure)
        if line.disclosure and (place not in last or last[place].index < line.index):
            last[place] = line
    heard = {(notice.recipient, notice.device, notice.disclosure, notice.index) for notice in history.restrictions}
    for place, line in last.items():
        if (line.disclosure not in ledger.end and (line.disclosure, line.device) not in ledger.withdrawn
                and (*place, line.index) not in heard):
            yield f"{line.recipient}/{line.device} was never told of entry {line.index} ({line.kind} of {line.disclosure})"
