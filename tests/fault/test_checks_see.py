"""The checks of the checker of faults, on histories made by hand: a good one passes, each breach is seen by the check that is for it."""

import copy
import hashlib
import hmac

import pytest

from checker.checks import CHECKS, OWED, SECOND, breaches, commitment
from checker.faults import KINDS, plan
from checker.history import Arrival, Booking, Consistency, History, Line, Operation, Ordered, Proof, Restricted, Told
from needtoknow_testing import tlog
from needtoknow_testing.merkle import Frontier, root_of

START = 1_800_000_000
KEYS = {"C1": bytes(range(32)), "C2": bytes(range(32, 64)), "C3": bytes(range(64, 96))}
PSEUDONYMS = {"C1": "01" * 16, "C2": "02" * 16, "C3": "03" * 16}
DESK, ADMIN = "spiffe://x.example/booking/desk", "spiffe://x.example/admin/desk"
PRIVACY, CARE = "spiffe://x.example/rights/privacy", "dpv:CustomerCare"
SIGNER = tlog.Key("x.example/needtoknow", bytes(32))


class Story:
    """Writes what clients and ledger would record of a service without fault; each act is a second after the other."""

    def __init__(self):
        self.history = History(vkey=SIGNER.vkey, every_device=["each"])
        self.history.keys = {subject: [PSEUDONYMS[subject], key.hex()] for subject, key in KEYS.items()}
        self.history.bookings = {f"B{number}": Booking(f"C{number}", {"client.door_code": [f"code {number}"]}) for number in (1, 2, 3)}
        self.now, self.serial = START, 0

    def line(self, kind, train=None, **fields):
        """An entry of this second."""
        found = Line(len(self.history.lines), train or f"train {self.now}", kind, self.now * SECOND, **fields)
        found.leaf = hashlib.sha256(repr(found).encode()).hexdigest()
        self.history.lines.append(found)
        return found

    def act(self, kind, who, lines, asked, **fields):
        """An operation that was answered OK half a second after its entries."""
        operation = Operation(kind, who, self.now - 0.5, asked, self.now + 0.4, "OK", [(line.index, line.leaf) for line in lines], **fields)
        self.history.operations.append(operation)
        self.now += 1
        return operation

    def shared(self, disclosure, recipient="any", booking="B1", purpose=""):
        subject = self.history.bookings[booking].subject
        ref = hmac.new(KEYS[subject], booking.encode(), hashlib.sha256).hexdigest()
        return self.line("SHARED", disclosure=disclosure, recipient=recipient, actor=DESK, expires_at=(self.now + 1000) * SECOND,
                         pseudonym=PSEUDONYMS[subject], booking_ref=ref, purpose=purpose)

    def told(self, disclosure, recipient="any", booking="B1", state="ACTIVE"):
        return Told(disclosure, booking, recipient, "at-once", state, (self.now + 1000) * SECOND, {"all": self.now * SECOND})

    def share(self, disclosure, recipient="any", booking="B1", purpose=""):
        line = self.shared(disclosure, recipient, booking, purpose)
        self.act("Share", DESK, [line], {"booking": booking, "recipient": recipient},
                 disclosures=[self.told(disclosure, recipient, booking)])
        return line

    def deliver(self, disclosure, recipient="any", device="one", booking="B1", reason="NEW", delivery=None, purpose=""):
        """The entry, and what the app got of it."""
        self.serial += 1
        delivery, subject = delivery or f"delivery {self.serial}", self.history.bookings[booking].subject
        values = {"client.door_code": self.history.bookings[booking].values["client.door_code"][-1]}
        line = self.line("DELIVERED", disclosure=disclosure, recipient=recipient, device=device, release="all", fields=list(values),
                         delivery=delivery, reason=reason, pseudonym=PSEUDONYMS[subject], purpose=purpose,
                         commitment=commitment(KEYS[subject], delivery, values))
        self.history.arrivals.append(Arrival(self.now + 0.2, recipient, device, 1, delivery, disclosure, booking, "all", values, reason,
                                             line.index, line.leaf, (self.now + 1000) * SECOND))
        self.now += 1
        return line

    def acknowledge(self, delivered):
        self.line("ACKNOWLEDGED", disclosure=delivered.disclosure, recipient=delivered.recipient, device=delivered.device,
                  delivery=delivered.delivery)
        self.act("Acknowledge", "app", [], {"deliveries": [delivered.delivery]}, count=1)

    def withdraw(self, disclosure, recipient="any", device="one", train=None, reason="REVOKED"):
        line = self.line("WITHDRAWN", train, disclosure=disclosure, recipient=recipient, device=device, reason=reason)
        self.history.orders.append(Ordered(self.now + 0.2, recipient, device, 1, disclosure, "REVOKED", line.index, line.leaf))
        return line

    def confirm(self, disclosure, recipient="any", device="one"):
        self.line("DELETION_CONFIRMED", disclosure=disclosure, recipient=recipient, device=device)
        self.act("ConfirmDeletion", "app", [], {"disclosures": [disclosure], "device": device}, count=1)

    def revoke(self, disclosure, holders=("one",)):
        """Ended, withdrawn from who holds it, and confirmed."""
        lines = [self.line("REVOKED", disclosure=disclosure, recipient="any", actor=DESK, reason="REVOKED")]
        for device in holders:
            self.withdraw(disclosure, device=device)
        operation = self.act("Revoke", DESK, lines, {"booking": "B1", "disclosure": disclosure},
                             disclosures=[self.told(disclosure, state="REVOKED")])
        for device in holders:
            self.confirm(disclosure, device=device)
        return operation

    def right(self, kind, line, booking="B3", ends=(), reason="", purpose="", devices=(), **asked):
        """A client's: its own line, what it ends (with the order to device one), or the devices that it tells."""
        pseudonym = PSEUDONYMS[self.history.bookings[booking].subject]
        lines = [self.line(line, pseudonym=pseudonym, purpose=purpose, actor=PRIVACY)]
        for disclosure in ends:
            lines.append(self.line("REVOKED", disclosure=disclosure, recipient="any", reason=reason, pseudonym=pseudonym,
                                   actor=PRIVACY))
            self.withdraw(disclosure, reason=reason)
        if kind == "LiftObjection" and not purpose:
            lines.append(self.line(line, pseudonym=pseudonym, basis="consent", actor=PRIVACY))
        for disclosure, device in devices:
            told = self.line(line, disclosure=disclosure, recipient="any", device=device, pseudonym=pseudonym, actor=PRIVACY)
            self.history.restrictions.append(Restricted(
                self.now + 0.2, "any", device, 1, disclosure, line == "RESTRICTION_LIFTED", told.index, told.leaf))
            lines.append(told)
        if "purpose" in asked or kind in ("Object", "LiftObjection"):
            asked = {"purpose": purpose, **asked}
        asked["subject"] = self.history.bookings[booking].subject
        operation = self.act(kind, PRIVACY, lines if kind != "Erase" else lines[:1], asked)
        for disclosure in ends:
            self.confirm(disclosure)
        return operation

    def finish(self):
        """Head, checkpoints and proofs."""
        history, frontier = self.history, Frontier()
        for each in history.lines:
            frontier.append(bytes.fromhex(each.leaf))
        history.size, history.frontier, history.finished = frontier.size, b"".join(frontier.peaks).hex(), self.now + 1
        leaves = [bytes.fromhex(each.leaf) for each in history.lines]
        note = lambda size: tlog.checkpoint(SIGNER.name, size, root_of(leaves[:size]), SIGNER)
        history.published, history.notes = [note(2), note(len(leaves))], [note(2), note(len(leaves))]
        history.proofs = [Proof(3, history.lines[3].leaf, [each.hex() for each in tlog.inclusion(leaves, 3)], note(len(leaves)))]
        history.consistencies = [Consistency(len(leaves), len(leaves), [])]
        return history


