"""What a test speaks to: a sandbox, and the parties in it."""

import time
from dataclasses import dataclass

import grpc

from . import company, policy, protos
from .certificates import Authority
from .client import Client, unique
from .ledger import Checker
from .receiver import Receiver, acknowledge
from .sandbox import Sandbox
from .waiting import until

TRUST_DOMAIN = "maison-claire.example"


@dataclass
class Party:
    """A recipient that one test has for itself."""
    world: "World"
    recipient_id: str
    client: Client

    def receive(self, max_unacknowledged=0, until_empty=False):
        return self.world.watch(Receiver(self.client, max_unacknowledged, until_empty))

    def acknowledge(self, *deliveries):
        return acknowledge(self.client, *deliveries)

    def drain(self):
        """Everything that waits now, through until_empty; not acknowledged."""
        with self.receive(max_unacknowledged=1024, until_empty=True) as stream:
            error = stream.wait_end(20)
            assert error is None, error
            return stream.deliveries()

    def fetch(self, disclosure_id):
        answer = self.client.delivery.Fetch(protos.delivery.FetchRequest(disclosure_id=disclosure_id), timeout=10)
        self.world.received.extend(answer.deliveries)
        return list(answer.deliveries)

    def device(self, name):
        """Another app of the same recipient."""
        uri = f"spiffe://{TRUST_DOMAIN}/recipient/{self.recipient_id}/{name}"
        return Party(self.world, self.recipient_id, self.world.client_of(uri))


class World:
    """Keeps every delivery that any client got, so that the checker can hold each against the ledger."""

    running = []

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.checker = Checker(sandbox)
        self.streams = []
        self.received = []
        self._closing = []
        self._around = sandbox._around / "issued"
        self._around.mkdir()
        self.authority = Authority.of_sandbox(sandbox, self._around)

    @classmethod
    def up(cls, policy_text=None, **keywords):
        world = cls(Sandbox.up(policy=policy_text or policy.testing_policy(), **keywords))
        cls.running.append(world)
        return world

    def down(self):
        World.running.remove(self)
        self.close_clients()
        self.sandbox.down()

    # Parties.

    @property
    def booking(self):
        return self.sandbox.client("booking")

    @property
    def admin(self):
        return self.sandbox.client("admin")

    @property
    def auditor(self):
        return self.sandbox.client("auditor")

    @property
    def rights(self):
        return self.sandbox.client("rights")

    def client_of(self, uri, authority=None, options=(), **keywords):
        """A client with a new certificate for this URI SAN (or none)."""
        certificate, key = (authority or self.authority).issue(*([uri] if uri else []), **keywords)
        client = Client(self.sandbox.address, self.sandbox.ca, certificate, key, options)
        self._closing.append(client)
        return client

    def recipient(self, services=tuple(policy.PROVIDED), **changes):
        """Registers a recipient that nobody else has."""
        recipient_id = unique("r")
        self.put_recipient(recipient_id, services, **changes)
        return Party(self, recipient_id, self.client_of(f"spiffe://{TRUST_DOMAIN}/recipient/{recipient_id}"))

    def put_recipient(self, recipient_id, services=tuple(policy.PROVIDED), staff=False, agreement_from=None, agreement_until=None,
                      **fields):
        kind = protos.registry.RECIPIENT_KIND_STAFF if staff else protos.registry.RECIPIENT_KIND_PROVIDER
        recipient = protos.registry.Recipient(
            recipient_id=recipient_id, kind=kind, display_name=f"Maison {recipient_id}", services=services,
            agreement_ref="DPA-2026-1", agreement_from=protos.timestamp(agreement_from or time.time() - 86400),
            deliver_to=protos.registry.DELIVER_TO_ANY_DEVICE)
        if agreement_until:
            recipient.agreement_until.CopyFrom(protos.timestamp(agreement_until))
        for name, value in fields.items():
            setattr(recipient, name, value)
        return self.admin.registry.PutRecipient(protos.registry.PutRecipientRequest(recipient=recipient), timeout=10)

    def person(self, **columns):
        return company.person(self.sandbox, **columns)

    # Calls.

    def share_request(self, person, recipient, service="at-once", starts_in=3600.0, lasts=3600.0, **fields):
        now = time.time()
        request = protos.sharing.ShareRequest(
            request_id=unique("q"), booking_id=person.booking_id, subject_id=person.subject_id,
            recipient_id=getattr(recipient, "recipient_id", recipient), service=service,
            starts_at=protos.timestamp(now + starts_in), ends_at=protos.timestamp(now + starts_in + lasts))
        for name, value in fields.items():
            setattr(request, name, value)
        return request

    def share(self, person, recipient, *arguments, **keywords):
        """The disclosure."""
        return self.booking.sharing.Share(self.share_request(person, recipient, *arguments, **keywords), timeout=10).disclosure

    def wait_sharing(self, person, recipient, timeout=20):
        """Until a Share is answered: SERVING is about our own database, and the company's may be back a moment later."""
        def shared():
            try:
                return self.share(person, recipient)
            except grpc.RpcError as error:
                assert error.code().name == "UNAVAILABLE", error
                return None
        return until(shared, timeout, "a Share that is answered")

    def watch(self, stream):
        self.streams.append(stream)
        return stream

    # The end of a test.

    def check(self):
        """Closes the test's streams, and holds what they received and what is in the ledger against each other."""
        for stream in self.streams:
            stream.close()
            self.received.extend(stream.deliveries())
        self.streams = []
        received, self.received = self.received, []
        self.checker.check(received, self.auditor.audit if self.sandbox.health() else None)
        log = self.sandbox.log()
        for sign in ("AddressSanitizer", "runtime error:", "LeakSanitizer", "Assertion"):
            assert sign not in log, f"the daemon's log: {log[log.index(sign) - 200:][:4000]}"

    def close_clients(self):
        for client in self._closing:
            client.close()
        self._closing = []
