"""Clients are registered, see what is held of them and have it put right; whoever was sent it is told (GDPR art. 13 to 16, 19, 20)."""

import re
import secrets
import time
from concurrent import futures

import pytest

from needtoknow_testing import company, ledger, protos
from needtoknow_testing.receiver import values
from needtoknow_testing.refusal import refused
from needtoknow_testing.rights import asked, column, record, record_values, rectify, register, rights
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

EVERY = protos.registry.DELIVER_TO_EVERY_DEVICE
CORRECTED = protos.delivery.DELIVERY_CAUSE_CORRECTED


def sign_up(**changes):
    """What a new client types; values that nobody else has."""
    token = secrets.token_hex(6)
    columns = {"client.given_name": f"Ondine-{token}", "client.family_name": f"Sentinelle-{token}", "client.phone": "01 99 00 12 34",
               "client.email": f"ondine.{token}@courriel.example", "client.home_address": f"{token} rue Neuve, 44000 Nantes",
               "client.door_code": f"porte-{token}"}
    columns.update(changes)
    return columns


def entry_of(world, receipt):
    """The entry that a receipt names; its leaf hash is checked by the checker of every test."""
    (found,) = [entry for index, entry in ledger.entries(world.sandbox, receipt.ledger_index) if index == receipt.ledger_index]
    assert found.actor.endswith("/rights/rights") or "/rights/" in found.actor, found.actor
    return found


def auditor_sees(world, subject_id, kind):
    """Entries of that kind, as ListEntries has them for the subject."""
    request = protos.audit.ListEntriesRequest(
        filter=protos.audit.EntryFilter(subject_id=subject_id, kinds=[ledger.ENTRY_KIND.Value(f"ENTRY_KIND_{kind}")]))
    return [(each.index, each.entry) for each in world.auditor.audit.ListEntries(request, timeout=20).entries]


