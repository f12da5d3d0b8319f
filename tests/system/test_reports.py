"""What auditors ask beside the entries: a subject's report, a recipient's exposure, the register, overdue deletions."""

import hashlib
import re
import time
from types import SimpleNamespace

import psycopg2
import pytest
import yaml

from needtoknow_testing import company, ledger, policy, protos
from needtoknow_testing.client import unique
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World
from test_plans import named_statements

audit, delivery, common = protos.audit, protos.delivery, protos.common
DELETED, RETAINED = delivery.DELETION_OUTCOME_DELETED, delivery.DELETION_OUTCOME_RETAINED
POLICY = yaml.safe_load(policy.testing_policy())
HOUR = 3600


def report_of(client, subject_id):
    return client.audit.GetSubjectReport(audit.GetSubjectReportRequest(subject_id=subject_id), timeout=20)


def exposure_of(client, recipient, page_size=0, device="", held_from=None, held_until=None):
    """Every disclosure that a recipient held something of; times in microseconds."""
    found, token = [], ""
    request = audit.GetExposureRequest(recipient_id=recipient.recipient_id, device=device, page_size=page_size)
    if held_from is not None:
        request.held_from.CopyFrom(moment(held_from))
    if held_until is not None:
        request.held_until.CopyFrom(moment(held_until))
    while True:
        request.page_token = token
        answer = client.audit.GetExposure(request, timeout=20)
        found += answer.disclosures
        token = answer.next_page_token
        if not token:
            return found


def overdue_of(client, recipient, page_size=0):
    found, token = [], ""
    while True:
        answer = client.audit.ListOverdueDeletions(
            audit.ListOverdueDeletionsRequest(page_size=page_size, page_token=token), timeout=20)
        found += answer.deletions
        token = answer.next_page_token
        if not token:
            return [each for each in found if each.recipient_id == recipient.recipient_id]


def moment(microseconds):
    return protos.timestamp_pb2.Timestamp(seconds=microseconds // 1_000_000, nanos=microseconds % 1_000_000 * 1000)


def later(timestamp, seconds):
    return moment(protos.microseconds(timestamp) + int(seconds * 1_000_000))


def share(world, person, recipient, service, starts_in=HOUR, lasts=HOUR):
    """The whole answer, and what was asked."""
    request = world.share_request(person, recipient, service, starts_in, lasts)
    answer = world.booking.sharing.Share(request, timeout=10)
    return SimpleNamespace(request=request, receipt=answer.receipt, disclosure_id=answer.disclosure.disclosure_id,
                           expires_at=answer.disclosure.expires_at)


def withdrawals(world, party, *shared):
    """The orders to delete of these, once their time is over."""
    with party.receive() as stream:
        return [stream.withdrawal(each.disclosure_id, timeout=30) for each in shared]


def confirm(party, shared, outcome=DELETED, ground="", retained_until=None):
    item = delivery.DeletionItem(disclosure_id=shared.disclosure_id, outcome=outcome, ground=ground)
    if retained_until:
        item.until.CopyFrom(retained_until)
    assert party.client.delivery.ConfirmDeletion(delivery.ConfirmDeletionRequest(items=[item]), timeout=10).confirmed == 1


def confirmation(world, shared):
    """When it was, from the ledger itself."""
    ((_, entry),) = ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id, "DELETION_CONFIRMED")
    return entry.recorded_at


def releases(shared, service, sent=()):
    """What the report must say of a disclosure's releases: `sent`, deliveries and whether they were acknowledged, by name."""
    at = {"booked": shared.receipt.recorded_at, "start": shared.request.starts_at, "end": shared.request.ends_at}
    hours = {"": 0, "-24h": -24, "-1h": -1, "-2s": -2 / HOUR, "-1s": -1 / HOUR}
    for release in POLICY["services"][service]["releases"]:
        anchor = next(name for name in at if release["at"].startswith(name))
        due = later(at[anchor], hours[release["at"][len(anchor):]] * HOUR)
        due = max(due, shared.receipt.recorded_at, key=protos.microseconds)
        yield audit.ReportedRelease(name=release["name"], fields=release["fields"], due_at=due, deliveries=[
            audit.ReportedDelivery(sent_at=each.receipt.recorded_at, acknowledged=acknowledged, ledger_index=each.receipt.ledger_index)
            for each, acknowledged in sent if each.release == release["name"]])