def good():
    """Everything once: acknowledged, repeated, revoked, moved, reassigned, suspended, a device lost, each device its own, expired."""
    story = Story()
    story.share("kept")
    first = story.deliver("kept")
    story.acknowledge(story.deliver("kept", reason="REPEATED", delivery=first.delivery, device="two"))
    story.share("cancelled")
    story.deliver("cancelled")
    story.revoke("cancelled")
    story.share("moved", booking="B2")
    moved = story.line("RESCHEDULED", disclosure="moved", recipient="any", actor=DESK, expires_at=(story.now + 2000) * SECOND)
    story.act("Reschedule", DESK, [moved], {"disclosure": "moved"}, disclosures=[story.told("moved", booking="B2")])
    story.acknowledge(story.deliver("moved", booking="B2"))
    story.share("given", booking="B2")
    lines = [story.line("REASSIGNED", disclosure="given", recipient="any", actor=DESK, reason="REASSIGNED",
                        booking_ref=story.history.lines[-1].booking_ref), story.shared("taken", "each", "B2")]
    story.act("Reassign", DESK, lines, {"disclosure": "given", "booking": "B2", "recipient": "each"},
              disclosures=[story.told("given", booking="B2", state="REVOKED"), story.told("taken", "each", "B2")])
    for device in ("one", "two"):
        story.acknowledge(story.deliver("taken", "each", device, "B2"))
    lost = story.line("RECIPIENT_CHANGED", recipient="each", device="two", reason="DEVICE_REVOKED", actor=ADMIN)
    story.withdraw("taken", "each", "two", reason="DEVICE_REVOKED")
    story.act("RevokeDevice", ADMIN, [lost], {"recipient": "each", "device": "two"})
    story.confirm("taken", "each", "two")
    story.share("interrupted", "each")
    story.deliver("interrupted", "each")
    lines = [story.line("RECIPIENT_CHANGED", recipient="each", reason="SUSPENDED", actor=ADMIN)]
    for disclosure in ("taken", "interrupted"):
        lines.append(story.line("REVOKED", disclosure=disclosure, recipient="each", reason="SUSPENDED", actor="system"))
        story.withdraw(disclosure, "each", reason="SUSPENDED")
    story.act("SuspendRecipient", ADMIN, lines[:1], {"recipient": "each"})
    story.history.operations.append(Operation("Share", DESK, story.now, {"booking": "B1", "recipient": "each"}, story.now + 0.5,
                                              "PERMISSION_DENIED RECIPIENT_SUSPENDED", refused_index=len(story.history.lines)))
    story.line("REFUSED", recipient="each", reason="RECIPIENT_SUSPENDED", actor=DESK)
    story.now += 1
    story.confirm("taken", "each")
    story.confirm("interrupted", "each")
    resumed = story.line("RECIPIENT_CHANGED", recipient="each", reason="RESUMED", actor=ADMIN)
    story.act("ResumeRecipient", ADMIN, [resumed], {"recipient": "each"})
    exercise_rights(story)
    for disclosure, state in (("kept", "ACTIVE"), ("cancelled", "REVOKED"), ("interrupted", "SUSPENDED"), ("unwanted", "OBJECTED"),
                              ("erased", "ERASED")):
        booking = "B3" if disclosure in ("unwanted", "erased") else "B1"
        story.act("GetDisclosure", DESK, [], {"disclosure": disclosure, "final": True},
                  disclosures=[story.told(disclosure, booking=booking, state=state)])
    return story


