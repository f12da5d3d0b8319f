"""The register of requests: the month of GDPR art. 12(3), extended once by two with a reason, what is overdue first."""

import datetime

import pytest

from needtoknow_testing import ledger, protos, rights
from needtoknow_testing.client import unique
from needtoknow_testing.refusal import refused
from needtoknow_testing.world import World

OPEN, ANSWERED, REFUSED = (rights.rights.RIGHTS_REQUEST_STATE_OPEN, rights.rights.RIGHTS_REQUEST_STATE_ANSWERED,
                           rights.rights.RIGHTS_REQUEST_STATE_REFUSED)
UTC = datetime.timezone.utc


@pytest.fixture(scope="module")
def register():
    """A world whose register is this module's alone."""
    world = World.up()
    yield world
    world.down()


def listed(world, page_size=1000, **fields):
    found, token = [], ""
    while True:
        answer = world.rights.rights.ListRequests(
            rights.rights.ListRequestsRequest(page_size=page_size, page_token=token, **fields), timeout=10)
        found += answer.requests
        token = answer.next_page_token
        if not token:
            return found
        assert len(answer.requests) == page_size


def line(world, subject_id="C1", state=ANSWERED, received="now() - interval '3 days'", due="now() + interval '27 days'", kind=2):
    """One as another worker wrote it long ago."""
    request_id = unique("old")
    world.sandbox.query(
        "INSERT INTO needtoknow.rights_request (request_key, ledger_index, caller, request_id, subject_id, kind, channel, received_at,"
        f" began_at, due_at, state, answered_at) SELECT gen_random_uuid(), 0, 'spiffe://maison-claire.example/rights/old', %s, %s, %s, 2,"
        f" {received}, {received}, {due}, %s, CASE WHEN %s <> 1 THEN now() END", request_id, subject_id, kind, state, state)
    return request_id


def open_request(world, received_at=None, person=None):
    """Of one that is open: an objection that is still to be weighed."""
    person = person or world.person()
    request = rights.asked(rights.rights.ObjectRequest, person.subject_id)
    if received_at is not None:
        request.received_at.CopyFrom(protos.timestamp(received_at))
    world.rights.rights.Object(request, timeout=20)
    world.sandbox.query("UPDATE needtoknow.rights_request SET state = 1, answered_at = NULL WHERE request_id = %s", request.request_id)
    return person, request


def extend(world, request, reason="many objections at once", **fields):
    return world.rights.rights.ExtendRequest(
        rights.rights.ExtendRequestRequest(request_id=request.request_id, reason=reason, **fields), timeout=10).request


def test_art_12_3_what_is_open_and_overdue_comes_first_then_by_date(register):
    late = [line(register, state=OPEN, due=f"now() - interval '{days} days'") for days in (9, 2, 5)]
    long_ago = line(register, due="now() - interval '20 days'")
    soon, later = line(register, state=OPEN, due="now() + interval '1 day'"), line(register, due="now() + interval '2 days'")
    mine = line(register, "C2", state=REFUSED, due="now() - interval '1 day'"), line(register, "C2", state=OPEN, due="now() - interval '1 hour'")
    expected = [late[0], late[2], late[1], mine[1], long_ago, mine[0], soon, later]
    for page_size in (1, 3, 4, 1000):
        found = listed(register, page_size)
        assert [each.request_id for each in found] == expected, page_size
        assert [each.overdue for each in found] == [True] * 4 + [False] * 4
        assert [each.request_id for each in listed(register, page_size, open_only=True)] == expected[:4] + [soon]
        assert [each.request_id for each in listed(register, page_size, subject_id="C2")] == [mine[1], mine[0]]
        assert [each.request_id for each in listed(register, page_size, subject_id="C2", open_only=True)] == [mine[1]]
    (first, *_, last) = listed(register)
    assert (first.caller, first.subject_id, first.kind, first.state, first.channel) == (
        "spiffe://maison-claire.example/rights/old", "C1", rights.rights.RIGHTS_REQUEST_KIND_ACCESS, OPEN, rights.rights.CHANNEL_EMAIL)
    assert not first.HasField("answered_at") and last.HasField("answered_at")
    assert listed(register, subject_id="nobody") == []