def reported(shared, service, state, sent=(), deletions=()):
    return audit.ReportedDisclosure(
        disclosure_id=shared.disclosure_id, state=common.DisclosureState.Value(f"DISCLOSURE_STATE_{state}"),
        shared_at=shared.receipt.recorded_at, starts_at=shared.request.starts_at, ends_at=shared.request.ends_at,
        expires_at=shared.expires_at, releases=releases(shared, service, sent), deletions=deletions,
        shared_index=shared.receipt.ledger_index)


def deletion(withdrawal, **confirmed):
    return audit.ReportedDeletion(ordered_at=withdrawal.receipt.recorded_at, delete_by=withdrawal.delete_by, cause=withdrawal.cause,
                                  ledger_index=withdrawal.receipt.ledger_index, **confirmed)


def given_to(party, service, *disclosures):
    """The report's part about one recipient and service; `party` None: staff."""
    rule = POLICY["services"][service]
    kind = {"provider": protos.registry.RECIPIENT_KIND_PROVIDER, "staff": protos.registry.RECIPIENT_KIND_STAFF}[rule["recipients"]]
    return audit.ReportedRecipient(
        kind=kind, recipient_id=party.recipient_id if party else "", display_name=f"Maison {party.recipient_id}" if party else "",
        service=service, service_title=rule.get("title", ""), purpose=rule["purpose"], legal_basis=rule["legal_basis"],
        disclosures=disclosures)


# The subject's report.

def test_p9_a_subjects_report_tells_all_that_was_done_with_their_data(world):
    person, other = world.person(), world.person()
    second = company.another_booking(world.sandbox, person)
    cleaner, gardener = world.recipient(), world.recipient()
    desk = [world.recipient(services=["customer-desk"], staff=True) for _ in range(2)]
    first = share(world, person, cleaner, "at-once", starts_in=0, lasts=4)
    retained = share(world, person, gardener, "at-once", starts_in=0, lasts=4)
    silent = share(world, second, gardener, "at-once", starts_in=0, lasts=4)
    (first_sent,) = cleaner.drain()
    cleaner.acknowledge(first_sent)
    garden_sent = {each.disclosure_id: each for each in gardener.drain()}
    gardener.acknowledge(*garden_sent.values())
    planned = share(world, second, cleaner, "home-cleaning", starts_in=48 * HOUR)
    planned_sent = cleaner.drain() + cleaner.drain()  # not acknowledged, it is sent again
    cleaner.acknowledge(planned_sent[0])
    calls = [share(world, person, member, "customer-desk") for member in desk]
    calls_sent = [member.drain()[0] for member in desk]
    desk[0].acknowledge(calls_sent[0])
    share(world, other, cleaner, "at-once")
    company.exercise(world.sandbox, person.subject_id, "objected", "dpv:DirectMarketing")
    company.exercise(world.sandbox, person.subject_id, "consent_withdrawn")

    (first_order,) = withdrawals(world, cleaner, first)
    retained_order, silent_order = withdrawals(world, gardener, retained, silent)
    confirm(cleaner, first)
    until_when = protos.timestamp(round(time.time()) + 365 * 24 * HOUR)
    confirm(gardener, retained, RETAINED, "Code de commerce L123-22", until_when)

    report = report_of(world.auditor, person.subject_id)
    objected, withdrawn = world.sandbox.query(
        "SELECT (extract(epoch FROM raised_at) * 1000000)::bigint FROM needtoknow.right_in_force WHERE subject_id = %s ORDER BY kind",
        person.subject_id)
    recipients = [
        given_to(None, "customer-desk",
                 reported(calls[0], "customer-desk", "ACTIVE", [(calls_sent[0], True)]),
                 reported(calls[1], "customer-desk", "ACTIVE", [(calls_sent[1], False)])),
        given_to(cleaner, "at-once", reported(first, "at-once", "EXPIRED", [(first_sent, True)], [
            deletion(first_order, outcome=DELETED, confirmed_at=confirmation(world, first))])),
        given_to(cleaner, "home-cleaning", reported(planned, "home-cleaning", "ACTIVE", [(each, True) for each in planned_sent])),
        given_to(gardener, "at-once",
                 reported(retained, "at-once", "EXPIRED", [(garden_sent[retained.disclosure_id], True)], [
                     deletion(retained_order, outcome=RETAINED, confirmed_at=confirmation(world, retained),
                              ground="Code de commerce L123-22", retained_until=until_when)]),
                 reported(silent, "at-once", "EXPIRED", [(garden_sent[silent.disclosure_id], True)], [deletion(silent_order)])),
    ]
    expected = audit.GetSubjectReportResponse(
        subject_id=person.subject_id,
        subject_pseudonym=world.sandbox.query(
            "SELECT pseudonym FROM needtoknow.subject_key WHERE subject_id = %s", person.subject_id)[0][0].tobytes(),
        made_at=report.made_at, controller="Maison Claire SAS", data_protection_officer="dpo@maison-claire.example",
        recipients=sorted(recipients, key=lambda each: (each.recipient_id, each.service, each.purpose)),
        rights=[audit.ReportedRight(kind=audit.RIGHT_KIND_OBJECTION, purpose="dpv:DirectMarketing", raised_at=moment(objected[0])),
                audit.ReportedRight(kind=audit.RIGHT_KIND_CONSENT_WITHDRAWN, raised_at=moment(withdrawn[0]))],
        backups_keep="35d")
    assert str(report).splitlines() == str(expected).splitlines()
    assert report == expected
    assert abs(protos.seconds(report.made_at) - world.sandbox.database_now()) < 10
    said = report.SerializeToString()
    for member in desk:
        assert member.recipient_id.encode() not in said, "staff are reported by their role"
    for value in person.sentinels() + other.sentinels() + [other.subject_id]:
        assert value.encode() not in said