def exercise_rights(story):
    """One objects, and changes their mind; is restricted, and no more; and is erased."""
    story.share("unwanted", booking="B3", purpose=CARE)
    story.acknowledge(story.deliver("unwanted", booking="B3", purpose=CARE))
    story.share("erased", booking="B3")
    story.acknowledge(story.deliver("erased", booking="B3"))
    story.right("Object", "OBJECTION_RAISED", ends=["unwanted"], reason="OBJECTED", purpose=CARE)
    story.history.operations.append(Operation("Share", DESK, story.now, {"booking": "B3", "recipient": "any"}, story.now + 0.5,
                                              "FAILED_PRECONDITION OBJECTED", refused_index=len(story.history.lines)))
    story.line("REFUSED", recipient="any", reason="OBJECTED", actor=DESK, pseudonym=PSEUDONYMS["C3"])
    story.now += 1
    story.right("LiftObjection", "OBJECTION_LIFTED", purpose=CARE)
    story.line("CONSENT_WITHDRAWN", pseudonym=PSEUDONYMS["C3"], basis="consent", actor=PRIVACY)
    story.right("Object", "OBJECTION_RAISED")
    story.right("LiftObjection", "OBJECTION_LIFTED")
    story.right("Restrict", "RESTRICTION_RAISED", devices=[("erased", "one")])
    story.act("GetDisclosure", DESK, [], {"disclosure": "erased"}, disclosures=[story.told("erased", booking="B3", state="RESTRICTED")])
    story.right("LiftRestriction", "RESTRICTION_LIFTED", devices=[("erased", "one")])
    story.right("Erase", "ERASED", ends=["erased"], reason="ERASED")
    story.line("ERASED", pseudonym=PSEUDONYMS["C3"], reason="DELETED", fields=["client.door_code"], actor="system")
    story.now += 1


