"""P7 The right recipient only: each method is open to named roles only, and a recipient sees only its own."""

import datetime
import ssl

import grpc
import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.certificates import DAY, Authority
from needtoknow_testing.client import STREAMING, Client, unique
from needtoknow_testing.refusal import refusal_of, refused
from needtoknow_testing.wire import connect_tls

ROLES = ("booking", "recipient", "auditor", "rights", "admin")
ROLE_OF = {"SharingService": "booking", "DeliveryService": "recipient", "AuditService": "auditor", "RegistryService": "admin",
           "RightsService": "rights"}
METHODS = [method for service in protos.SERVICES for method in service.methods]
# This version may serve more; these it must.
SERVED = {"Share", "GetDisclosure", "ListDisclosures", "Explain", "Receive", "ListAssigned", "Fetch", "Acknowledge", "ListEntries",
          "PutRecipient", "GetRecipient", "ListRecipients"}
DOMAIN = "spiffe://maison-claire.example"


def outcome(client, method, request=b""):
    try:
        answer = client.call(method, request, raw=True, timeout=10)
        if method.name in STREAMING:
            next(iter(answer), None)
            answer.cancel()
        return None
    except grpc.RpcError as error:
        return refusal_of(error)


@pytest.fixture(scope="module")
def callers(shared_world):
    """A client a role, each with a certificate that is in order."""
    clients = {}
    for role in ROLES:
        certificate, key = shared_world.authority.issue(f"{DOMAIN}/{role}/{unique('matrix')}")
        clients[role] = Client(shared_world.sandbox.address, shared_world.sandbox.ca, certificate, key)
    yield clients
    for client in clients.values():
        client.close()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_p7_a_method_is_open_to_its_role_alone(world, callers, method):
    right = ROLE_OF[method.containing_service.name]
    mine = None if method.name == "Receive" else outcome(callers[right], method)
    if mine is not None and mine.code.name == "UNIMPLEMENTED":
        assert method.name not in SERVED
        pytest.skip("not served yet")
    assert mine is None or mine.reason != "ROLE_NOT_ALLOWED"
    for role in ROLES:
        if role == right:
            continue
        found = outcome(callers[role], method)
        assert found is not None, f"{role} may call {method.name}"
        assert (found.code.name, found.reason) == ("PERMISSION_DENIED", "ROLE_NOT_ALLOWED"), f"{role}: {found}"


@pytest.mark.parametrize("method", ["Share", "Fetch", "ListEntries", "PutRecipient"])
def test_p7_permission_is_checked_before_the_message(world, callers, method):
    (found,) = [each for each in METHODS if each.name == method]
    for role in ROLES:
        if role != ROLE_OF[found.containing_service.name]:
            assert outcome(callers[role], found, b"\xff\xff").reason == "ROLE_NOT_ALLOWED"


def test_p9_a_wrong_role_is_an_entry_once_a_minute(world):
    uri = f"{DOMAIN}/auditor/{unique('curious')}"
    client = world.client_of(uri)
    size = ledger.size(world.sandbox)
    for _ in range(5):
        with refused("PERMISSION_DENIED", "ROLE_NOT_ALLOWED"):
            client.registry.GetRecipient(protos.registry.GetRecipientRequest(recipient_id="sparkle"), timeout=10)
    mine = [entry for _, entry in ledger.entries(world.sandbox, size) if entry.actor == uri]
    assert [(ledger.kind_name(entry), ledger.reason_name(entry)) for entry in mine] == [("REFUSED", "ROLE_NOT_ALLOWED")]


# Another recipient's.

def test_p7_anothers_disclosure_is_as_one_that_does_not_exist(world):
    mine, other = world.recipient(), world.recipient()
    shared = world.share(world.person(), mine)
    found = []
    for disclosure_id in (shared.disclosure_id, "00000000-0000-4000-8000-000000000000"):
        with refused("NOT_FOUND") as why:
            other.fetch(disclosure_id)
        found.append((why.code, why.reason, why.message, sorted(why.metadata)))
    assert found[0] == found[1], "the two cannot be told apart"
    answer = other.client.delivery.ListAssigned(protos.delivery.ListAssignedRequest(), timeout=10)
    assert not answer.disclosures
    assert other.drain() == []


def test_p7_anothers_acknowledgement_does_not_count(world):
    mine, other = world.recipient(), world.recipient()
    shared = world.share(world.person(), mine)
    (got,) = mine.drain()
    assert other.acknowledge(got) == 0
    with mine.receive() as stream:
        assert stream.delivery(shared.disclosure_id).delivery_id == got.delivery_id, "it is still unacknowledged"
    assert not ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id, "ACKNOWLEDGED")


def test_p7_a_push_goes_to_its_recipient_alone(world):
    mine, others = world.recipient(), [world.recipient() for _ in range(3)]
    streams = [other.receive() for other in others]
    with mine.receive() as stream:
        shared = [world.share(world.person(), mine) for _ in range(10)]
        for disclosure in shared:
            stream.acknowledge(stream.delivery(disclosure.disclosure_id))
    assert all(not each.events for each in streams)


def test_p7_an_unregistered_recipient_gets_nothing(world):
    stranger = world.client_of(f"{DOMAIN}/recipient/{unique('stranger')}")
    answer = None
    try:
        answer = list(stranger.delivery.Receive(protos.delivery.ReceiveRequest(until_empty=True), timeout=10))
    except grpc.RpcError as error:
        assert error.code().name in ("PERMISSION_DENIED", "NOT_FOUND", "FAILED_PRECONDITION"), error
    assert not answer