def test_what_expired_by_the_clock_is_reported_as_expired(world):
    person, recipient = world.person(), world.recipient()
    shared = share(world, person, recipient, "at-once", starts_in=0, lasts=HOUR)
    # As if the sweeper had not come by yet.
    world.sandbox.query("UPDATE needtoknow.disclosure SET expires_at = clock_timestamp(), state = 1 WHERE disclosure_id = %s",
                        shared.disclosure_id)
    (given,) = report_of(world.auditor, person.subject_id).recipients
    assert given.disclosures[0].state == common.DISCLOSURE_STATE_EXPIRED


def test_a_subject_of_whom_nothing_was_shared_has_no_report(world):
    person, uri = world.person(), f"spiffe://maison-claire.example/auditor/{unique('a')}"
    auditor, size = world.client_of(uri), ledger.size(world.sandbox)
    with refused("NOT_FOUND", "UNKNOWN_SUBJECT"):
        report_of(auditor, person.subject_id)
    ((_, entry),) = [each for each in ledger.entries(world.sandbox, size) if each[1].actor == uri]
    assert (ledger.kind_name(entry), list(entry.fields), entry.subject_pseudonym) == (
        "AUDITED", ["GetSubjectReport", "subject_id"], b"")
    assert person.subject_id.encode() not in entry.SerializeToString()


def many(world, person, recipient, amount):
    """As if so much had been shared with, and sent to, a recipient; without entries, so to be taken away again."""
    world.sandbox.query(
        """WITH d AS (INSERT INTO needtoknow.disclosure (disclosure_id, subject_id, booking_id, recipient_id, service, policy_number, state,
                starts_at, ends_at, expires_at, created_at, request_digest, shared_index)
            SELECT gen_random_uuid(), %s, %s, %s, 'home-cleaning', (SELECT max(policy_number) FROM needtoknow.policy), 2,
                now(), now(), now(), now(), '', 1000000000 + n
            FROM generate_series(1, %s) AS n RETURNING disclosure_id, recipient_id),
        s AS (INSERT INTO needtoknow.sent
            SELECT d.disclosure_id, r, 1, 1000000000, d.recipient_id, 'default', now(), now(), NULL, false, '', 0, ''
            FROM d CROSS JOIN generate_series(0, 2) AS r)
        INSERT INTO needtoknow.withdrawal (disclosure_id, device, recipient_id, cause, recorded_at, delete_by, ledger_index, leaf_hash,
            confirmed_index, confirmed_at, outcome)
        SELECT d.disclosure_id, 'default', d.recipient_id, 1, now(), now(), 1000000000, '', 1000000000, now(), 1 FROM d""",
        person.subject_id, person.booking_id, recipient.recipient_id, amount)


def take_away(world, recipient):
    for table in ("withdrawal", "sent", "disclosure"):
        world.sandbox.query(f"DELETE FROM needtoknow.{table} WHERE recipient_id = %s", recipient.recipient_id)


