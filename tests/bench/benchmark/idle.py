"""Recipients' apps that wait: each a connection, a certificate and a stream of its own, through HTTP/2 that is not ours."""

import selectors
import ssl
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

from .setting import ROOT

sys.path.insert(0, str(ROOT / "tests" / "system"))

from needtoknow_testing import protos  # noqa: E402
from needtoknow_testing.certificates import Authority  # noqa: E402
from needtoknow_testing.client import Client, unique  # noqa: E402
from needtoknow_testing.wire import WireClient  # noqa: E402

TRUST = "spiffe://maison-claire.example/recipient"
SERVICE = "/needtoknow.v1.DeliveryService"
IN_FLIGHT = 200
PATIENCE = 120  # seconds, for what thousands are to get


class Company:
    """Who registers the recipients and shares with them. As a context."""

    warm_up = ("sparkle",)  # whom deploy/sandbox has registered, and who stays away

    def __init__(self, setting):
        certificates = Path(setting.values["CERTS"])
        self.clients = {name: Client(setting.values["ADDRESS"], Path(setting.values["CA"]), certificates / f"{name}.crt",
                                     certificates / f"{name}.key") for name in ("admin", "booking")}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self.clients.values():
            client.close()

    def register(self, names):
        now = protos.timestamp(time.time() - 60)
        each(self.clients["admin"].registry.PutRecipient, (
            protos.registry.PutRecipientRequest(recipient=protos.registry.Recipient(
                recipient_id=name, kind=protos.registry.RECIPIENT_KIND_PROVIDER, display_name=name, services=["home-cleaning"],
                agreement_ref="DPA", agreement_from=now, deliver_to=protos.registry.DELIVER_TO_ANY_DEVICE)) for name in names))

    def share(self, names, numbers):
        """One client's visit with each of them, due at once."""
        begins = time.time() + 3600
        each(self.clients["booking"].sharing.Share, (
            protos.sharing.ShareRequest(
                request_id=unique("q"), booking_id=f"B{number:06d}", subject_id=f"C{number:06d}", recipient_id=name, service="home-cleaning",
                starts_at=protos.timestamp(begins), ends_at=protos.timestamp(begins + 3600)) for name, number in zip(names, numbers)))


def each(method, requests):
    """All of the calls, IN_FLIGHT at a time; the first failure is raised."""
    credit, failures = threading.Semaphore(IN_FLIGHT), []

    def done(call):
        if call.exception() is not None:
            failures.append(call.exception())
        credit.release()

    for request in requests:
        credit.acquire()
        method.future(request, timeout=PATIENCE).add_done_callback(done)
    for _ in range(IN_FLIGHT):
        credit.acquire()
    if failures:
        raise failures[0]


class Phones:
    """The apps. They answer PINGs while attend() runs, and so hold their connections. As a context."""

    def __init__(self, setting):
        self.place = SimpleNamespace(
            address=setting.values["ADDRESS"], ca=Path(setting.values["CA"]), directory=Path(setting.values["DIR"]))
        self.directory = setting.directory / "phones"
        self.directory.mkdir()
        self.selector = selectors.DefaultSelector()
        self.phones = []  # (WireClient, its stream of Receive)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        self.selector.close()

    @staticmethod
    def names(count):
        return [f"phone-{number:05d}" for number in range(count)]

    def open(self, count):
        authority = Authority.of_sandbox(self.place, self.directory)
        for name in self.names(count):
            phone = WireClient(self.place, *authority.issue(f"{TRUST}/{name}"))
            self.phones.append((phone, phone.request(f"{SERVICE}/Receive", b"")))
            self.selector.register(phone.socket, selectors.EVENT_READ, phone)
            if len(self.phones) % 100 == 0:
                self.attend(0)

    def attend(self, seconds):
        """Takes what comes, and has HTTP/2's answer to it sent."""
        deadline = time.monotonic() + seconds
        while True:
            ready = self.selector.select(max(0, min(0.1, deadline - time.monotonic())))
            for key, _ in ready:
                key.data.read_once()
                if key.data.closed:
                    raise RuntimeError("the server has closed a waiting stream's connection")
            if time.monotonic() >= deadline and not ready:
                return

    def acknowledge_one_each(self):
        """Waits for one delivery on each stream, to the right recipient, and acknowledges it there."""
        self._await("a delivery", lambda phone, stream: phone.answers[stream].messages)
        calls = []
        for name, (phone, stream) in zip(self.names(len(self.phones)), self.phones):
            [message] = phone.answers[stream].messages
            delivery = protos.delivery.ReceiveResponse.FromString(message).delivery
            if len(delivery.fields) != 3:
                raise RuntimeError(f"{name} was sent {delivery}")
            request = protos.delivery.AcknowledgeRequest(delivery_ids=[delivery.delivery_id]).SerializeToString()
            calls.append((phone, phone.request(f"{SERVICE}/Acknowledge", request)))
        self._await("an answer to its acknowledgement", lambda phone, _: all(
            answer.ended for number, answer in phone.answers.items() if number != min(phone.answers)))
        for phone, call in calls:
            answer = phone.answers.pop(call)
            if answer.status != 0 or protos.delivery.AcknowledgeResponse.FromString(answer.messages[0]).acknowledged != 1:
                raise RuntimeError(f"Acknowledge: {answer}")

    def _await(self, what, held):
        deadline = time.monotonic() + PATIENCE
        while not all(held(phone, stream) for phone, stream in self.phones):
            if time.monotonic() > deadline:
                missing = sum(not held(phone, stream) for phone, stream in self.phones)
                raise RuntimeError(f"{missing} of {len(self.phones)} streams have not had {what}")
            self.attend(0.2)

    def close(self):
        for phone, _ in self.phones:
            self.selector.unregister(phone.socket)
            try:
                phone.socket.close()
            except (OSError, ssl.SSLError):
                pass
        self.phones = []