def nowhere_of_ours(world, *sentinels):
    """No value is in a table of the daemon's schema or in its log (P3)."""
    tables = [name for (name,) in world.sandbox.query(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'needtoknow'")]
    log = world.sandbox.log()
    for sentinel in sentinels:
        assert sentinel not in log, f"{sentinel} is in the log"
        for table in tables:
            ((found,),) = world.sandbox.query(
                f"SELECT count(*) FROM {table} AS t WHERE t::text LIKE %s OR t::text LIKE %s",
                f"%{sentinel}%", f"%{sentinel.encode().hex()}%")
            assert not found, f"{sentinel} is in {table}"


def line_of(world, request):
    """Its line in the register of requests, straight from the table."""
    (line,) = world.sandbox.query("SELECT kind, columns, state, ledger_index, due_at - received_at > interval '27 days',"
                                  " answered_at IS NOT NULL FROM needtoknow.rights_request WHERE request_id = %s", request.request_id)
    return line


# ---- art. 13, 14


def test_art_13_14_a_client_is_registered_once_with_the_notice_that_they_saw(world):
    columns = sign_up()
    request, answer = register(world, columns, notice_version="2026-05")
    entry = entry_of(world, answer.receipt)
    assert ledger.kind_name(entry) == "REGISTERED" and list(entry.fields) == list(columns) and len(entry.subject_pseudonym) == 16
    assert not entry.values_commitment and not answer.carried_over
    assert line_of(world, request) == (rights.RIGHTS_REQUEST_KIND_REGISTER, list(columns), rights.RIGHTS_REQUEST_STATE_ANSWERED,
                                       answer.receipt.ledger_index, True, True)
    # The company has the client, as they were typed, with the notice.
    ((given, email, code, origin, notice),) = world.sandbox.query(
        "SELECT given_name, email, door_code, origin, notice_version FROM company.client WHERE subject_id = %s", answer.subject_id)
    assert [given, email, code] == [columns[f"client.{name}"] for name in ("given_name", "email", "door_code")]
    assert (origin, notice) == ("WEBSITE", "2026-05")
    assert [index for index, _ in auditor_sees(world, answer.subject_id, "REGISTERED")] == [answer.receipt.ledger_index]
    # Asked again: the same number, the same receipt, and no second client.
    assert world.rights.rights.Register(request, timeout=20) == answer
    assert world.sandbox.query("SELECT count(*) FROM company.client WHERE email = %s", columns["client.email"]) == [(1,)]
    # With other content: refused, about nobody.
    request.columns[0].value = "Quelqu'un d'autre"
    with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED"):
        world.rights.rights.Register(request, timeout=20)
    nowhere_of_ours(world, *columns.values())


def test_art_14_a_file_that_staff_typed_says_so(world):
    _, answer = register(world, sign_up(), origin=rights.ORIGIN_DIRECT)
    _, told = record(world, answer.subject_id)
    assert {each.origin for each in told.columns if not each.is_null} == {rights.ORIGIN_DIRECT}


@pytest.mark.parametrize("change, reason, name", [
    ({"client.shoe_size": "43"}, "UNKNOWN_COLUMN", "client.shoe_size"),
    ({"client.email": "nobody"}, "BAD_VALUE", "client.email"),
    ({"client.email": None}, "MISSING_COLUMN", "client.email"),
])
def test_art_13_what_the_company_does_not_take_is_refused_and_no_client_is_made(world, change, reason, name):
    before, clients = ledger.size(world.sandbox), world.sandbox.query("SELECT count(*) FROM company.client")
    with refused("INVALID_ARGUMENT", reason) as why:
        register(world, sign_up(**change))
    assert why.metadata["column"] == name and "nobody" not in str(why)
    assert ledger.size(world.sandbox) == before
    assert world.sandbox.query("SELECT count(*) FROM company.client") == clients


def test_art_21_who_comes_back_under_another_number_has_objected_under_that_too(world):
    """Kept by their contacts alone, so that it survives an erasure."""
    address = f"retour.{secrets.token_hex(6)}@courriel.example"
    person = world.person(email=address)
    company.exercise(world.sandbox, person.subject_id, "objected", "dpv:CustomerCare")
    company.exercise(world.sandbox, person.subject_id, "consent_withdrawn", "dpv:DirectMarketing")
    until(lambda: world.sandbox.query("SELECT count(DISTINCT kind) FROM needtoknow.suppression WHERE subject_id = %s",
                                      person.subject_id) == [(2,)], 30, "what was said, kept by the contacts")
    request, answer = register(world, sign_up(**{"client.email": address.upper(), "client.newsletter_consent": "true"}))
    carried = {(each.kind, each.purpose) for each in answer.carried_over}
    assert carried == {(protos.audit.RIGHT_KIND_OBJECTION, "dpv:CustomerCare"),
                       (protos.audit.RIGHT_KIND_CONSENT_WITHDRAWN, "dpv:DirectMarketing")}
    for kind in ("OBJECTION_RAISED", "CONSENT_WITHDRAWN"):
        ((_, entry),) = auditor_sees(world, answer.subject_id, kind)
        assert ledger.reason_name(entry) == "CARRIED_OVER"
    assert world.rights.rights.Register(request, timeout=20) == answer
    # They are not mailed by accident, though the sign-up's form said yes.
    newcomer = company.Person(answer.subject_id, "of-nobody", {})
    recipient = world.recipient()
    with refused("FAILED_PRECONDITION", "OBJECTED"):
        world.share(newcomer, recipient, "contact")
    nowhere_of_ours(world, address)


# ---- art. 15, 20


def test_art_15_20_a_client_is_told_all_that_is_held_and_who_was_given_what(world):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient)
    with recipient.receive() as stream:
        stream.acknowledge(stream.delivery(shared.disclosure_id))
        came = len(stream.deliveries())
        before = time.time()
        request, answer = record(world, person.subject_id)
        held = record_values(answer)
        for name in ("given_name", "family_name", "phone", "email", "home_address", "door_code", "iban"):
            assert held[f"client.{name}"] == person.fields[f"client.{name}"], name
        assert person.fields["booking.tasks"] in held["booking.tasks"]
        assert all(each.origin and each.HasField("collected_at") for each in answer.columns), answer.columns
        assert answer.notice.version == "2026-05" and answer.notice.location.startswith("https://")
        # Who was given what: as the auditor's report has it.
        report = world.auditor.audit.GetSubjectReport(protos.audit.GetSubjectReportRequest(subject_id=person.subject_id), timeout=20)
        answer.report.ClearField("made_at")
        report.ClearField("made_at")
        assert answer.report == report and [each.recipient_id for each in report.recipients] == [recipient.recipient_id]
        # The entry names the columns, and no value.
        entry = entry_of(world, answer.receipt)
        assert ledger.kind_name(entry) == "ACCESSED" and list(entry.fields) == [each.column for each in answer.columns]
        assert protos.seconds(answer.receipt.recorded_at) >= before - 5
        assert line_of(world, request)[:3] == (rights.RIGHTS_REQUEST_KIND_ACCESS, [], rights.RIGHTS_REQUEST_STATE_ANSWERED)
        # Asked again under the same id: read again, and recorded again.
        world.sandbox.query("UPDATE company.client SET phone = '01 99 00 99 99' WHERE subject_id = %s", person.subject_id)
        again = world.rights.rights.GetSubjectRecord(request, timeout=20)
        assert record_values(again)["client.phone"] == "01 99 00 99 99" and again.receipt.ledger_index > answer.receipt.ledger_index
        assert [index for index, _ in auditor_sees(world, person.subject_id, "ACCESSED")] == [
            answer.receipt.ledger_index, again.receipt.ledger_index]
        # The recipient sees nothing of it.
        assert len(stream.deliveries()) == came
    nowhere_of_ours(world, *(value for name, value in person.fields.items() if name in (
        "client.given_name", "client.email", "client.door_code", "client.iban", "client.home_address")))


def test_art_15_nobody_is_told_about_a_client_whom_nobody_knows(world):
    before = ledger.size(world.sandbox)
    with refused("NOT_FOUND", "UNKNOWN_SUBJECT"):
        record(world, "C-nobody")
    with refused("INVALID_ARGUMENT", "BAD_TIMESTAMP"):
        record(world, world.person().subject_id, received_at=protos.timestamp(time.time() + 3600))
    assert ledger.size(world.sandbox) == before


# ---- art. 16, 19


def test_art_16_19_a_correction_reaches_each_device_and_the_client_learns_who_was_told(world):
    person, recipient = world.person(), world.recipient(deliver_to=EVERY)
    apps = [recipient.device(name) for name in ("one", "two")]
    with apps[0].receive() as first, apps[1].receive() as second:
        shared = world.share(person, recipient)
        for stream in (first, second):
            stream.acknowledge(stream.delivery(shared.disclosure_id, timeout=20))
        request, answer = rectify(world, person.subject_id, "client.door_code", "nouveau-code-8642")
        assert (answer.told, answer.unchanged) == (2, False)
        entry = entry_of(world, answer.receipt)
        assert ledger.kind_name(entry) == "RECTIFIED" and list(entry.fields) == ["client.door_code"]
        assert line_of(world, request)[:3] == (rights.RIGHTS_REQUEST_KIND_RECTIFY, ["client.door_code"],
                                               rights.RIGHTS_REQUEST_STATE_ANSWERED)
        # Each device is sent the new value; one acknowledges it.
        for stream in (first, second):
            again = stream.delivery(shared.disclosure_id, skip=1, timeout=30)
            assert again.cause == CORRECTED and values(again)["client.door_code"] == "nouveau-code-8642"
        first.acknowledge(first.delivery(shared.disclosure_id, skip=1))
        # The client is informed of each on request.
        _, told = record(world, person.subject_id)
        assert record_values(told)["client.door_code"] == "nouveau-code-8642"
        notified = {each.device: each for each in told.notifications}
        assert sorted(notified) == ["one", "two"] and len(told.notifications) == 2
        delivered = {entry.device: index for index, entry in ledger.of_disclosure(
            ledger.entries(world.sandbox), shared.disclosure_id, "DELIVERED") if ledger.reason_name(entry) == "CORRECTED"}
        for device, each in notified.items():
            assert (each.kind, each.request_index) == (rights.NOTIFICATION_KIND_CORRECTION, answer.receipt.ledger_index)
            assert (each.recipient, each.service) == (f"Maison {recipient.recipient_id}", "at-once")
            assert each.ledger_index == delivered[device] and each.HasField("told_at")
        assert notified["one"].answer == rights.NOTIFICATION_ANSWER_ACKNOWLEDGED and notified["one"].HasField("answered_at")
        assert notified["two"].answer == rights.NOTIFICATION_ANSWER_NONE and not notified["two"].HasField("answered_at")
        # Asked again, it is answered the same; the same once more changes nothing, and nobody is told of that.
        assert world.rights.rights.Rectify(request, timeout=20).receipt == answer.receipt
        _, same = rectify(world, person.subject_id, "client.door_code", "nouveau-code-8642")
        assert (same.told, same.unchanged) == (0, True) and not entry_of(world, same.receipt).fields
        assert record(world, person.subject_id)[1].notifications == told.notifications
    assert [index for index, _ in auditor_sees(world, person.subject_id, "RECTIFIED")] == [
        answer.receipt.ledger_index, same.receipt.ledger_index]
    nowhere_of_ours(world, "nouveau-code-8642")


def test_art_19_who_was_told_counts_from_before_the_company_was_asked(world):
    """Also where what was read of the client is read again, since something was shared of them meanwhile."""
    person, recipient = world.person(), world.recipient()
    request = asked(rights.RectifyRequest, person.subject_id, value=column("client.door_code", "attend-son-tour"))
    with world.sandbox.connect() as connection, connection.cursor() as cursor, futures.ThreadPoolExecutor(1) as pool:
        cursor.execute("SELECT FROM company.client WHERE subject_id = %s FOR UPDATE", (person.subject_id,))
        answer = pool.submit(world.rights.rights.Rectify, request, timeout=30)
        waits = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'needtoknow_rights' AND wait_event_type = 'Lock'"
        until(lambda: world.sandbox.query(waits) == [(1,)], 20, "the company's function waits")
        world.share(person, recipient)
        cursor.execute("SELECT clock_timestamp()")
        before = cursor.fetchone()
        connection.rollback()
        assert not answer.result().unchanged
    assert world.sandbox.query("SELECT began_at < %s FROM needtoknow.rights_request WHERE request_id = %s", *before,
                               request.request_id) == [(True,)]


def test_art_19_who_is_away_is_still_to_be_told(world):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient)
    with recipient.receive() as stream:
        stream.acknowledge(stream.delivery(shared.disclosure_id))
    _, answer = rectify(world, person.subject_id, "client.door_code", "code-de-demain")
    (waiting,) = record(world, person.subject_id)[1].notifications
    assert waiting.request_index == answer.receipt.ledger_index and waiting.disclosure_id == shared.disclosure_id
    assert not waiting.HasField("told_at") and waiting.ledger_index == 0
    # What the release does not carry tells nobody.
    _, other = rectify(world, person.subject_id, "client.phone", "01 99 00 77 77")
    assert other.told == 0
    assert [each.request_index for each in record(world, person.subject_id)[1].notifications] == [answer.receipt.ledger_index]