def test_a_report_of_thousands_of_disclosures_comes_whole_or_says_what_to_do(world):
    person, recipient = world.person(), world.recipient()
    share(world, person, world.recipient(), "at-once")
    try:
        many(world, person, recipient, 2500)
        report = report_of(world.auditor, person.subject_id)
        (given,) = [each for each in report.recipients if each.recipient_id == recipient.recipient_id]
        assert len(given.disclosures) == 2500
        assert all(len(release.deliveries) == 1 for each in given.disclosures for release in each.releases)
        assert all(len(each.deletions) == 1 for each in given.disclosures)
        for more in (7500, 15000):  # beyond a call's memory, then beyond what is read at all
            many(world, person, recipient, more)
            with refused("RESOURCE_EXHAUSTED", "REPORT_TOO_LARGE") as why:
                report_of(world.auditor, person.subject_id)
            assert "ListEntries" in why.message
    finally:
        take_away(world, recipient)


@pytest.fixture
def own_world():
    world = World.up()
    yield world
    world.down()


def test_what_was_shared_under_a_policy_that_no_longer_fits_the_company_is_told_in_full(own_world):
    """The view has lost a column that the old policy names: nothing is delivered by it any more, and the past stays what it was."""
    world, sandbox = own_world, own_world.sandbox
    person, recipient = world.person(), world.recipient()
    shared = share(world, person, recipient, "home-cleaning", starts_in=48 * HOUR)
    (sent,) = recipient.drain()
    recipient.acknowledge(sent)
    sandbox.query("ALTER VIEW share.booking RENAME COLUMN instructions TO remarks;"
                  " REVOKE SELECT (remarks) ON share.booking FROM needtoknow_source")
    file = sandbox.config.parent / "policy.yaml"
    file.write_text(file.read_text().replace(", booking.instructions", ""))
    sandbox.restart()
    assert "instructions" in sandbox.log()
    (given,) = report_of(world.auditor, person.subject_id).recipients
    assert given == given_to(recipient, "home-cleaning", reported(shared, "home-cleaning", "ACTIVE", [(sent, True)]))
    (exposed,) = exposure_of(world.auditor, recipient)
    assert list(exposed.releases[0].fields) == ["client.district", "booking.tasks"]
    register = world.auditor.audit.GetRegister(audit.GetRegisterRequest(), timeout=10)
    assert "booking.instructions" not in str(register)


# A recipient's exposure.

def held(found):
    """{disclosure: {(release, device)}}"""
    return {each.disclosure_id: {(release.name, release.device) for release in each.releases} for each in found}


def test_p9_an_exposure_tells_what_was_held_from_its_sending_to_its_confirmed_deletion(world):
    person, recipient = world.person(), world.recipient()
    gone = share(world, person, recipient, "at-once", starts_in=0, lasts=4)
    kept = share(world, person, recipient, "at-once", starts_in=0, lasts=4)
    never = share(world, person, recipient, "strict", starts_in=HOUR)
    sent = {each.disclosure_id: each for each in recipient.drain()}
    assert never.disclosure_id not in sent
    withdrawals(world, recipient, gone, kept)
    confirm(recipient, gone)
    confirm(recipient, kept, RETAINED, "Code civil 2224")
    deleted = protos.microseconds(confirmation(world, gone))
    sent_at = protos.microseconds(sent[gone.disclosure_id].receipt.recorded_at)
    pseudonym = world.sandbox.query("SELECT pseudonym FROM needtoknow.subject_key WHERE subject_id = %s", person.subject_id)[0][0]

    expected = [audit.ExposedDisclosure(
        disclosure_id=shared.disclosure_id, subject_pseudonym=bytes(pseudonym), subject_id=person.subject_id, service="at-once",
        purpose="dpv:ServiceProvision", releases=[audit.ExposedRelease(
            name="all", fields=POLICY["services"]["at-once"]["releases"][0]["fields"], device="default",
            held_from=sent[shared.disclosure_id].receipt.recorded_at, held_until=end, retained_ground=ground,
            ledger_index=sent[shared.disclosure_id].receipt.ledger_index)])
        for shared, end, ground in ((gone, moment(deleted), ""), (kept, None, "Code civil 2224"))]
    assert exposure_of(world.auditor, recipient) == expected

    holds = lambda **window: gone.disclosure_id in held(exposure_of(world.auditor, recipient, **window))
    assert not holds(held_until=sent_at) and holds(held_until=sent_at + 1), "from its sending on"
    assert not holds(held_from=deleted) and holds(held_from=deleted - 1), "until its deletion was confirmed"
    assert holds(held_from=sent_at, held_until=sent_at + 1) and holds(held_from=deleted - 1, held_until=deleted)
    assert not holds(held_from=sent_at, held_until=sent_at), "no moment lies in it"
    assert held(exposure_of(world.auditor, recipient, held_from=deleted + 10**12)) == {kept.disclosure_id: {("all", "default")}}
    with refused("INVALID_ARGUMENT", "BAD_WINDOW"):
        exposure_of(world.auditor, recipient, held_from=sent_at + 1, held_until=sent_at)


