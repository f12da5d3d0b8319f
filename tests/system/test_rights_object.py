"""Object and LiftObjection: what the client, each recipient and the auditor see; P4 in two workers."""

import secrets
import threading

import pytest

from needtoknow_testing import changes, ledger, policy, protos, rights
from needtoknow_testing.client import unique
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

OBJECTED = protos.common.DISCLOSURE_STATE_OBJECTED
ACTIVE = protos.common.DISCLOSURE_STATE_ACTIVE
MARKETING, CARE, PROVISION = "dpv:DirectMarketing", "dpv:CustomerCare", "dpv:ServiceProvision"
CAUSE = protos.delivery.WITHDRAWAL_CAUSE_OBJECTED


@pytest.fixture(scope="module")
def pair():
    world = World.up(workers=2)
    yield world
    world.down()


def object_request(person, purpose="", **fields):
    return rights.asked(rights.rights.ObjectRequest, getattr(person, "subject_id", person), purpose=purpose, **fields)


def object_to(world, person, purpose="", **fields):
    return world.rights.rights.Object(object_request(person, purpose, **fields), timeout=20)


def lift(world, person, purpose="", **fields):
    request = rights.asked(rights.rights.LiftObjectionRequest, getattr(person, "subject_id", person), purpose=purpose, **fields)
    return world.rights.rights.LiftObjection(request, timeout=20)


def report(world, person):
    request = protos.audit.GetSubjectReportRequest(subject_id=person.subject_id)
    return world.auditor.audit.GetSubjectReport(request, timeout=20)


def rights_reported(world, person):
    return {(protos.audit.RightKind.Name(right.kind)[len("RIGHT_KIND_"):], right.purpose) for right in report(world, person).rights}


def requests(world, person):
    """(kind, purpose, state) of the register, oldest first."""
    return world.sandbox.query("SELECT kind, purpose, state FROM needtoknow.rights_request WHERE subject_id = %s"
                               " ORDER BY ledger_index", person.subject_id)


def holds(answer):
    return {(each.purpose, each.article, each.to_be_weighed) for each in answer.objections}


def entries_of(world, answer):
    found = dict(ledger.entries(world.sandbox))
    return [found[receipt.ledger_index] for receipt in answer.receipts]


def kinds_and_reasons(world, answer):
    return [(ledger.kind_name(entry), ledger.reason_name(entry)) for entry in entries_of(world, answer)]


def test_art_7_3_a_withdrawn_consent_ends_what_rests_on_it_and_nothing_else():
    """A consent of another purpose than marketing: nothing but art. 7(3) applies."""
    services = policy.SERVICES + """\
  survey:
    purpose: dpv:ServiceOptimisation
    legal_basis: consent
    requires: client.newsletter_consent
    booking: none
    recipients: provider
    releases:
      - { name: ask, at: booked, fields: [client.email] }
      - { name: again, at: start, fields: [client.phone] }
    expires: end
    delete_within: 1h
"""
    world = World.up(policy.testing_policy(services=services))
    try:
        person, recipient = world.person(), world.recipient((*policy.PROVIDED, "survey"))
        with recipient.receive() as stream:
            survey = world.share(person, recipient, "survey", starts_in=2)
            visit = world.share(person, recipient)
            stream.acknowledge(stream.delivery(survey.disclosure_id), stream.delivery(visit.disclosure_id))
            answer = object_to(world, person, "dpv:ServiceOptimisation", reason="no more surveys")
            assert holds(answer) == {("dpv:ServiceOptimisation", "7(3)", False)}
            assert [each.disclosure_id for each in answer.withdrawn] == [survey.disclosure_id]
            assert kinds_and_reasons(world, answer) == [("CONSENT_WITHDRAWN", "UNSPECIFIED"), ("REVOKED", "CONSENT_MISSING")]
            first = entries_of(world, answer)[0]
            assert first.purpose == "dpv:ServiceOptimisation" and first.legal_basis == "consent"
            assert len(first.subject_pseudonym) == 16 and "surveys" not in str(first), "free text stays outside the leaf"
            assert stream.withdrawal(survey.disclosure_id).cause == CAUSE
            later = world.share(person, recipient)
            stream.delivery(later.disclosure_id)
            world.sandbox.wait_until(protos.seconds(survey.starts_at) + 0.5)
            assert len([each for each in stream.deliveries() if each.disclosure_id == survey.disclosure_id]) == 1
        assert changes.get(world, survey.disclosure_id).state == OBJECTED
        assert changes.get(world, visit.disclosure_id).state == ACTIVE
        with refused("FAILED_PRECONDITION", "CONSENT_MISSING"):
            world.share(person, recipient, "survey")
        assert rights_reported(world, person) == {("CONSENT_WITHDRAWN", "dpv:ServiceOptimisation")}
        assert requests(world, person) == [(5, "dpv:ServiceOptimisation", 2)]
        with refused("FAILED_PRECONDITION", "ABSOLUTE_RIGHT"):
            lift(world, person, "dpv:ServiceOptimisation", overridden=True)
        lift(world, person, "dpv:ServiceOptimisation")
        world.share(person, recipient, "survey")
        world.check()
    finally:
        world.down()


