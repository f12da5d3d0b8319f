"""Every refusal of Share, in API.md's order; each is an entry (P9), Explain tells the same, and nothing is shared."""

import time
from dataclasses import dataclass, field

import pytest

from needtoknow_testing import company, ledger, protos
from needtoknow_testing.client import unique
from needtoknow_testing.refusal import refusal, refused

sharing = protos.sharing


@dataclass
class Case:
    """A Share that would be allowed, until violations are done to it."""
    world: object
    person: object = None
    recipient: object = None
    service: str = "strict"
    starts_in: float = 3600
    lasts: float = 3600
    put: dict = field(default_factory=dict)
    changes: dict = field(default_factory=dict)

    def __post_init__(self):
        self.person = self.world.person()
        self.recipient = self.world.recipient()

    def request(self):
        if self.put:
            self.world.put_recipient(self.recipient.recipient_id, **self.put)
        return self.world.share_request(self.person, self.recipient, self.service, self.starts_in, self.lasts, **self.changes)

    def subject(self):
        return self.changes.get("subject_id", self.person.subject_id)


def unknown_service(case):
    case.service = "strikt"


def bad_window(case):
    case.lasts = -10


def unknown_recipient(case):
    case.changes["recipient_id"] = unique("r")


def suspended(case):
    case.request()
    case.put = {}
    case.world.sandbox.query("UPDATE needtoknow.recipient SET suspended = true WHERE recipient_id = %s", case.recipient.recipient_id)


def agreement_over(case):
    case.put.update(agreement_from=time.time() - 200, agreement_until=time.time() - 100)


def not_authorised(case):
    case.put.update(services=["gardening"])


def erased(case):
    company.exercise(case.world.sandbox, case.subject(), "erased")


def unknown_subject(case):
    case.changes["subject_id"] = unique("C")


def unknown_booking(case):
    case.changes["booking_id"] = unique("B")


def booking_mismatch(case):
    case.changes["booking_id"] = case.world.person().booking_id


def restricted(case):
    company.exercise(case.world.sandbox, case.subject(), "restricted")


def objected(case):
    company.exercise(case.world.sandbox, case.subject(), "objected", "dpv:DirectMarketing")


def consent_missing(case):
    case.world.sandbox.query("UPDATE company.client SET newsletter_consent = NULL WHERE subject_id = %s", case.person.subject_id)


# Reason, status, how to get there; in the order in which they are looked for.
REFUSALS = [
    ("UNKNOWN_SERVICE", "INVALID_ARGUMENT", unknown_service),
    ("BAD_WINDOW", "INVALID_ARGUMENT", bad_window),
    ("UNKNOWN_RECIPIENT", "NOT_FOUND", unknown_recipient),
    ("RECIPIENT_SUSPENDED", "PERMISSION_DENIED", suspended),
    ("AGREEMENT_NOT_IN_FORCE", "PERMISSION_DENIED", agreement_over),
    ("SERVICE_NOT_AUTHORISED", "PERMISSION_DENIED", not_authorised),
    ("ERASED", "FAILED_PRECONDITION", erased),
    ("UNKNOWN_SUBJECT", "NOT_FOUND", unknown_subject),
    ("UNKNOWN_BOOKING", "NOT_FOUND", unknown_booking),
    ("BOOKING_MISMATCH", "FAILED_PRECONDITION", booking_mismatch),
    ("RESTRICTED", "FAILED_PRECONDITION", restricted),
    ("OBJECTED", "FAILED_PRECONDITION", objected),
    ("CONSENT_MISSING", "FAILED_PRECONDITION", consent_missing),
]
# What these violations rest on is gone with another, or they exclude each other.
APART = [
    {"UNKNOWN_RECIPIENT", "RECIPIENT_SUSPENDED"}, {"UNKNOWN_RECIPIENT", "AGREEMENT_NOT_IN_FORCE"},
    {"UNKNOWN_RECIPIENT", "SERVICE_NOT_AUTHORISED"}, {"UNKNOWN_BOOKING", "BOOKING_MISMATCH"},
]


def check_refused(world, request, reason, code):
    """Refused by Share with its entry, and told by Explain without one."""
    explain = sharing.ExplainRequest(**{name: getattr(request, name) for name in (
        "booking_id", "subject_id", "recipient_id", "service", "starts_at", "ends_at")})
    size = ledger.size(world.sandbox)
    told = world.booking.sharing.Explain(explain, timeout=10)
    assert (told.allowed, told.reason) == (False, reason)
    assert bool(told.releases) == (reason not in ("UNKNOWN_SERVICE", "BAD_WINDOW"))
    assert ledger.size(world.sandbox) == size, "Explain records nothing"

    found = refusal(world.booking.sharing.Share, request, timeout=10)
    assert (found.code.name, found.reason) == (code, reason), str(found)
    assert found.message, "a refusal says what is wrong"
    ((index, entry),) = [pair for pair in ledger.entries(world.sandbox, size) if ledger.kind_name(pair[1]) == "REFUSED"]
    assert found.metadata["ledger_index"] == str(index)
    assert ledger.reason_name(entry) == reason
    assert entry.actor == "spiffe://maison-claire.example/booking/booking" and not entry.fields
    body = entry.SerializeToString()
    for identifier in (request.subject_id, request.booking_id, request.request_id):
        assert identifier.encode() not in body, "no identifier of a subject or booking is in an entry"
    if reason == "UNKNOWN_SERVICE":
        assert request.service.encode() not in body, "nor any that was not found"
    if reason == "UNKNOWN_RECIPIENT":
        assert request.recipient_id.encode() not in body, "nor any that was not found"
    answer = world.booking.sharing.ListDisclosures(
        sharing.ListDisclosuresRequest(subject_id=request.subject_id), timeout=10)
    assert not answer.disclosures, "what is refused leaves no disclosure"