def names(found):
    return {each.split(":", 1)[0] for each in found}


def test_a_good_history_passes():
    story = good()
    assert breaches(story.finish()) == []


def test_a_history_that_was_kept_is_judged_alike(tmp_path):
    history = good().finish()
    history.save(tmp_path / "history.json")
    assert breaches(History.load(tmp_path / "history.json")) == []
    history.lines[4].index = 5
    history.save(tmp_path / "history.json")
    assert names(breaches(History.load(tmp_path / "history.json"))) >= {"no_gap_in_the_indices"}


# What goes wrong while the story is told: the ledger is whole, and what is in it must not be. {name: (check, story)}

def delivered_after(end):
    def told():
        story = good()
        story.share("late", "each" if end == "suspended" else "any")
        story.deliver("late", "each") if end == "suspended" else story.deliver("late")
        if end == "revoked":
            story.revoke("late")
            story.deliver("late", reason="REPEATED", delivery=f"delivery {story.serial}")
        elif end == "expired":
            story.now += 2000
            story.deliver("late", reason="CORRECTED")
        elif end == "suspended":
            story.line("RECIPIENT_CHANGED", recipient="each", reason="SUSPENDED")
            story.deliver("late", "each", reason="CORRECTED")
        else:
            story.line("RECIPIENT_CHANGED", recipient="any", device="one", reason="DEVICE_REVOKED")
            story.withdraw("late", reason="DEVICE_REVOKED")
            story.deliver("late", reason="CORRECTED")
        return story
    return told


def with_line(kind, **fields):
    def told():
        story = good()
        story.line(kind, **fields)
        return story
    return told


def delivered_before_it_is_due():
    story = good()
    story.share("early")
    story.history.operations[-1].disclosures[0].due["all"] = (story.now + 60) * SECOND
    story.acknowledge(story.deliver("early"))
    return story


def delivered_out_of_turn():
    story = good()
    story.share("staged")
    story.history.operations[-1].disclosures[0].due = {"all": story.now * SECOND, "before": (story.now - 1) * SECOND}
    first, second = story.deliver("staged"), story.deliver("staged")
    second.train, second.release = first.train, "before"
    story.history.arrivals[-1].release = "before"
    for line in (first, second):
        story.acknowledge(line)
    return story


def new_twice():
    story = good()
    story.share("twice")
    story.acknowledge(story.deliver("twice"))
    story.acknowledge(story.deliver("twice"))
    return story


def acknowledged_twice():
    story = good()
    story.acknowledge(Line(0, "", "", 0, disclosure="kept", recipient="any", device="two", delivery="delivery 1"))
    return story


def given_to_both():
    story = good()
    line = story.line("REASSIGNED", disclosure="kept", recipient="any", reason="REASSIGNED", booking_ref=story.history.lines[0].booking_ref)
    story.withdraw("kept")
    story.withdraw("kept", device="two")
    story.now += 1
    story.act("Reassign", DESK, [line, story.shared("other", "each")], {"disclosure": "kept", "booking": "B1", "recipient": "each"})
    return story