def test_art_21_2_direct_marketing_stops_whatever_it_rests_on_and_no_ground_overrides_it(world):
    person, recipient = world.person(), world.recipient()
    letter = world.share(person, recipient, "newsletter")
    kept = world.share(person, recipient)
    other = world.share(world.person(), recipient, "newsletter")
    recipient.acknowledge(*recipient.drain())
    request = object_request(person, MARKETING)
    answer = world.rights.rights.Object(request, timeout=20)
    assert holds(answer) == {(MARKETING, "21(2)", False), (MARKETING, "7(3)", False)}
    assert kinds_and_reasons(world, answer) == [
        ("OBJECTION_RAISED", "UNSPECIFIED"), ("CONSENT_WITHDRAWN", "UNSPECIFIED"), ("REVOKED", "OBJECTED")]
    assert [each.disclosure_id for each in answer.withdrawn] == [letter.disclosure_id]
    assert changes.kinds(world, letter.disclosure_id) == ["SHARED", "DELIVERED", "ACKNOWLEDGED", "REVOKED", "WITHDRAWN"], (
        "what was sent before stays recorded")
    assert [changes.get(world, each.disclosure_id).state for each in (kept, other)] == [ACTIVE, ACTIVE]
    with recipient.receive(until_empty=True) as stream:
        assert stream.withdrawal(letter.disclosure_id).cause == CAUSE
    with refused("FAILED_PRECONDITION", "OBJECTED"):
        world.share(person, recipient, "newsletter")
    with refused("FAILED_PRECONDITION", "OBJECTED"):
        recipient.fetch(letter.disclosure_id)
    with refused("FAILED_PRECONDITION", "ABSOLUTE_RIGHT"):
        lift(world, person, MARKETING, overridden=True)
    with refused("NOT_FOUND", "NOT_OBJECTED"):
        lift(world, person)
    size = ledger.size(world.sandbox)
    assert world.rights.rights.Object(request, timeout=20) == answer, "P6: repeated, it is the same answer"
    assert ledger.size(world.sandbox) == size
    request.purpose = CARE
    with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED"):
        world.rights.rights.Object(request, timeout=20)
    assert rights_reported(world, person) == {("OBJECTION", MARKETING), ("CONSENT_WITHDRAWN", MARKETING)}
    lifted = lift(world, person, MARKETING)
    assert kinds_and_reasons(world, lifted) == [("OBJECTION_LIFTED", "UNSPECIFIED")] * 2
    assert rights_reported(world, person) == set()
    world.share(person, recipient, "newsletter")


def test_art_21_1_it_holds_at_once_and_the_balancing_comes_later(world):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient, "contact")
    recipient.acknowledge(*recipient.drain())
    answer = object_to(world, person, CARE)
    assert holds(answer) == {(CARE, "21(1)", True)}
    assert [each.disclosure_id for each in answer.withdrawn] == [shared.disclosure_id]
    with refused("FAILED_PRECONDITION", "OBJECTED"):
        world.share(person, recipient, "contact")
    assert requests(world, person) == [(5, CARE, 1)], "open until it is weighed"
    upheld = object_to(world, person, CARE, upheld=True, reason="no overriding ground")
    assert holds(upheld) == {(CARE, "21(1)", False)} and not upheld.withdrawn
    assert kinds_and_reasons(world, upheld) == [("OBJECTION_RAISED", "UPHELD")]
    assert requests(world, person) == [(5, CARE, 2), (5, CARE, 2)]
    assert holds(object_to(world, person, CARE)) == {(CARE, "21(1)", False)}, "it was weighed already"

    other = world.person()
    with refused("NOT_FOUND", "NOT_OBJECTED"):
        object_to(world, other, CARE, upheld=True)
    object_to(world, other, CARE)
    overridden = lift(world, other, CARE, overridden=True, reason="a complaint is to be answered")
    assert kinds_and_reasons(world, overridden) == [("OBJECTION_LIFTED", "OVERRIDDEN")]
    assert requests(world, other) == [(5, CARE, 2), (6, CARE, 2)]
    world.share(other, recipient, "contact")