@pytest.mark.parametrize("reason,code,violate", REFUSALS, ids=[row[0] for row in REFUSALS])
def test_p9_each_refusal_has_its_status_and_its_entry(world, reason, code, violate):
    case = Case(world)
    violate(case)
    check_refused(world, case.request(), reason, code)


def test_refusals_come_in_their_order(world):
    """Each pair of violations gives the earlier one's reason."""
    for first, (reason, code, violate) in enumerate(REFUSALS):
        for later, _, also in REFUSALS[first + 1:]:
            if {reason, later} in APART:
                continue
            case = Case(world)
            # The earlier is done first: what exercises a right looks at the subject that was named until then.
            (also, violate)[violate in (unknown_subject, suspended)](case)
            (violate, also)[violate in (unknown_subject, suspended)](case)
            found = refusal(world.booking.sharing.Share, case.request(), timeout=10)
            assert (found.code.name, found.reason) == (code, reason), f"{reason} before {later}: {found}"


def test_the_same_case_without_a_violation_is_shared(world):
    assert world.booking.sharing.Share(Case(world).request(), timeout=10).disclosure.disclosure_id


@pytest.mark.parametrize("starts_in,lasts", [(10, 0), (10, -5), (-3600, 1800), (10, 2 * 3600 + 1), (-60, 59)])
def test_bad_windows(world, starts_in, lasts):
    case = Case(world)
    case.starts_in, case.lasts = starts_in, lasts
    check_refused(world, case.request(), "BAD_WINDOW", "INVALID_ARGUMENT")


@pytest.mark.parametrize("missing", ["starts_at", "ends_at"])
def test_a_missing_time_is_no_window(world, missing):
    request = Case(world).request()
    request.ClearField(missing)
    with refused("INVALID_ARGUMENT"):
        world.booking.sharing.Share(request, timeout=10)


@pytest.mark.parametrize("consent", [False, None])
def test_consent_is_a_true_and_nothing_else(world, consent):
    request = world.share_request(world.person(consent=consent), world.recipient(), "newsletter")
    check_refused(world, request, "CONSENT_MISSING", "FAILED_PRECONDITION")


def test_withdrawn_consent_is_missing_consent(world):
    case = Case(world)
    company.exercise(world.sandbox, case.subject(), "consent_withdrawn", "dpv:DirectMarketing")
    check_refused(world, case.request(), "CONSENT_MISSING", "FAILED_PRECONDITION")


def test_an_objection_to_everything_covers_what_may_be_objected_to(world):
    person, recipient = world.person(), world.recipient()
    company.exercise(world.sandbox, person.subject_id, "objected")
    check_refused(world, world.share_request(person, recipient, "contact"), "OBJECTED", "FAILED_PRECONDITION")


def test_an_objection_does_not_stop_a_contract(world):
    person, recipient = world.person(), world.recipient()
    company.exercise(world.sandbox, person.subject_id, "objected")
    assert world.share(person, recipient, "at-once").disclosure_id


def test_an_objection_to_another_purpose_is_none_to_this(world):
    person, recipient = world.person(), world.recipient()
    company.exercise(world.sandbox, person.subject_id, "objected", "dpv:DirectMarketing")
    assert world.share(person, recipient, "contact").disclosure_id


def test_staff_and_providers_are_not_each_other(world):
    """customer-desk is for staff: a provider that lists it is still not authorised; nor is staff for a provider's."""
    person = world.person()
    provider = world.recipient(services=["customer-desk"])
    staff = world.recipient(services=["at-once", "customer-desk"], staff=True)
    check_refused(world, world.share_request(person, provider, "customer-desk"), "SERVICE_NOT_AUTHORISED", "PERMISSION_DENIED")
    check_refused(world, world.share_request(person, staff, "at-once"), "SERVICE_NOT_AUTHORISED", "PERMISSION_DENIED")
    assert world.share(person, staff, "customer-desk").disclosure_id


def test_an_agreement_that_begins_later_is_not_in_force(world):
    person = world.person()
    recipient = world.recipient(agreement_from=time.time() + 3600)
    check_refused(world, world.share_request(person, recipient), "AGREEMENT_NOT_IN_FORCE", "PERMISSION_DENIED")


def test_a_malformed_request_is_no_entry(world):
    request = Case(world).request()
    request.subject_id = ""
    size = ledger.size(world.sandbox)
    with refused("INVALID_ARGUMENT", "BAD_IDENTIFIER") as why:
        world.booking.sharing.Share(request, timeout=10)
    assert why.metadata == {"field": "subject_id"}
    assert ledger.size(world.sandbox) == size


# Refusals when a release is due, after a Share that was allowed.

@pytest.mark.parametrize("right", ["erased", "restricted", "objected"])
def test_p4_a_right_exercised_after_the_share_stops_the_delivery(world, right):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient, "contact")
    company.exercise(world.sandbox, person.subject_id, right, "dpv:CustomerCare" if right == "objected" else "")
    assert [delivery.disclosure_id for delivery in recipient.drain()] == []
    state = world.booking.sharing.GetDisclosure(
        sharing.GetDisclosureRequest(disclosure_id=shared.disclosure_id), timeout=10).disclosure
    assert state.releases[0].state != protos.common.RELEASE_STATE_DELIVERED
    with refused("FAILED_PRECONDITION"):
        recipient.fetch(shared.disclosure_id)
    assert not ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id, "DELIVERED")


def test_p4_consent_is_asked_again_at_the_delivery(world):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient, "newsletter")
    world.sandbox.query("UPDATE company.client SET newsletter_consent = false WHERE subject_id = %s", person.subject_id)
    assert recipient.drain() == []
    assert not ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id, "DELIVERED")