def test_art_19_whoever_has_what_follows_from_the_value_alone_is_told_too(world):
    """The company makes the district of the address, and the name on its invoices."""
    person, recipient = world.person(), world.recipient()
    before = person.value("client.district")
    shared = world.share(person, recipient, "staged")  # of which the district alone is sent so far
    with recipient.receive() as stream:
        sent = stream.delivery(shared.disclosure_id)
        assert set(values(sent)) == {"client.district", "booking.tasks"}
        stream.acknowledge(sent)
        request, answer = rectify(world, person.subject_id, "client.home_address", "9 rue des Dérivés, 35000 Rennes-Loin")
        assert (answer.told, answer.unchanged) == (1, False)
        changed = ["client.home_address", "client.district", "client.invoice_identity"]
        assert list(entry_of(world, answer.receipt).fields) == changed, "what was asked first"
        assert line_of(world, request)[:2] == (rights.RIGHTS_REQUEST_KIND_RECTIFY, changed)
        again = stream.delivery(shared.disclosure_id, skip=1, timeout=30)
        assert again.cause == CORRECTED and values(again)["client.district"] == "Rennes-Loin" != before
        stream.acknowledge(again)
        (told,) = record(world, person.subject_id)[1].notifications
        assert (told.kind, told.request_index) == (rights.NOTIFICATION_KIND_CORRECTION, answer.receipt.ledger_index)
        assert told.disclosure_id == shared.disclosure_id and told.HasField("told_at")
        # Asked again: the same, also of whom it was told.
        assert world.rights.rights.Rectify(request, timeout=20) == answer
        # In the same town: what was sent is as it was, and nobody is told of it.
        _, near = rectify(world, person.subject_id, "client.home_address", "10 rue des Dérivés, 35100 Rennes-Loin")
        assert (near.told, near.unchanged) == (0, False)
        assert [each.request_index for each in record(world, person.subject_id)[1].notifications] == [answer.receipt.ledger_index]