def test_art_12_3_the_month_ends_on_the_last_day_of_a_shorter_one(world):
    received = datetime.datetime(2026, 1, 31, 22, 30, tzinfo=UTC).timestamp()
    person, request = open_request(world, received)
    (found,) = listed(world, subject_id=person.subject_id)
    assert found.received_at == request.received_at and found.request_id == request.request_id
    assert found.due_at.ToDatetime(UTC) == datetime.datetime(2026, 2, 28, 22, 30, tzinfo=UTC)


def test_art_12_3_a_request_is_extended_once_with_a_reason_before_its_date(world):
    person, request = open_request(world)
    with refused("INVALID_ARGUMENT", "BAD_TEXT"):
        extend(world, request, reason="")
    (before,) = listed(world, subject_id=person.subject_id)
    found = extend(world, request)
    asked, due = (each.ToDatetime(UTC) for each in (request.received_at, found.due_at))
    assert ((due.year - asked.year) * 12 + due.month - asked.month, due.time()) == (3, asked.time())
    assert found.extended_because == "many objections at once"
    assert listed(world, subject_id=person.subject_id) == [found] and found != before
    with refused("FAILED_PRECONDITION", "ALREADY_EXTENDED"):
        extend(world, request, caller=found.caller)
    index, entry = ledger.of_kind(ledger.entries(world.sandbox), "AUDITED")[-2:][0]
    assert list(entry.fields) == ["ExtendRequest", "request_id", "reason"] and "/rights/" in entry.actor
    assert len(entry.subject_pseudonym) == 16 and "objections" not in str(entry), "free text stays outside the leaf"
    assert world.sandbox.query("SELECT subject_id FROM needtoknow.entry_reference WHERE ledger_index = %s", index) == [(person.subject_id,)]


def test_art_12_3_what_is_answered_overdue_or_unknown_is_not_extended(world):
    _, request = open_request(world)
    world.sandbox.query("UPDATE needtoknow.rights_request SET due_at = now() - interval '1 second' WHERE request_id = %s", request.request_id)
    with refused("FAILED_PRECONDITION", "OVERDUE"):
        extend(world, request)
    world.sandbox.query("UPDATE needtoknow.rights_request SET state = 2, answered_at = now() WHERE request_id = %s", request.request_id)
    with refused("FAILED_PRECONDITION", "ALREADY_ANSWERED"):
        extend(world, request)
    with refused("NOT_FOUND", "UNKNOWN_REQUEST"):
        extend(world, request, caller="spiffe://maison-claire.example/rights/somebody-else")
    with refused("NOT_FOUND", "UNKNOWN_REQUEST"):
        extend(world, rights.asked(rights.rights.ObjectRequest, "C1"))


def test_p9_who_reads_the_register_is_recorded_with_the_first_page(register):
    person, _ = open_request(register)
    before = len(ledger.entries(register.sandbox))
    listed(register, page_size=1, subject_id=person.subject_id, open_only=True)
    listed(register, page_size=2)
    entries = [entry for _, entry in ledger.entries(register.sandbox)[before:]]
    assert [list(entry.fields) for entry in entries] == [["ListRequests", "subject_id", "open_only"], ["ListRequests"]]
    assert len(entries[0].subject_pseudonym) == 16 and not entries[1].subject_pseudonym


def test_a_page_token_is_of_its_own_listing(register):
    ask = lambda **fields: register.rights.rights.ListRequests(rights.rights.ListRequestsRequest(**fields), timeout=10)
    token = ask(page_size=1).next_page_token
    assert token
    for fields in ({"open_only": True}, {"subject_id": "C1"}):
        with refused("INVALID_ARGUMENT", "BAD_PAGE_TOKEN"):
            ask(page_token=token, **fields)
    with refused("INVALID_ARGUMENT", "BAD_PAGE_SIZE"):
        ask(page_size=-1)
    with refused("INVALID_ARGUMENT", "BAD_IDENTIFIER"):
        ask(subject_id="x\n")