def test_an_exposure_is_told_by_device(world):
    recipient = world.recipient()
    phone = recipient.device("phone")
    first = share(world, world.person(), recipient, "at-once")
    recipient.acknowledge(*recipient.drain())
    second = share(world, world.person(), recipient, "staged", starts_in=60, lasts=600)
    assert phone.drain()
    found = exposure_of(world.auditor, recipient)
    assert held(found) == {first.disclosure_id: {("all", "default")}, second.disclosure_id: {("planning", "phone")}}
    assert held(exposure_of(world.auditor, recipient, device="phone")) == {second.disclosure_id: {("planning", "phone")}}
    assert exposure_of(world.auditor, recipient, device="tablet") == []
    # Sent again to another device, since nobody acknowledged: both hold it.
    world.sandbox.query("UPDATE needtoknow.sent SET free_at = clock_timestamp() WHERE disclosure_id = %s", second.disclosure_id)
    both = until(lambda: recipient.drain() and exposure_of(world.auditor, recipient, device=""), 10, "a repeat")
    assert held(both)[second.disclosure_id] == {("planning", "phone"), ("planning", "default")}


def test_exposures_come_in_pages_that_are_the_callers_and_the_requests_own(world):
    recipient = world.recipient()
    shared = [share(world, world.person(), recipient, "at-once") for _ in range(5)]
    waiting = [share(world, world.person(), recipient, "strict") for _ in range(3)]
    recipient.drain()
    shared += [share(world, world.person(), recipient, "contact") for _ in range(2)]
    recipient.drain()
    expected = [each.disclosure_id for each in shared]
    size = ledger.size(world.sandbox)
    for page_size in (1, 2, 3, 7, 0):
        found = [each.disclosure_id for each in exposure_of(world.auditor, recipient, page_size)]
        assert found == expected, f"{len(found)} of {len(expected)}, {len(waiting)} were not sent"
    assert len(ledger.of_kind(ledger.entries(world.sandbox, size), "AUDITED")) == 5, "an entry a question, not a page"
    request = audit.GetExposureRequest(recipient_id=recipient.recipient_id, page_size=1)
    request.page_token = world.auditor.audit.GetExposure(request, timeout=10).next_page_token
    assert world.auditor.audit.GetExposure(request, timeout=10).disclosures[0].disclosure_id == expected[1]
    other = world.client_of(f"spiffe://maison-claire.example/auditor/{unique('a')}")
    with refused("INVALID_ARGUMENT", "BAD_PAGE_TOKEN"):
        other.audit.GetExposure(request, timeout=10)
    request.device = "phone"
    with refused("INVALID_ARGUMENT", "BAD_PAGE_TOKEN"):
        world.auditor.audit.GetExposure(request, timeout=10)


def test_an_exposure_of_many_that_were_deleted_long_ago_ends(world):
    """A page looks at so many disclosures and no more; it may be empty, and goes on behind its token."""
    recipient = world.recipient()
    try:
        share(world, world.person(), recipient, "contact")
        recipient.drain()
        many(world, world.person(), recipient, 1500)
        request = audit.GetExposureRequest(recipient_id=recipient.recipient_id, page_size=1,
                                           held_from=protos.timestamp(world.sandbox.database_now()))
        pages = []
        while not pages or request.page_token:
            answer = world.auditor.audit.GetExposure(request, timeout=20)
            pages.append([each.service for each in answer.disclosures])
            request.page_token = answer.next_page_token
        assert pages[0] == ["contact"] and 2 < len(pages) < 10 and not any(pages[1:]), pages
        assert len(exposure_of(world.auditor, recipient, page_size=1000)) == 1501
    finally:
        take_away(world, recipient)


