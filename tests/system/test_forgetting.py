"""P5, P3 Forgetting: the key that makes entries a person's goes; the entries stay, and nothing leads to them any more."""

import hashlib
import hmac
import re
import struct

import psycopg2
import pytest

from needtoknow_testing import changes, company, ledger, protos
from needtoknow_testing.client import unique
from needtoknow_testing.merkle import inclusion_holds
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until
from test_plans import KEYED, walks
from test_rights_requests import open_request

audit, delivery = protos.audit, protos.delivery
STATE = "needtoknow_state"


def forget(world, subject_id, user=STATE):
    """What an erasure does at its end, once the policy's time is over."""
    world.check()  # while the keys of what was delivered are still there
    connection = world.sandbox.connect(user=user)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT needtoknow.forget(%s)", (subject_id,))
            return cursor.fetchone()[0]
    finally:
        connection.close()


def served(world, person, recipient, confirm=True, **request):
    """Shared, delivered, acknowledged, expired, and confirmed to be deleted: the disclosure."""
    shared = world.share(person, recipient, "at-once", starts_in=0, lasts=3, **request)
    recipient.acknowledge(*[each for each in recipient.drain() if each.disclosure_id == shared.disclosure_id])
    with recipient.receive() as stream:
        stream.withdrawal(shared.disclosure_id, timeout=30)
    if confirm:
        item = delivery.DeletionItem(disclosure_id=shared.disclosure_id, outcome=delivery.DELETION_OUTCOME_DELETED)
        recipient.client.delivery.ConfirmDeletion(delivery.ConfirmDeletionRequest(items=[item]), timeout=10)
    return shared


def listed(world, **filters):
    request = audit.ListEntriesRequest(filter=audit.EntryFilter(**filters), page_size=1000)
    return list(world.auditor.audit.ListEntries(request, timeout=20).entries)


def everywhere(world, *needles):
    """[(table, column)] of schema needtoknow in which any of these stands, as text or as bytes."""
    found = []
    tables = world.sandbox.query("SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relnamespace = 'needtoknow'::regnamespace"
                                 " AND c.relkind IN ('r', 'p') AND NOT c.relispartition")
    assert len(tables) > 10
    for (table,) in tables:
        with world.sandbox.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table}")
            columns = [each.name for each in cursor.description]
            for row in cursor.fetchall():
                for column, value in zip(columns, row):
                    held = bytes(value) if isinstance(value, memoryview) else str(value).encode()
                    if any(needle.encode() in held for needle in needles):
                        found.append((table, column))
        connection.close()
    return found


def pseudonym_of(world, person):
    return bytes(world.sandbox.query("SELECT pseudonym FROM needtoknow.subject_key WHERE subject_id = %s", person.subject_id)[0][0])


def proof_of(world, index):
    """Under the first checkpoint that covers it: its size, and the proof, which is verified."""
    def covered():
        note = world.auditor.audit.GetCheckpoint(audit.GetCheckpointRequest(), timeout=10)
        return note if note.size > index else None
    return proof_under(world, index, until(covered, 20, f"a checkpoint over entry {index}").size)


def proof_under(world, index, size):
    proof = world.auditor.audit.GetInclusionProof(audit.GetInclusionProofRequest(index=index, tree_size=size), timeout=10)
    assert inclusion_holds(proof.leaf_hash, index, size, proof.hashes, proof.checkpoint.root_hash), f"entry {index} under {size}"
    return size, proof