def shared_twice_for_one_request():
    story = good()
    story.shared("again")
    return story


def ended_without_an_order():
    story = good()
    story.line("REVOKED", disclosure="kept", recipient="any", reason="REVOKED", actor="system")
    return story


POSSIBLE = {
    "a delivery after a revocation": delivered_after("revoked"),
    "a delivery after the expiry": delivered_after("expired"),
    "a delivery to a suspended recipient": delivered_after("suspended"),
    "a delivery to a revoked device": delivered_after("device"),
    "a delivery before it is due": delivered_before_it_is_due,
    "a delivery of what was due before another": delivered_out_of_turn,
    "a delivery of what was never shared": with_line("DELIVERED", disclosure="none", recipient="any", device="one", fields=["x"]),
    "a repeat that says it is new": new_twice,
    "an end without an order to delete": ended_without_an_order,
    "an end before its time": with_line("EXPIRED", disclosure="kept", recipient="any", reason="EXPIRED"),
    "a second end": with_line("EXPIRED", disclosure="cancelled", recipient="any", reason="EXPIRED"),
    "a withdrawal of what is live": with_line("WITHDRAWN", disclosure="kept", recipient="any", device="one"),
    "a second acknowledgement": acknowledged_twice,
    "an acknowledgement of nothing": with_line("ACKNOWLEDGED", disclosure="kept", recipient="any", delivery="none"),
    "a confirmation without a withdrawal": with_line("DELETION_CONFIRMED", disclosure="kept", recipient="any", device="one"),
    "a move of what has ended": with_line("RESCHEDULED", disclosure="cancelled", recipient="any"),
    "a refusal without a reason": with_line("REFUSED", recipient="any", reason="RECIPIENT_SUSPENDED"),
    "a reassignment in two transactions": given_to_both,
    "a return with something still live": lambda: shared_between_suspension_and_return(),
}


def shared_between_suspension_and_return():
    story = good()
    story.line("RECIPIENT_CHANGED", recipient="any", reason="SUSPENDED")
    story.line("RECIPIENT_CHANGED", recipient="any", reason="RESUMED")
    return story


@pytest.mark.parametrize("what", POSSIBLE)
def test_it_sees_what_is_not_possible(what):
    assert "possible" in names(breaches(POSSIBLE[what]().finish()))


def test_it_sees_an_effect_without_a_request():
    assert "no_effect_twice" in names(breaches(shared_twice_for_one_request().finish()))


# What goes wrong between the ledger and the clients: the story is good, and one record is changed. {name: (check, change)}

def operation(history, kind, nth=0):
    return [each for each in history.operations if each.kind == kind][nth]


def an_ok_is_lost(history):
    operation(history, "Share").receipts = [(len(history.lines), "00" * 32)]


def a_revocation_is_lost(history):
    operation(history, "Revoke").disclosures[0].disclosure = "kept"


def an_acknowledgement_is_lost(history):
    operation(history, "Acknowledge").asked["deliveries"] = ["delivery 77"]


def a_confirmation_is_lost(history):
    operation(history, "ConfirmDeletion").asked["disclosures"] = ["kept"]


def a_suspension_came_late(history):
    asked = operation(history, "SuspendRecipient")
    for line in history.lines:
        if line.reason == "SUSPENDED" and line.kind == "REVOKED":
            line.at = int((asked.ended + 0.1) * SECOND)


def a_suspension_is_lost(history):
    operation(history, "SuspendRecipient").asked["recipient"] = "any"


def a_revoked_device_is_lost(history):
    operation(history, "RevokeDevice").asked["device"] = "one"


def the_end_is_forgotten(history):
    operation(history, "GetDisclosure", 2).disclosures[0].state = "ACTIVE"


def the_answer_is_stale(history):
    read = operation(history, "GetDisclosure", 2)
    read.asked.pop("final")
    read.disclosures[0].state = "ACTIVE"


def an_end_that_never_was(history):
    history.operations.append(Operation("Reschedule", DESK, START + 1, {"disclosure": "kept"}, START + 2, "FAILED_PRECONDITION REVOKED"))