def test_a_recipient_that_nobody_registered_has_no_exposure(world):
    nobody = SimpleNamespace(recipient_id=unique("r"))
    uri = f"spiffe://maison-claire.example/auditor/{unique('a')}"
    size = ledger.size(world.sandbox)
    with refused("NOT_FOUND", "UNKNOWN_RECIPIENT"):
        exposure_of(world.client_of(uri), nobody)
    ((_, entry),) = [each for each in ledger.entries(world.sandbox, size) if each[1].actor == uri]
    assert entry.recipient_id == "", "an identifier that was not found is not in an entry"


def test_what_a_narrower_policy_left_out_was_neither_given_nor_held(world):
    """Told as sent: field 0 was left out of the first sending, 0 and 2 of the second; together they are all but 0."""
    person, recipient = world.person(), world.recipient()
    shared = share(world, person, recipient, "at-once")
    first, second = recipient.drain() + recipient.drain()
    recipient.acknowledge(first)
    for each, left_out in ((first, 0b001), (second, 0b101)):
        world.sandbox.query("UPDATE needtoknow.sent SET left_out = %s WHERE ledger_index = %s", left_out, each.receipt.ledger_index)
    fields = POLICY["services"]["at-once"]["releases"][0]["fields"]
    (given,) = report_of(world.auditor, person.subject_id).recipients
    assert [list(release.fields) for release in given.disclosures[0].releases] == [fields[1:]]
    (exposed,) = exposure_of(world.auditor, recipient)
    assert exposed.disclosure_id == shared.disclosure_id
    assert [(list(release.fields), release.ledger_index) for release in exposed.releases] == [(fields[1:], first.receipt.ledger_index)]
    world.sandbox.query("UPDATE needtoknow.sent SET left_out = 5 WHERE disclosure_id = %s", shared.disclosure_id)
    (given,) = report_of(world.auditor, person.subject_id).recipients
    assert list(given.disclosures[0].releases[0].fields) == [fields[1], fields[3]]


# The register.

def test_p9_the_register_is_the_policy_in_force(world):
    register = world.auditor.audit.GetRegister(audit.GetRegisterRequest(), timeout=10)
    (text, digest, activated), = world.sandbox.query(
        "SELECT p.text, p.digest, (extract(epoch FROM a.activated_at) * 1000000)::bigint FROM needtoknow.policy_activation AS a"
        " JOIN needtoknow.policy AS p USING (policy_number) ORDER BY a.ledger_index DESC LIMIT 1")
    read = yaml.safe_load(text)
    assert register.policy_digest == bytes(digest) and protos.microseconds(register.policy_activated_at) == activated
    assert register.controller == read["controller"]["name"]
    assert register.data_protection_officer == read["controller"]["data_protection_officer"]
    assert list(register.security_measures) == read["controller"]["security_measures"]
    assert [each.service for each in register.processings] == list(read["services"])
    for each, (name, rule) in zip(register.processings, read["services"].items()):
        assert (each.title, each.purpose, each.legal_basis) == (rule.get("title", ""), rule["purpose"], rule["legal_basis"]), name
        assert (each.expires, each.delete_within) == (rule["expires"], rule["delete_within"]), name
        assert each.subject_category == read["subjects"] and each.requires == rule.get("requires", ""), name
        assert protos.registry.RecipientKind.Name(each.recipient_kind) == f"RECIPIENT_KIND_{rule['recipients'].upper()}", name
        assert [(field.name, field.release, field.due, field.sensitive) for field in each.fields] == [
            (field, release["name"], release["at"], release.get("sensitive", False))
            for release in rule["releases"] for field in release["fields"]], name
    period = lambda given: (given["keep"], given.get("because", "")) if isinstance(given, dict) else (given, "")
    kept = read["retention"]
    assert [(each.what, each.keep, each.because) for each in register.retention] == [
        (what, *period(kept[what])) for what in ("disclosures", "ledger_bodies", "subject_key_after_erasure", "backups")] + [
        (", ".join(each["fields"]), each["keep"], each.get("because", "")) for each in kept["columns"]]


def test_the_register_names_the_providers_that_may_be_given_something_now(world):
    now = time.time()
    good = world.recipient(services=["at-once", "gardening"])
    ended = world.recipient(services=["at-once"], agreement_from=now - 200, agreement_until=now - 100)
    coming = world.recipient(services=["at-once"], agreement_from=now + 1000)
    elsewhere = world.recipient(services=["newsletter"])
    suspended = world.recipient(services=["at-once"])
    world.sandbox.query("UPDATE needtoknow.recipient SET suspended = true WHERE recipient_id = %s", suspended.recipient_id)
    staff = world.recipient(services=["at-once", "customer-desk"], staff=True)
    register = world.auditor.audit.GetRegister(audit.GetRegisterRequest(), timeout=10)
    named = {each.service: list(each.recipients) for each in register.processings}
    name = lambda party: f"Maison {party.recipient_id}"
    assert name(good) in named["at-once"] and name(good) in named["gardening"] and name(good) not in named["newsletter"]
    assert name(elsewhere) in named["newsletter"]
    for party in (ended, coming, elsewhere, suspended, staff):
        assert name(party) not in named["at-once"], party.recipient_id
    assert named["customer-desk"] == [], "staff are no recipients"