def test_p5_after_forgetting_nothing_leads_from_a_person_to_the_entries_which_are_all_there(world):
    person, recipient = world.person(), world.recipient()
    shared = served(world, person, recipient)
    stranger = world.person()
    with refused("FAILED_PRECONDITION", "BOOKING_MISMATCH"):
        world.share(stranger, recipient, booking_id=person.booking_id)
    with refused("FAILED_PRECONDITION", "CONSENT_MISSING"):
        world.sandbox.query("UPDATE company.client SET newsletter_consent = false WHERE subject_id = %s", person.subject_id)
        world.share(person, recipient, "strict")
    pseudonym, before = pseudonym_of(world, person), listed(world, disclosure_id=shared.disclosure_id)
    assert [ledger.kind_name(each.entry) for each in before][:3] == ["SHARED", "DELIVERED", "ACKNOWLEDGED"]
    assert {each.entry.subject_pseudonym for each in before} == {pseudonym}
    assert listed(world, subject_id=person.subject_id) and listed(world, booking_id=person.booking_id)
    (digest,), = world.sandbox.query("SELECT request_digest FROM needtoknow.disclosure WHERE disclosure_id = %s", shared.disclosure_id)
    digest = bytes(digest)
    proofs = {each.index: proof_of(world, each.index) for each in before}
    assert everywhere(world, person.subject_id) and everywhere(world, person.booking_id)

    assert forget(world, person.subject_id) is True

    with refused("NOT_FOUND", "UNKNOWN_SUBJECT"):
        world.auditor.audit.GetSubjectReport(audit.GetSubjectReportRequest(subject_id=person.subject_id), timeout=10)
    assert listed(world, subject_id=person.subject_id) == [] and listed(world, booking_id=person.booking_id) == []
    assert everywhere(world, person.subject_id, person.booking_id, *person.sentinels()) == []
    after = listed(world, disclosure_id=shared.disclosure_id)
    assert [(each.index, each.leaf_hash, each.body) for each in after] == [(each.index, each.leaf_hash, each.body) for each in before]
    for index, (size, proof) in proofs.items():
        assert proof_under(world, index, size)[1] == proof
    # Whoever has the whole database and the invoice: no key in it makes this booking's reference, or repeats what was asked.
    keys = [bytes(key) for key, in world.sandbox.query(
        "SELECT key FROM needtoknow.subject_key UNION ALL SELECT key FROM needtoknow.secret")]
    references = {entry.booking_ref for _, entry in ledger.entries(world.sandbox) if entry.booking_ref}
    assert {each.entry.booking_ref for each in before} <= references
    assert not references & {hmac.new(key, person.booking_id.encode(), hashlib.sha256).digest() for key in keys}
    assert world.sandbox.query("SELECT 1 FROM needtoknow.disclosure WHERE request_digest = %s", digest) == []
    assert listed(world, subject_id=stranger.subject_id), "the stranger's own refusal is still found"
    assert forget(world, person.subject_id) is False, "there is nothing to forget any more"


def test_p5_what_a_forgotten_persons_provider_held_is_still_known_without_the_person(world):
    person, recipient = world.person(), world.recipient()
    shared = served(world, person, recipient)
    request = audit.GetExposureRequest(recipient_id=recipient.recipient_id)
    (before,) = world.auditor.audit.GetExposure(request, timeout=10).disclosures
    assert before.subject_id == person.subject_id and before.subject_pseudonym
    forget(world, person.subject_id)
    (after,) = world.auditor.audit.GetExposure(request, timeout=10).disclosures
    before.subject_id, before.subject_pseudonym = "", b""
    assert after == before and after.disclosure_id == shared.disclosure_id


def test_p4_nobody_is_forgotten_while_something_is_shared_or_not_confirmed_to_be_deleted(world):
    person, recipient = world.person(), world.recipient()
    live = world.share(person, recipient, "contact", lasts=7200)
    with pytest.raises(psycopg2.errors.ObjectInUse, match="still shared"):
        forget(world, person.subject_id)
    assert pseudonym_of(world, person)
    other = world.person()
    shared = served(world, other, recipient, confirm=False)
    with pytest.raises(psycopg2.errors.ObjectInUse, match="not confirmed"):
        forget(world, other.subject_id)
    # Held back for another reason than an order to delete: what was sent is still there.
    world.sandbox.query("DELETE FROM needtoknow.withdrawal WHERE disclosure_id = %s", shared.disclosure_id)
    with pytest.raises(psycopg2.errors.ObjectInUse, match="not confirmed"):
        forget(world, other.subject_id)
    assert listed(world, subject_id=person.subject_id) and listed(world, subject_id=other.subject_id)
    assert live.disclosure_id in [each.entry.disclosure_id for each in listed(world, subject_id=person.subject_id)]


def test_p5_who_comes_back_is_somebody_new(world):
    person, recipient = world.person(), world.recipient()
    old_request = unique("q")
    old = served(world, person, recipient, request_id=old_request)
    pseudonym = pseudonym_of(world, person)
    forget(world, person.subject_id)
    with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED"):
        world.share(person, recipient, request_id=old_request)
    new = world.share(person, recipient)
    assert pseudonym_of(world, person) != pseudonym
    report = world.auditor.audit.GetSubjectReport(audit.GetSubjectReportRequest(subject_id=person.subject_id), timeout=10)
    assert [each.disclosure_id for given in report.recipients for each in given.disclosures] == [new.disclosure_id]
    assert old.disclosure_id not in [each.entry.disclosure_id for each in listed(world, subject_id=person.subject_id)]
    assert pseudonym not in [each.entry.subject_pseudonym for each in listed(world, subject_id=person.subject_id)]


@pytest.mark.parametrize("right,reason", [("erased", "ERASED"), ("restricted", "RESTRICTED"), ("objected", None)])
def test_p4_what_a_forgotten_person_forbade_stays_forbidden_and_leads_to_no_entry(world, right, reason):
    person, recipient = world.person(), world.recipient()
    served(world, person, recipient)
    company.exercise(world.sandbox, person.subject_id, right)
    world.sandbox.query("UPDATE needtoknow.right_in_force SET ledger_index = 3 WHERE subject_id = %s", person.subject_id)
    forget(world, person.subject_id)
    # By whom an objection is known under another number stays with it; the elected worker may have come to it, or not yet.
    kept = {("needtoknow.suppression", "subject_id")} if right == "objected" else set()
    assert set(everywhere(world, person.subject_id)) - kept == {("needtoknow.right_in_force", "subject_id")}
    left, = world.sandbox.query("SELECT kind, ledger_index, raised_at = '-infinity' FROM needtoknow.right_in_force WHERE subject_id = %s",
                                person.subject_id)
    assert left == (company.RIGHTS[right], None, True)
    if reason:
        with refused("FAILED_PRECONDITION", reason):
            world.share(person, recipient)
    with refused("FAILED_PRECONDITION", reason or "OBJECTED"):
        world.share(person, recipient, "strict")