def an_objection_came_late(history):
    asked = operation(history, "Object")
    for line in history.lines:
        if line.reason == "OBJECTED" and line.kind == "REVOKED":
            line.at = int((asked.ended + 0.1) * SECOND)


def an_erasure_without_a_receipt(history):
    operation(history, "Erase").receipts = []


def a_restriction_that_never_was(history):
    read = operation(history, "GetDisclosure", 1)
    read.asked.pop("final")
    read.disclosures[0].state = "RESTRICTED"


def a_restriction_without_an_entry(history):
    history.restrictions[0].index = 0


def a_restriction_for_a_lifting(history):
    history.restrictions[0].lifted = True


def an_answer_from_before(history):
    operation(history, "Reschedule").started += 60
    operation(history, "Reschedule").ended += 60


def a_refusal_from_before(history):
    refused = next(each for each in history.operations if each.refused_index >= 0)
    refused.started += 60
    refused.ended += 60


def a_value_without_an_entry(history):
    history.arrivals[0].index = len(history.lines)


def another_value(history):
    history.bookings["B1"].values["client.door_code"].append("code 3")
    history.arrivals[0].values["client.door_code"] = "code 3"


def a_field_that_is_not_named(history):
    history.arrivals[0].values["client.iban"] = "FR76"


def a_receipt_of_another_leaf(history):
    history.arrivals[0].leaf = "00" * 32


def an_order_without_an_entry(history):
    history.orders[0].index = 0


def anothers_client(history):
    history.bookings["B1"].values["client.door_code"] = ["code 2"]


def anothers_delivery(history):
    history.arrivals[0].recipient = "each"


def anothers_device(history):
    history.arrivals[0].device = "three"


def anothers_booking(history):
    history.arrivals[0].booking = "B2"


def anothers_withdrawal(history):
    history.orders[0].recipient = "each"


def another_answer_to_the_same(history):
    operation(history, "Share").again = [[(1, "00")]]


def one_entry_for_two(history):
    operation(history, "Share", 1).receipts = operation(history, "Share", 0).receipts


def values_after_their_withdrawal(history):
    arrival = copy.copy(next(each for each in history.arrivals if each.disclosure == "cancelled"))
    arrival.at = history.orders[0].at + 0.01
    history.arrivals.append(arrival)


def values_long_after_the_end(history):
    arrival = copy.copy(next(each for each in history.arrivals if each.disclosure == "cancelled"))
    arrival.at, arrival.stream = history.orders[0].at + 60, 2
    history.arrivals.append(arrival)


def an_internal_error(history):
    history.operations.append(Operation("Share", DESK, START, {"booking": "B1", "recipient": "any"}, START + 1, "INTERNAL"))


def a_refusal_without_an_entry(history):
    next(each for each in history.operations if each.refused_index >= 0).refused_index = 0


def a_wrong_proof(history):
    history.proofs[0].hashes[0] = "00" * 32


def a_wrong_consistency_proof(history):
    history.consistencies[0].hashes = ["00" * 32]


def a_checkpoint_of_another_ledger(history):
    history.notes.insert(1, tlog.checkpoint(SIGNER.name, 5, bytes(32), SIGNER))


def a_checkpoint_by_another_key(history):
    history.published.append(tlog.checkpoint(SIGNER.name, 5, bytes(32), tlog.Key(SIGNER.name, bytes([1] * 32))))


def a_checkpoint_that_went_back(history):
    history.notes.reverse()