def test_art_19_the_client_learns_who_was_told_of_a_restriction_and_of_an_erasure_and_what_they_answered(world):
    person, recipient, desk = world.person(), world.recipient(), world.rights.rights

    def notified():
        return record(world, person.subject_id)[1].notifications

    with recipient.receive() as stream:
        shared = world.share(person, recipient)
        stream.acknowledge(stream.delivery(shared.disclosure_id))
        restricted = desk.Restrict(asked(rights.RestrictRequest, person.subject_id), timeout=20)
        (told,) = notified()
        assert told.kind == rights.NOTIFICATION_KIND_RESTRICTION and told.disclosure_id == shared.disclosure_id
        assert [told.request_index, told.ledger_index] == [receipt.ledger_index for receipt in restricted.receipts]
        lifted = desk.LiftRestriction(asked(rights.LiftRestrictionRequest, person.subject_id), timeout=20)
        (told,) = notified()
        assert told.kind == rights.NOTIFICATION_KIND_RESTRICTION_LIFTED and told.HasField("told_at")
        assert [told.request_index, told.ledger_index] == [receipt.ledger_index for receipt in lifted.receipts]
        erased = desk.Erase(asked(rights.EraseRequest, person.subject_id, cancel_bookings=True), timeout=20)
        order = stream.withdrawal(shared.disclosure_id)
        told = notified()[0]  # newest first
        assert told.kind == rights.NOTIFICATION_KIND_DELETION and told.request_index == erased.receipt.ledger_index
        assert told.ledger_index == order.receipt.ledger_index and told.recipient == f"Maison {recipient.recipient_id}"
        assert told.answer == rights.NOTIFICATION_ANSWER_NONE
        item = protos.delivery.DeletionItem(disclosure_id=shared.disclosure_id, outcome=protos.delivery.DELETION_OUTCOME_DELETED)
        recipient.client.delivery.ConfirmDeletion(protos.delivery.ConfirmDeletionRequest(items=[item]), timeout=10)
        told = notified()[0]
        assert told.answer == rights.NOTIFICATION_ANSWER_DELETED and told.HasField("answered_at")
    # What accounting law keeps is still told, as held; the rest is gone.
    _, answer = record(world, person.subject_id)
    assert answer.columns and all(each.held and each.HasField("keep_until") and each.keep_because for each in answer.columns)
    assert "client.door_code" not in record_values(answer)