def test_art_21_what_rests_on_a_contract_continues_and_the_refusal_is_recorded(world):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient)
    with refused("FAILED_PRECONDITION", "NO_RIGHT_TO_OBJECT") as refusal:
        object_to(world, person, PROVISION)
    assert "contract" in refusal.message
    entry = dict(ledger.entries(world.sandbox))[int(refusal.metadata["ledger_index"])]
    assert (ledger.kind_name(entry), ledger.reason_name(entry), entry.purpose) == ("REFUSED", "NO_RIGHT_TO_OBJECT", PROVISION)
    assert len(entry.subject_pseudonym) == 16
    assert changes.get(world, shared.disclosure_id).state == ACTIVE
    assert requests(world, person) == [(5, PROVISION, 3)]
    assert rights_reported(world, person) == set()
    with refused("INVALID_ARGUMENT", "UNKNOWN_PURPOSE"):
        object_to(world, person, "dpv:Payment")
    with refused("NOT_FOUND", "UNKNOWN_SUBJECT"):
        object_to(world, unique("nobody"), MARKETING)


def test_art_21_to_all_is_all_that_may_be_objected_to(world):
    person, recipient = world.person(), world.recipient()
    letter, contact, visit = (world.share(person, recipient, service) for service in ("newsletter", "contact", "at-once"))
    answer = object_to(world, person)
    assert holds(answer) == {("", "21(1)", True), ("", "21(2)", False), ("", "7(3)", False)}
    assert {each.disclosure_id for each in answer.withdrawn} == {letter.disclosure_id, contact.disclosure_id}
    assert changes.get(world, visit.disclosure_id).state == ACTIVE
    # Overridden is what can be: not direct marketing, and no consent.
    lift(world, person, overridden=True)
    world.share(person, recipient, "contact")
    with refused("FAILED_PRECONDITION", "OBJECTED"):
        world.share(person, recipient, "newsletter")
    assert ("OBJECTION", MARKETING) in rights_reported(world, person)


def test_art_21_more_than_a_train_carries_ends_before_the_answer(world):
    person, recipient = world.person(), world.recipient()
    count = 300
    requested = [world.booking.sharing.Share.future(world.share_request(person, recipient, "contact"), timeout=60)
                 for _ in range(count)]
    shared = {each.result().disclosure.disclosure_id for each in requested}
    request = object_request(person, CARE)
    answer = world.rights.rights.Object(request, timeout=60)
    assert {each.disclosure_id for each in answer.withdrawn} == shared
    assert len(answer.receipts) == count + 1
    assert world.sandbox.query("SELECT count(*) FROM needtoknow.disclosure WHERE subject_id = %s AND state = 1",
                               person.subject_id) == [(0,)]
    again = world.rights.rights.Object(request, timeout=60)
    assert {each.disclosure_id for each in again.withdrawn} == shared and again.receipts == answer.receipts
    assert recipient.drain() == []


def test_art_21_needs_no_database_of_the_company(world):
    """Of whom something was shared: the objection does not wait for a view that is locked."""
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient, "newsletter")
    blocker = world.sandbox.connect(autocommit=False)
    try:
        blocker.cursor().execute("LOCK TABLE company.client IN ACCESS EXCLUSIVE MODE")
        # Answered while it is locked: whoever asked the company would wait, and fail.
        answer = object_to(world, person, MARKETING)
    finally:
        blocker.close()
    assert [each.disclosure_id for each in answer.withdrawn] == [shared.disclosure_id]


def test_art_21_who_comes_back_is_not_mailed_by_accident(world):
    number = lambda: "06" + "".join(secrets.choice("0123456789") for _ in range(8))
    person, recipient = world.person(phone=number()), world.recipient()
    email = person.value("client.email")
    object_to(world, person, MARKETING)
    world.share(person, recipient)  # another right, another purpose: it goes on
    query = lambda: world.sandbox.query("SELECT count(*) FROM needtoknow.suppression WHERE subject_id = %s", person.subject_id)[0][0]
    until(lambda: query() >= 4, 20, "both rights by address and by telephone number")
    assert world.sandbox.query("SELECT count(*) FROM needtoknow.suppression AS s WHERE s::text LIKE %s", f"%{email}%") == [(0,)]
    columns = {"client.given_name": "Zoé", "client.family_name": "Quenouille", "client.email": email.upper(),
               "client.phone": number(), "client.home_address": "1 rue Neuve, 44000 Nantes",
               "client.newsletter_consent": "true"}
    request, answer = rights.register(world, columns)
    carried = {(protos.audit.RightKind.Name(each.kind), each.purpose) for each in answer.carried_over}
    assert carried == {("RIGHT_KIND_OBJECTION", MARKETING), ("RIGHT_KIND_CONSENT_WITHDRAWN", MARKETING)}
    again = type(person)(answer.subject_id, person.booking_id)
    with refused("FAILED_PRECONDITION", "OBJECTED"):
        world.share(again, recipient, "newsletter")
    # They may take it back under the number that they have now, and then it is gone for good.
    taken_over = lambda: world.sandbox.query("SELECT count(*) FROM needtoknow.suppression WHERE subject_id = %s", again.subject_id)
    until(lambda: taken_over()[0][0] >= 2, 20, "the contact is theirs")
    lift(world, again, MARKETING)
    assert taken_over() == [(0,)]
    world.share(again, recipient, "newsletter")


