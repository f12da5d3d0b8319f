"""Every field of every request, wrong in every way: the status that API.md names, the daemon lives, nothing is written."""

import time

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.client import STREAMING, unique
from needtoknow_testing.malformed import TEXTS, garbage, mutations
from needtoknow_testing.refusal import refusal_of

import grpc

# Those that this version serves, and with whose certificate.
METHODS = {
    "Share": "booking", "GetDisclosure": "booking", "ListDisclosures": "booking", "Explain": "booking",
    "Receive": "recipient", "ListAssigned": "recipient", "Fetch": "recipient", "Acknowledge": "recipient",
    "ListEntries": "auditor", "PutRecipient": "admin", "GetRecipient": "admin", "ListRecipients": "admin",
}
# Identifiers from callers: 1 to 128 bytes of UTF-8 without control characters; anything else is BAD_IDENTIFIER.
STRICT = {
    ("Share", name) for name in ("request_id", "booking_id", "subject_id", "recipient_id", "service")
} | {
    ("Explain", name) for name in ("booking_id", "subject_id", "recipient_id", "service")
} | {("PutRecipient", "recipient.recipient_id"), ("GetRecipient", "recipient_id")}
NOT_TEXT = {"not UTF-8", "overlong UTF-8", "a surrogate", "cut UTF-8", "NUL", "NUL alone"}
PARSE_ERRORS = {"cut in the length", "longer than the message", "an enormous length", "a varint without end"}


@pytest.fixture(scope="module")
def valid(shared_world):
    """{method: (client, a request that is served)}"""
    world = shared_world
    person, recipient = world.person(), world.recipient()
    disclosure_id = world.share(person, recipient).disclosure_id
    share = world.share_request(person, recipient)
    explain = protos.sharing.ExplainRequest(**{name: getattr(share, name) for name in (
        "booking_id", "subject_id", "recipient_id", "service", "starts_at", "ends_at")})
    put = protos.registry.PutRecipientRequest(recipient=protos.registry.Recipient(
        recipient_id=unique("r"), kind=1, display_name="Maison", services=["at-once"], agreement_ref="DPA-1",
        agreement_from=protos.timestamp(time.time()), agreement_until=protos.timestamp(time.time() + 3600), deliver_to=1))
    filter_ = protos.audit.EntryFilter(
        subject_id=person.subject_id, recipient_id=recipient.recipient_id, booking_id=person.booking_id,
        disclosure_id=disclosure_id, service="at-once", purpose="dpv:ServiceProvision", actor="system", kinds=[1],
        recorded_from=protos.timestamp(time.time() - 60), recorded_until=protos.timestamp(time.time()))
    requests = {
        "Share": share, "Explain": explain,
        "GetDisclosure": protos.sharing.GetDisclosureRequest(disclosure_id=disclosure_id),
        "ListDisclosures": protos.sharing.ListDisclosuresRequest(subject_id=person.subject_id, page_size=1),
        "Receive": protos.delivery.ReceiveRequest(max_unacknowledged=1000, until_empty=True),
        "ListAssigned": protos.delivery.ListAssignedRequest(page_size=1),
        "Fetch": protos.delivery.FetchRequest(disclosure_id=disclosure_id),
        "Acknowledge": protos.delivery.AcknowledgeRequest(delivery_ids=[unique("d")]),
        "ListEntries": protos.audit.ListEntriesRequest(filter=filter_, page_size=1),
        "PutRecipient": put,
        "GetRecipient": protos.registry.GetRecipientRequest(recipient_id=recipient.recipient_id),
        "ListRecipients": protos.registry.ListRecipientsRequest(page_size=1),
    }
    certificate, key = world.authority.issue(f"spiffe://maison-claire.example/recipient/{recipient.recipient_id}/bad-input")
    from needtoknow_testing.client import Client
    app = Client(world.sandbox.address, world.sandbox.ca, certificate, key)
    clients = {"booking": world.booking, "recipient": app, "auditor": world.auditor, "admin": world.admin}
    yield {name: (clients[role], requests[name]) for name, role in METHODS.items()}
    app.close()


def descriptor(name):
    (found,) = [method for service in protos.SERVICES for method in service.methods if method.name == name]
    return found


def outcome(client, method, data):
    """The refusal, or None after OK."""
    try:
        answer = client.call(method, data, raw=True)
        if method.name in STREAMING:
            list(answer)
        return None
    except grpc.RpcError as error:
        return refusal_of(error)