@pytest.fixture
def world_of_two():
    world = World.up(workers=2)
    yield world
    world.down()


def test_every_worker_tells_the_register_of_the_policy_that_was_put_in_force_last(world_of_two):
    sandbox = world_of_two.sandbox
    file = sandbox.config.parent / "policy.yaml"
    for keep in ("36d", "37d", "38d"):
        file.write_text(re.sub(r"backups: \d+d", f"backups: {keep}", file.read_text()))
        digest = hashlib.sha256(file.read_bytes()).digest()
        world_of_two.admin.registry.ReloadPolicy(
            protos.registry.ReloadPolicyRequest(expected_digest=digest, approved_by="the officer"), timeout=20)
        for _ in range(10):
            auditor = sandbox.new_client("auditor")  # of one worker or the other
            register = auditor.audit.GetRegister(audit.GetRegisterRequest(), timeout=10)
            auditor.close()
            assert register.policy_digest == digest and ("backups", keep) in [(each.what, each.keep) for each in register.retention]


# Deletions that are overdue.

def make_overdue(world, shared, seconds):
    world.sandbox.query("UPDATE needtoknow.withdrawal SET delete_by = clock_timestamp() + %s * interval '1 second'"
                        " WHERE disclosure_id = %s", -seconds, shared.disclosure_id)


def test_p9_an_order_that_nobody_confirmed_in_time_is_listed_until_it_is_confirmed(world):
    recipient = world.recipient()
    shared = share(world, world.person(), recipient, "at-once", starts_in=0, lasts=3)
    recipient.drain()
    (order,) = withdrawals(world, recipient, shared)
    assert overdue_of(world.auditor, recipient) == [], "its time is not over"
    make_overdue(world, shared, -1.5)
    assert overdue_of(world.auditor, recipient) == [], "a second before"
    (line,) = until(lambda: overdue_of(world.auditor, recipient), 10, "the end of its time, by the database's clock")
    assert protos.seconds(line.delete_by) < world.sandbox.database_now()
    assert line == audit.OverdueDeletion(
        disclosure_id=shared.disclosure_id, recipient_id=recipient.recipient_id, device="default", cause=order.cause,
        ordered_at=order.receipt.recorded_at, delete_by=line.delete_by, ledger_index=order.receipt.ledger_index)
    confirm(recipient, shared)
    assert overdue_of(world.auditor, recipient) == []


def test_the_longest_overdue_comes_first_in_pages(world):
    recipient = world.recipient()
    shared = [share(world, world.person(), recipient, "at-once", starts_in=0, lasts=3) for _ in range(6)]
    recipient.drain()
    withdrawals(world, recipient, *shared)
    for number, each in enumerate(shared):
        make_overdue(world, each, 1000 * (number + 1))
    # Three of one moment: told apart by the disclosure.
    world.sandbox.query("UPDATE needtoknow.withdrawal SET delete_by = '2026-01-01' WHERE disclosure_id = ANY (%s::uuid[])",
                        [each.disclosure_id for each in shared[:3]])
    expected = sorted(each.disclosure_id for each in shared[:3]) + [each.disclosure_id for each in reversed(shared[3:])]
    for page_size in (1, 2, 6, 0):
        assert [each.disclosure_id for each in overdue_of(world.auditor, recipient, page_size)] == expected
    request = audit.ListOverdueDeletionsRequest(page_size=1)
    request.page_token = world.auditor.audit.ListOverdueDeletions(request, timeout=10).next_page_token
    other = world.client_of(f"spiffe://maison-claire.example/auditor/{unique('a')}")
    with refused("INVALID_ARGUMENT", "BAD_PAGE_TOKEN"):
        other.audit.ListOverdueDeletions(request, timeout=10)
    for each in shared:
        confirm(recipient, each)


# Who may ask, and that it is recorded.