def test_p5_whose_columns_were_to_be_erased_is_forgotten_there_too(world):
    person, recipient = world.person(), world.recipient()
    served(world, person, recipient)
    world.sandbox.query("INSERT INTO needtoknow.column_sweep VALUES (%s, gen_random_uuid(), '{client.door_code}', now())", person.subject_id)
    forget(world, person.subject_id)
    assert everywhere(world, person.subject_id) == []


def test_art_12_3_a_request_of_who_is_forgotten_waits_for_nobody(world):
    person, recipient = world.person(), world.recipient()
    served(world, person, recipient)
    _, request = open_request(world, person=person)
    key, = world.sandbox.query("SELECT request_key FROM needtoknow.rights_request WHERE request_id = %s", request.request_id)
    forget(world, person.subject_id)
    assert world.sandbox.query("SELECT state, answered_at IS NOT NULL, subject_id, request_id FROM needtoknow.rights_request"
                               " WHERE request_key = %s", *key) == [(2, True, None, None)]


def test_p7_the_state_role_forgets_and_no_other_role_of_the_daemons(world):
    person, recipient = world.person(), world.recipient()
    served(world, person, recipient)
    for user in ("needtoknow_audit", "needtoknow_source"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            forget(world, person.subject_id, user)
        assert world.sandbox.query("SELECT has_function_privilege(%s, 'needtoknow.forget(text)', 'EXECUTE')", user) == [(False,)]
    assert pseudonym_of(world, person)
    assert forget(world, person.subject_id) is True


def test_forgetting_finds_its_rows_by_key(world):
    """However many others there are: no statement of it walks a table or an index."""
    person = world.person()
    served(world, person, world.recipient())
    world.check()
    connection = world.sandbox.connect()
    with connection.cursor() as cursor:
        cursor.execute("LOAD 'auto_explain'")
        for setting in (*KEYED, "auto_explain.log_min_duration = 0", "auto_explain.log_nested_statements = on",
                        "client_min_messages = log"):
            cursor.execute(f"SET {setting}")
        cursor.execute("SELECT needtoknow.forget(%s)", (person.subject_id,))
        # A GIN index answers to bitmap scans alone, which KEYED forbids.
        cursor.execute("SET enable_bitmapscan = on")
        cursor.execute("EXPLAIN SELECT FROM needtoknow.request AS q WHERE q.disclosure_ids && ARRAY(SELECT gen_random_uuid())")
        assert "Bitmap Index Scan on request_disclosures" in str(cursor.fetchall())
    connection.close()
    plans = [notice for notice in connection.notices if "Query Text" in notice and "needtoknow.forget" not in notice
             and "EXPLAIN" not in notice]
    assert len(plans) >= 8, connection.notices
    for plan in plans:
        assert set(walks(plan.splitlines())) <= {"Seq Scan on request"}, plan


def test_p5_what_was_asked_of_a_forgotten_subjects_disclosures_cannot_be_recognised(world):
    """A Reschedule and a Revoke with a reason: nothing tells any more what was asked, and their ids are not free for others."""
    person, stays, recipient = world.person(), world.person(), world.recipient()
    shared, kept = world.share(person, recipient), world.share(stays, recipient)
    moving = changes.reschedule_request(shared.disclosure_id)
    world.booking.sharing.Reschedule(moving, timeout=10)
    ending = changes.revoke_request(shared.disclosure_id, reason="the neighbour of Madame Lenoir")
    world.booking.sharing.Revoke(ending, timeout=10)
    beside = changes.revoke_request(kept.disclosure_id, reason="a word about another")
    first = world.booking.sharing.Revoke(beside, timeout=10)
    assert forget(world, person.subject_id)
    assert everywhere(world, person.subject_id, person.booking_id, "Lenoir") == []
    asked = world.sandbox.query("SELECT request_digest FROM needtoknow.request WHERE %s = ANY (disclosure_ids)", shared.disclosure_id)
    assert [bytes(digest) for (digest,) in asked] == [bytes(16)] * 2
    with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED"):
        world.booking.sharing.Revoke(ending, timeout=10)
    with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED"):
        world.booking.sharing.Reschedule(moving, timeout=10)
    assert world.booking.sharing.Revoke(beside, timeout=10) == first, "who was not forgotten is as before"