def expected(method, mutation):
    """The codes that this mutation may get, and the reason; None stands for OK."""
    if mutation.name in PARSE_ERRORS:
        return {"INTERNAL"}, None
    if (method, mutation.path) in STRICT and (mutation.name in TEXTS or mutation.name == "missing"):
        return {"INVALID_ARGUMENT"}, "BAD_IDENTIFIER"
    if mutation.name in NOT_TEXT:
        return {"INVALID_ARGUMENT"}, "BAD_IDENTIFIER"
    if mutation.name.startswith("not defined"):
        return {"INVALID_ARGUMENT"}, None
    if mutation.path.endswith("page_size") and mutation.name in ("-1", "the least"):
        return {"INVALID_ARGUMENT"}, None
    if mutation.path.endswith("_at") or mutation.path.endswith("_until") or mutation.path.endswith("_from"):
        if "seconds" in mutation.name or "year" in mutation.name:
            return {"INVALID_ARGUMENT"}, None
    # A wire type that is not the field's: a parser may call it malformed, or an unknown field (protobuf's encoding guide).
    if mutation.name.startswith("wrong wire type") or mutation.name == "a group":
        return {"INTERNAL", "INVALID_ARGUMENT", "NOT_FOUND", None}, None
    return {"INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", None}, None


@pytest.mark.parametrize("name", METHODS)
def test_each_field_of_a_request_is_checked(world, valid, name):
    client, request = valid[name]
    method = descriptor(name)
    assert outcome(client, method, request.SerializeToString()) is None, "the request that is made worse is a good one"
    if name == "Share":
        request.request_id = unique("q")  # the good one's is taken
    wrong, tried = [], 0
    for mutation in [*mutations(request), *garbage()]:
        if (name, mutation.path, mutation.name) == ("Receive", "until_empty", "missing"):
            continue  # that is a good request, for a stream without end
        tried += 1
        size = ledger.size(world.sandbox)
        found = outcome(client, method, mutation.data)
        codes, reason = ({"INTERNAL", "RESOURCE_EXHAUSTED"}, None) if not mutation.path else expected(name, mutation)
        code = found.code.name if found else None
        if code not in codes or (reason and found.reason != reason):
            wrong.append(f"{mutation}: {found or 'OK'}; expected {codes} {reason or ''}")
        elif reason == "BAD_IDENTIFIER" and mutation.path.split(".")[-1] not in found.metadata.get("field", ""):
            wrong.append(f"{mutation}: names the field {found.metadata}")
        if found and [entry for _, entry in ledger.entries(world.sandbox, size) if ledger.kind_name(entry) != "REFUSED"]:
            wrong.append(f"{mutation}: was refused, and something was written")
        if found and found.code.name == "UNAVAILABLE":
            break
    assert not wrong, f"{len(wrong)} of {tried}:\n" + "\n".join(wrong)
    assert tried > 15


@pytest.mark.parametrize("length", [1, 128])
def test_identifiers_at_their_limits_are_taken(world, length):
    """What is no error: 1 byte, 128 bytes, anything printable, characters of several bytes."""
    recipient = world.recipient()
    for text in ("x" * length, "é" * (length // 2) or "é"[:1] or "x"):
        request = world.share_request(world.person(), recipient, booking_id=text)
        with pytest.raises(grpc.RpcError) as error:
            world.booking.sharing.Share(request, timeout=10)
        assert refusal_of(error.value).reason == "UNKNOWN_BOOKING"


def test_129_bytes_in_65_characters_are_too_long(world):
    request = world.share_request(world.person(), world.recipient(), booking_id="é" * 64 + "x")
    with pytest.raises(grpc.RpcError) as error:
        world.booking.sharing.Share(request, timeout=10)
    assert refusal_of(error.value).reason == "BAD_IDENTIFIER"


def test_text_that_looks_like_sql_is_text(world):
    recipient = world.recipient()
    for text in ("'; DROP SCHEMA needtoknow CASCADE; --", "B' OR '1'='1", "\\", "{a,b}", '"', "%s%n", "NULL", "$1", "🧹"):
        request = world.share_request(world.person(), recipient, booking_id=text)
        with pytest.raises(grpc.RpcError) as error:
            world.booking.sharing.Share(request, timeout=10)
        assert refusal_of(error.value).reason == "UNKNOWN_BOOKING", text


def test_ids_of_any_text_are_shared_and_delivered(world):
    for text in ("a b", "{1,2}", 'qu"ote', "back\\slash", "NULL", "é🧹", "x" * 128):
        recipient = world.recipient()
        person = world.person(subject_id=f"{text[:100]}{unique('')}"[:128], booking_id=f"{unique('')}{text}"[:128])
        shared = world.share(person, recipient)
        (got,) = recipient.drain()
        assert (got.disclosure_id, got.booking_id) == (shared.disclosure_id, person.booking_id)
        recipient.acknowledge(got)