def test_p7_a_suspended_recipient_gets_no_delivery(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    world.sandbox.query("UPDATE needtoknow.recipient SET suspended = true WHERE recipient_id = %s", recipient.recipient_id)
    assert recipient.drain() == []
    with refused("PERMISSION_DENIED", "RECIPIENT_SUSPENDED"):
        recipient.fetch(shared.disclosure_id)
    assert not ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id, "DELIVERED")


# Certificates.

def connects(world, certificate=None, key=None, ca=None):
    """The refusal that a call gets with this certificate; None after OK."""
    client = Client(world.sandbox.address, ca or world.sandbox.ca, certificate, key)
    size = ledger.size(world.sandbox)
    try:
        client.sharing.Share(protos.sharing.ShareRequest(), timeout=5)
        return None
    except grpc.RpcError as error:
        found = refusal_of(error)
        # What the service does by itself meanwhile, for what was shared before, is its own.
        written = [entry for _, entry in ledger.entries(world.sandbox, size) if entry.actor != "system"]
        assert len(written) == (1 if found.reason == "ROLE_NOT_ALLOWED" else 0), "nothing is written for whoever is nobody"
        return found
    finally:
        client.close()


def assert_nobody(found):
    """Refused below the methods: no handshake, no connection, or no identity."""
    assert found is not None and found.code.name in ("UNAVAILABLE", "UNAUTHENTICATED"), str(found)


def test_p7_a_good_certificate_is_heard(world):
    """So that the others fail for their certificates alone."""
    found = connects(world, *world.authority.issue(f"{DOMAIN}/booking/good"))
    assert (found.code.name, found.reason) == ("INVALID_ARGUMENT", "BAD_IDENTIFIER")


def test_p7_the_sandboxs_own_certificates_are_heard(world):
    found = connects(world, *world.sandbox.issue("booking", unique("b")))
    assert found.reason == "BAD_IDENTIFIER"
    device = world.sandbox.issue("recipient", unique("r"), "tablet")
    assert connects(world, *device).reason == "ROLE_NOT_ALLOWED"


def test_p7_no_certificate_no_connection(world):
    assert_nobody(connects(world))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        tls = connect_tls(world.sandbox)
        tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        assert tls.recv(1) == b"", "TLS 1.3 tells the client after its own handshake"
        raise ConnectionError


def test_p7_a_foreign_cas_certificate_is_refused(world, tmp_path):
    assert_nobody(connects(world, *Authority.foreign(tmp_path).issue(f"{DOMAIN}/booking/booking")))


@pytest.mark.parametrize("window", [(-3 * DAY, -DAY), (-3 * DAY, -datetime.timedelta(seconds=5)), (DAY, 3 * DAY)])
def test_p7_a_certificate_out_of_its_time_is_refused(world, window):
    assert_nobody(connects(world, *world.authority.issue(f"{DOMAIN}/booking/booking", not_before=window[0], not_after=window[1])))


@pytest.mark.parametrize("uris", [
    (),
    ("spiffe://other.example/booking/booking",),
    ("spiffe://MAISON-CLAIRE.example/booking/booking",),
    ("spiffe://maison-claire.example.other.example/booking/booking",),
    ("https://maison-claire.example/booking/booking",),
    (f"{DOMAIN}/booking",),
    (f"{DOMAIN}/booking/",),
    (f"{DOMAIN}/booking/booking/device",),
    (f"{DOMAIN}/director/booking",),
    (f"{DOMAIN}/Booking/booking",),
    (f"{DOMAIN}/booking/booking?x=1",),
    (f"{DOMAIN}/booking/book%69ng",),
    (f"{DOMAIN}:443/booking/booking",),
    (f"{DOMAIN}//booking/booking",),
    (f"{DOMAIN}/booking/{'x' * 129}",),
    (f"{DOMAIN}/booking/booking", f"{DOMAIN}/admin/admin"),
], ids=lambda uris: " and ".join(uris)[:60] or "none")
def test_p7_a_certificate_that_says_nothing_exact_is_nobody(world, uris):
    assert_nobody(connects(world, *world.authority.issue(*uris)))


def test_p7_a_dns_name_is_no_identity(world):
    assert_nobody(connects(world, *world.authority.issue(dns=("booking",))))


def test_p7_a_servers_certificate_is_no_clients(world):
    assert_nobody(connects(world, *world.authority.issue(f"{DOMAIN}/booking/booking", client=False)))


def test_p7_a_client_refuses_another_server(world, tmp_path):
    """The server's side of mutual TLS: its certificate is checked by whoever connects."""
    foreign = Authority.foreign(tmp_path)
    from cryptography.hazmat.primitives import serialization
    ca = tmp_path / "foreign.crt"
    ca.write_bytes(foreign.certificate.public_bytes(serialization.Encoding.PEM))
    assert_nobody(connects(world, *world.sandbox.key_pair("booking"), ca=ca))


def test_p7_the_device_is_the_certificates(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    got = recipient.device("tablet").drain()
    assert len(got) == 1
    ((_, entry),) = ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id, "DELIVERED")
    assert (entry.recipient_id, entry.device) == (recipient.recipient_id, "tablet")
    recipient.acknowledge(*got)
    acknowledged = ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id, "ACKNOWLEDGED")
    assert [entry.device for _, entry in acknowledged] == ["default"]