@pytest.mark.parametrize("name, value, reason", [
    ("client.shoe_size", "43", "UNKNOWN_COLUMN"),
    ("client.email", "nobody", "BAD_VALUE"),
    ("client.email", None, "BAD_VALUE"),
])
def test_art_16_what_the_company_does_not_take_changes_and_records_nothing(world, name, value, reason):
    person, before = world.person(), ledger.size(world.sandbox)
    with refused("INVALID_ARGUMENT", reason) as why:
        rectify(world, person.subject_id, name, value)
    assert why.metadata["column"] == name and (not value or value not in why.message)
    assert ledger.size(world.sandbox) == before


def test_p7_only_the_privacy_desk_may_ask(world):
    person = world.person()
    for caller in (world.booking, world.auditor, world.admin, world.recipient().client):
        with refused("PERMISSION_DENIED", "ROLE_NOT_ALLOWED"):
            caller.rights.GetSubjectRecord(asked(rights.GetSubjectRecordRequest, person.subject_id), timeout=20)
        with refused("PERMISSION_DENIED", "ROLE_NOT_ALLOWED"):
            caller.rights.Rectify(asked(rights.RectifyRequest, person.subject_id, value=column("client.phone", "1")), timeout=20)


def test_p8_without_the_companys_functions_it_says_so_and_what_needs_none_goes_on():
    without = World.up(config=lambda text: re.sub(r"(?m)^ *rights: .*\n", "", text, count=1))
    try:
        person, before = without.person(), ledger.size(without.sandbox)
        for call in (lambda: record(without, person.subject_id), lambda: register(without, sign_up()),
                     lambda: rectify(without, person.subject_id, "client.phone", "01 99 00 00 00")):
            with refused("UNAVAILABLE", "RIGHTS_NOT_CONFIGURED"):
                call()
        assert ledger.size(without.sandbox) == before
        without.share(person, without.recipient())
    finally:
        without.check()
        without.down()


def test_p8_a_record_that_the_company_does_not_answer_is_neither_given_nor_recorded(world):
    person, before = world.person(), ledger.size(world.sandbox)
    world.sandbox.query("ALTER FUNCTION share.subject_record(text) RENAME TO away")
    try:
        with refused("UNAVAILABLE", "SOURCE_UNAVAILABLE"):
            record(world, person.subject_id)
        assert ledger.size(world.sandbox) == before
    finally:
        world.sandbox.query("ALTER FUNCTION share.away(text) RENAME TO subject_record")
    assert record(world, person.subject_id)[1].columns