def test_art_21_what_was_said_holds_under_the_contacts_that_they_have_now(world):
    person = world.person()
    object_to(world, person, MARKETING)
    kept = lambda: world.sandbox.query("SELECT count(*) FROM needtoknow.suppression WHERE subject_id = %s", person.subject_id)[0][0]
    until(lambda: kept() >= 4, 20, "both rights by address and by telephone number")
    before, address = kept(), f"nouvelle.{secrets.token_hex(6)}@courriel.example"
    rights.rectify(world, person.subject_id, "client.email", address)
    until(lambda: kept() == before + 2, 20, "both by the new address too")
    _, answer = rights.register(world, {
        "client.given_name": "Zoé", "client.family_name": "Quenouille", "client.email": address, "client.phone": "01 99 00 00 04",
        "client.home_address": "1 rue Neuve, 44000 Nantes"})
    assert {each.purpose for each in answer.carried_over} == {MARKETING}


def test_art_21_what_was_said_outlives_an_erasure_under_the_contacts_that_they_had_last(world):
    person = world.person()
    object_to(world, person, MARKETING)
    secured = "SELECT bool_and(contacts_read) FROM needtoknow.right_in_force WHERE subject_id = %s"
    until(lambda: world.sandbox.query(secured, person.subject_id) == [(True,)], 20, "what was said, kept by the contacts")
    address = f"nouvelle.{secrets.token_hex(6)}@courriel.example"
    rights.rectify(world, person.subject_id, "client.email", address)
    world.rights.rights.Erase(rights.asked(rights.rights.EraseRequest, person.subject_id), timeout=20)
    _, answer = rights.register(world, {
        "client.given_name": "Zoé", "client.family_name": "Quenouille", "client.email": address, "client.phone": "01 99 00 00 02",
        "client.home_address": "1 rue Neuve, 44000 Nantes"})
    assert {each.purpose for each in answer.carried_over} == {MARKETING}


ROUNDS = 1000
AT_ONCE = 10


def test_p4_an_objection_against_deliveries_over_two_workers(pair):
    """1,000 times, ten at once: after the OK no DELIVERED of that subject and purpose, in the ledger or on a stream."""
    recipient = pair.recipient()
    indices, failures, lock = {}, [], threading.Lock()
    streams = [recipient.receive(max_unacknowledged=1024) for _ in range(4)]

    def run(rounds):
        try:
            for _ in range(rounds):
                person = pair.person()
                requested = [pair.booking.sharing.Share.future(pair.share_request(person, recipient, "contact"), timeout=60)
                             for _ in range(3)]
                # Some are on their way, some are not recorded yet.
                requested[0].result()
                answer = object_to(pair, person, CARE)
                known = max(receipt.ledger_index for receipt in answer.receipts)
                with lock:
                    for each in answer.withdrawn:
                        indices[each.disclosure_id] = known
                for each in requested:
                    error = each.exception()
                    assert error is None or "OBJECTED" in str(error.details()) or error.code().name == "FAILED_PRECONDITION", error
                    assert error or each.result().disclosure.disclosure_id in indices, "shared before, and ended"
        except Exception as error:  # noqa: BLE001 - shown below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(ROUNDS // AT_ONCE,)) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    assert len(indices) >= ROUNDS
    changes.nothing_after(pair, indices)
    delivered = {entry.disclosure_id for _, entry in ledger.of_kind(ledger.entries(pair.sandbox), "DELIVERED")}
    assert delivered & set(indices), "some were delivered first: there was a race"
    assert pair.sandbox.query("SELECT count(*) FROM needtoknow.disclosure WHERE recipient_id = %s AND state = 1",
                              recipient.recipient_id) == [(0,)]
    for stream in streams:
        stream.close()