def questions(person, recipient):
    now = protos.timestamp(time.time())
    return [
        ("GetSubjectReport", audit.GetSubjectReportRequest(subject_id=person.subject_id), ["subject_id"]),
        ("GetExposure", audit.GetExposureRequest(recipient_id=recipient.recipient_id, device="phone", held_from=now, held_until=now),
         ["recipient_id", "device", "held_from", "held_until"]),
        ("GetExposure", audit.GetExposureRequest(recipient_id=recipient.recipient_id), ["recipient_id"]),
        ("GetRegister", audit.GetRegisterRequest(), []),
        ("ListOverdueDeletions", audit.ListOverdueDeletionsRequest(), []),
    ]


def test_p9_each_question_is_an_entry_with_its_shape(world):
    person, recipient = world.person(), world.recipient()
    share(world, person, recipient, "at-once")
    ((pseudonym,),) = world.sandbox.query("SELECT pseudonym FROM needtoknow.subject_key WHERE subject_id = %s", person.subject_id)
    uri = f"spiffe://maison-claire.example/auditor/{unique('a')}"
    auditor = world.client_of(uri)
    for method, request, shape in questions(person, recipient):
        size = ledger.size(world.sandbox)
        getattr(auditor.audit, method)(request, timeout=10)
        ((_, entry),) = [each for each in ledger.entries(world.sandbox, size) if each[1].actor == uri]
        assert (ledger.kind_name(entry), list(entry.fields)) == ("AUDITED", [method, *shape])
        assert entry.subject_pseudonym == (bytes(pseudonym) if method == "GetSubjectReport" else b"")
        assert entry.recipient_id == (recipient.recipient_id if method == "GetExposure" else "")
        assert person.subject_id.encode() not in entry.SerializeToString()
    kinds = [ledger.ENTRY_KIND.Value("ENTRY_KIND_AUDITED")]
    request = audit.ListEntriesRequest(filter=audit.EntryFilter(subject_id=person.subject_id, kinds=kinds))
    found = world.auditor.audit.ListEntries(request, timeout=10).entries
    assert uri in [each.entry.actor for each in found], "the subject's own entries tell who looked"


def test_p9_a_question_that_cannot_be_recorded_is_not_answered(own_world):
    world, sandbox = own_world, own_world.sandbox
    person, recipient = world.person(), world.recipient()
    share(world, person, recipient, "at-once")
    sandbox.query("REVOKE INSERT ON needtoknow.ledger FROM needtoknow_state")
    try:
        for method, request, _ in questions(person, recipient):
            with refused("UNAVAILABLE"):
                getattr(world.auditor.audit, method)(request, timeout=10)
    finally:
        sandbox.query("GRANT INSERT ON needtoknow.ledger TO needtoknow_state")
    sandbox.wait_serving()
    for method, request, _ in questions(person, recipient):
        getattr(world.auditor.audit, method)(request, timeout=10)


@pytest.mark.parametrize("role", ["booking", "admin", "recipient"])
def test_p7_nobody_but_an_auditor_may_ask(world, role):
    person, recipient = world.person(), world.recipient()
    client = recipient.client if role == "recipient" else getattr(world, role)
    for method, request, _ in questions(person, recipient):
        with refused("PERMISSION_DENIED", "ROLE_NOT_ALLOWED"):
            getattr(client.audit, method)(request, timeout=10)


def test_p7_the_audit_role_has_the_rights_that_these_questions_need_and_changes_nothing(world):
    """They may go to a replica, or through a role that can read and nothing else."""
    connection = world.sandbox.connect(user="needtoknow_audit")
    with connection.cursor() as cursor:
        for name, text in [*named_statements("report.sql"), *named_statements("audit.sql")]:
            cursor.execute(f"PREPARE {name} AS {text}")
            numbers = set(re.findall(r"\$(\d+)", text))
            cursor.execute(f"EXECUTE {name}({', '.join(['NULL'] * len(numbers))})")
        for table in ("disclosure", "sent", "withdrawal", "subject_key", "right_in_force", "entry_reference"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(f"DELETE FROM needtoknow.{table}")
    connection.close()


@pytest.mark.parametrize("identifier", ["", "x" * 129, "a\nb"])
def test_a_bad_identifier_is_refused(world, identifier):
    for ask in (lambda: report_of(world.auditor, identifier),
                lambda: exposure_of(world.auditor, SimpleNamespace(recipient_id=identifier))):
        with refused("INVALID_ARGUMENT", "BAD_IDENTIFIER"):
            ask()