CLIENTS = {
    "no_ok_lost": [an_ok_is_lost, a_revocation_is_lost, an_acknowledgement_is_lost, a_confirmation_is_lost, a_suspension_came_late,
                   a_suspension_is_lost, a_revoked_device_is_lost, the_end_is_forgotten, an_objection_came_late,
                   an_erasure_without_a_receipt],
    "in_real_time": [the_answer_is_stale, a_restriction_that_never_was, an_end_that_never_was, an_answer_from_before, a_refusal_from_before],
    "no_value_without_an_entry": [a_value_without_an_entry, another_value, a_field_that_is_not_named, a_receipt_of_another_leaf,
                                  an_order_without_an_entry, a_restriction_without_an_entry, a_restriction_for_a_lifting],
    "no_others_data": [anothers_client, anothers_delivery, anothers_device, anothers_booking, anothers_withdrawal],
    "no_effect_twice": [another_answer_to_the_same, one_entry_for_two],
    "nothing_late": [values_after_their_withdrawal, values_long_after_the_end],
    "only_expected_refusals": [an_internal_error, a_refusal_without_an_entry],
    "all_proofs_valid": [a_wrong_proof, a_wrong_consistency_proof, a_checkpoint_of_another_ledger, a_checkpoint_by_another_key,
                         a_checkpoint_that_went_back],
}


@pytest.mark.parametrize("check, change", [(check, change) for check, changes in CLIENTS.items() for change in changes],
                         ids=lambda each: getattr(each, "__name__", each))
def test_it_sees_what_clients_were_wrongly_told_or_given(check, change):
    history = good().finish()
    change(history)
    assert check in names(breaches(history))


# The ledger itself, and what is owed.

@pytest.mark.parametrize("damage", ["gap", "double", "end", "leaf", "time"])
def test_it_sees_a_ledger_that_is_not_whole(damage):
    history = good().finish()
    if damage == "gap":
        del history.lines[5]
    elif damage == "double":
        history.lines.insert(5, history.lines[5])
    elif damage == "end":
        del history.lines[-1]
    elif damage == "leaf":
        history.lines[5].leaf = "00" * 32
    else:
        history.lines[5].at -= 3600 * SECOND
    assert "no_gap_in_the_indices" in names(breaches(history))


def owed_acknowledgement(story):
    story.share("owed")
    story.deliver("owed")


def owed_delivery(story):
    story.share("owed")
    story.now += 60


def owed_expiry(story):
    story.share("owed")
    story.acknowledge(story.deliver("owed"))
    story.now += 2000


def owed_withdrawal(story):
    story.share("owed")
    story.deliver("owed")
    story.revoke("owed")
    story.history.orders.pop()


def owed_confirmation(story):
    story.share("owed")
    story.deliver("owed")
    story.revoke("owed")
    story.history.lines.pop()
    story.history.operations.pop()


def owed_notice(story):
    """The lifting is owed; that it was restricted, no more."""
    story.share("held", booking="B1")
    story.acknowledge(story.deliver("held"))
    told = [("held", "one"), ("kept", "one"), ("kept", "two")]
    story.right("Restrict", "RESTRICTION_RAISED", booking="B1", devices=told)
    story.right("LiftRestriction", "RESTRICTION_LIFTED", booking="B1", devices=told)
    story.history.restrictions = [each for each in story.history.restrictions if each.disclosure != "held"]


def owed_correction(story):
    story.history.bookings["B2"].values["client.door_code"].append("code 3")


@pytest.mark.parametrize("owed, check", [
    (owed_acknowledgement, "acknowledged_repeated_or_withdrawn"), (owed_delivery, "everything_happened"),
    (owed_expiry, "everything_happened"), (owed_withdrawal, "everything_happened"), (owed_confirmation, "everything_happened"),
    (owed_notice, "everything_happened"),
    (owed_correction, "corrected")],
    ids=lambda each: getattr(each, "__name__", ""))
def test_it_sees_what_is_still_owed(owed, check):
    story = good()
    owed(story)
    history = story.finish()
    assert names(breaches(history, OWED)) == {check}
    assert names(breaches(history)) == {check}, "nothing else is wrong with it"


def test_each_check_is_tested():
    seen = {"possible", "no_gap_in_the_indices", *CLIENTS, *(check.__name__ for check in OWED)}
    assert {check.__name__ for check in CHECKS} == seen


# The plan.

def test_a_seed_gives_the_same_faults_again():
    assert plan(7, 250) == plan(7, 250) != plan(8, 250)
    assert len(plan(7, 250)) == 250 and {fault.kind for fault in plan(7, 250)} == set(KINDS)
    assert len(plan(7, 5, ["kill -9 a worker"])) == 5
