"""Who uses the service while it is broken: booking systems, apps, an administrator, an auditor. Each keeps its own records."""

import collections
import itertools
import random
import threading
import time

import grpc

from needtoknow_testing import company, protos
from needtoknow_testing.client import Client, unique
from needtoknow_testing.refusal import refusal_of

from .history import NEVER, Arrival, Booking, Operation, Ordered, Restricted, Told

TRUST_DOMAIN = "maison-claire.example"
SERVICES = ["at-once", "staged", "contact"]
TIMEOUT = 4.0  # seconds, an attempt
# After these nobody knows whether it happened. Python's gRPC tells a broken stream in several ways.
UNKNOWN = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "RESOURCE_EXHAUSTED", "ABORTED"}
BROKEN = ("Stream removed", "RST_STREAM", "GOAWAY", "Socket closed", "Connection reset", "EOF")

_streams = itertools.count(1)


def is_unknown(error):
    return error.code().name in UNKNOWN or any(word in (error.details() or "") for word in BROKEN)


class Setting:
    """What all parties share: where the service is, the history, and whether it is time to be good or to go."""

    def __init__(self, history, sandbox, address, authority, people):
        self.history, self.sandbox, self.address, self.authority, self.people = history, sandbox, address, authority, people
        self.settling, self.over = threading.Event(), threading.Event()
        self._clients = []

    def client(self, who):
        client = Client(self.address, self.sandbox.ca, *self.authority.issue(who))
        self._clients.append(client)
        return client

    def close(self):
        for client in self._clients:
            client.close()


class Party(threading.Thread):
    """A thread with a certificate and with dice of its own, which the seed and its name decide."""

    def __init__(self, setting, role, name):
        super().__init__(name=f"{role}/{name}", daemon=True)
        self.setting, self.history = setting, setting.history
        self.who = f"spiffe://{TRUST_DOMAIN}/{role}/{name}"
        self.dice = random.Random(f"{setting.history.seed}/{role}/{name}")
        self.client = setting.client(self.who)
        self.failure = None

    def run(self):
        try:
            self.live()
        except BaseException as error:  # pylint: disable=broad-except
            self.failure = error
            raise

    def pursue(self, operation, call, tries):
        """Calls until something definite is answered, or `tries` are over. The answer, or None."""
        self.history.add(operation)
        answer = self._repeat(operation, call, tries)
        operation.ended = time.time() if operation.outcome != "UNKNOWN" else NEVER
        return answer

    def _repeat(self, operation, call, tries):
        for _ in range(tries):
            try:
                answer = call()
                operation.outcome = "OK"
                return answer
            except grpc.RpcError as error:
                operation.error = error.details() or ""
                if not is_unknown(error):
                    refusal = refusal_of(error)
                    operation.outcome = f"{refusal.code.name} {refusal.reason}".strip()
                    operation.refused_index = int(refusal.metadata.get("ledger_index", -1))
                    return None
            if self.setting.over.wait(0.05 + self.dice.random() * 0.3):
                return None
        return None

    def pause(self, seconds):
        """True when it is time to be good."""
        return self.setting.settling.wait(seconds)


def receipt(message):
    return message.ledger_index, message.leaf_hash.hex()


def told(disclosure):
    state = lambda kind, number, prefix: kind.Name(number)[len(prefix):]
    return Told(
        disclosure.disclosure_id, disclosure.booking_id, disclosure.recipient_id, disclosure.service,
        state(protos.common.DisclosureState, disclosure.state, "DISCLOSURE_STATE_"), protos.microseconds(disclosure.expires_at),
        {each.name: protos.microseconds(each.due_at) for each in disclosure.releases},
        {each.name: state(protos.common.ReleaseState, each.state, "RELEASE_STATE_") for each in disclosure.releases})


class People:
    """The company's clients and bookings, made when they are wanted, each with values that nobody else has."""

    def __init__(self, history, connect):
        self.history, self.connect = history, connect
        self._free, self._lock = [], threading.Lock()
        self._changing = collections.defaultdict(threading.Lock)  # one at a time a client, so that the last change is the last

    def take(self):
        """A booking that nobody has had."""
        with self._lock:
            if not self._free:
                self._free = self._make(100)
            return self._free.pop()

    def query(self, sql, *parameters):
        """What company.person writes with, in the transaction of the hundred."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters)

    def _make(self, number):
        """In one transaction, again and again until the database takes it."""
        while True:
            try:
                self._connection = self.connect()
                try:
                    made = []
                    for _ in range(number // 2):
                        one = company.person(self)
                        made += [one, company.another_booking(self, one)]
                    self._connection.commit()
                finally:
                    self._connection.close()
                break
            except Exception:  # pylint: disable=broad-except
                time.sleep(0.2)
        lists = {}
        for person in made:
            of_subject = lists.setdefault(person.subject_id, {name: [value] for name, value in person.fields.items()
                                                              if name.startswith("client.")})
            own = {name: [value] for name, value in person.fields.items() if not name.startswith("client.")}
            self.history.bookings[person.booking_id] = Booking(person.subject_id, {**of_subject, **own})
        return [person.booking_id for person in made]

    def change(self, booking, token):
        """The client has another door code, sooner or later: this returns when it is so."""
        subject = self.history.bookings[booking].subject
        code = f"porte-{token}"
        with self._lock:
            changing = self._changing[subject]
        with changing:
            self.history.bookings[booking].values["client.door_code"].append(code)
            while not self._changed(subject, code):
                time.sleep(0.2)

    def _changed(self, subject, code):
        try:
            connection = self.connect()
            try:
                with connection.cursor() as cursor:
                    cursor.execute("UPDATE company.client SET door_code = %s WHERE subject_id = %s", (code, subject))
                connection.commit()
                return True
            finally:
                connection.close()
        except Exception:  # pylint: disable=broad-except
            return False


class BookingSystem(Party):
    """Books, moves, cancels, gives to another, looks; asks again when it was not answered, and now and then when it was."""

    ACTIONS = {"share": 46, "reschedule": 15, "revoke": 12, "reassign": 9, "look": 12, "change": 6}

    def __init__(self, setting, name, recipients, actions=None):
        super().__init__(setting, "booking", name)
        self.recipients, self.live_ones, self.booked = recipients, [], []
        self.actions = {name: weight for name, weight in self.ACTIONS.items() if actions is None or name in actions}

    def live(self):
        while not self.pause(self.dice.expovariate(5)):
            action = self.dice.choices(list(self.actions), list(self.actions.values()))[0]
            getattr(self, action)()

    def _ask(self, kind, method, request, **asked):
        """The operation, told what was answered. Once in a while its caller dies before it is answered."""
        operation = Operation(kind, self.who, time.time(), asked)
        answer = self.pursue(operation, lambda: method(request, timeout=TIMEOUT), 2 if self.dice.random() < 0.05 else 60)
        if answer is not None:
            operation.receipts, operation.disclosures = self._read(answer)
            if self.dice.random() < 0.1:
                self._ask_again(operation, method, request)
        return operation

    def _ask_again(self, operation, method, request):
        try:
            operation.again.append(self._read(method(request, timeout=TIMEOUT))[0])
        except grpc.RpcError as error:
            if not is_unknown(error):
                operation.again.append([str(refusal_of(error))])

    @staticmethod
    def _read(answer):
        """(receipts, disclosures) of whichever answer it is."""
        found = [getattr(answer, name) for name in ("withdrawn", "disclosure") if name in answer.DESCRIPTOR.fields_by_name]
        found += list(getattr(answer, "disclosures", []))
        receipts = [answer.receipt] if "receipt" in answer.DESCRIPTOR.fields_by_name else list(getattr(answer, "receipts", []))
        return [receipt(each) for each in receipts], [told(each) for each in found]

    def _window(self, service):
        """Starts and ends, soon or far: what ends within the run, and what outlives it."""
        now, soon = time.time(), self.dice.random() < 0.6
        if service == "staged":
            start = now + (self.dice.uniform(1, 6) if soon else 3000)
            return start, start + (self.dice.uniform(2, 6) if soon else 600)
        start = now + (0 if soon else self.dice.choice([0, 3600]))
        return start, start + (self.dice.uniform(3, 12) if soon else 7200)

    def share(self):
        if not self.booked or self.dice.random() < 0.8:
            self.booked.append(self.setting.people.take())
        booking, recipient, service = self.booked[-1], self.dice.choice(self.recipients), self.dice.choice(SERVICES)
        start, end = self._window(service)
        request = protos.sharing.ShareRequest(
            request_id=unique("q"), booking_id=booking, subject_id=self.history.bookings[booking].subject, recipient_id=recipient,
            service=service, starts_at=protos.timestamp(start), ends_at=protos.timestamp(end))
        operation = self._ask("Share", self.client.sharing.Share, request, booking=booking, recipient=recipient)
        self.live_ones += operation.disclosures

    def _one(self):
        return self.dice.choice(self.live_ones[-12:]) if self.live_ones else None

    def _gone(self, one):
        self.live_ones = [each for each in self.live_ones if each.disclosure != one.disclosure]

    def reschedule(self):
        one = self._one()
        if one:
            start, end = self._window(one.service)
            request = protos.sharing.RescheduleRequest(
                request_id=unique("q"), disclosure_id=one.disclosure, starts_at=protos.timestamp(start), ends_at=protos.timestamp(end))
            operation = self._ask("Reschedule", self.client.sharing.Reschedule, request, disclosure=one.disclosure)
            if not operation.ok:
                self._gone(one)

    def revoke(self):
        one = self._one()
        if one:
            by = {"disclosure_id": one.disclosure} if self.dice.random() < 0.6 else {"booking_id": one.booking}
            request = protos.sharing.RevokeRequest(request_id=unique("q"), reason="the client has cancelled", **by)
            self._ask("Revoke", self.client.sharing.Revoke, request, booking=one.booking,
                      **({"disclosure": one.disclosure} if "disclosure_id" in by else {}))
            self._gone(one)

    def reassign(self):
        one = self._one()
        if one:
            recipient = self.dice.choice([each for each in self.recipients if each != one.recipient])
            request = protos.sharing.ReassignRequest(
                request_id=unique("q"), disclosure_id=one.disclosure, recipient_id=recipient, reason="the provider is ill")
            operation = self._ask("Reassign", self.client.sharing.Reassign, request, disclosure=one.disclosure, booking=one.booking,
                                  recipient=recipient)
            self._gone(one)
            self.live_ones += operation.disclosures[-1:]

    def look(self):
        one = self._one()
        if one:
            self.read(one.disclosure, tries=1)

    def read(self, disclosure, tries=60, **asked):
        operation = Operation("GetDisclosure", self.who, time.time(), {"disclosure": disclosure, **asked})
        request = protos.sharing.GetDisclosureRequest(disclosure_id=disclosure)
        answer = self.pursue(operation, lambda: self.client.sharing.GetDisclosure(request, timeout=TIMEOUT), tries)
        if answer is not None:
            operation.disclosures = [told(answer.disclosure)]
        return operation

    def change(self):
        one = self._one()
        if one:
            self.setting.people.change(one.booking, f"{self.dice.getrandbits(48):012x}")


class App(Party):
    """One device: receives, acknowledges, forgets, stalls, dies, comes back, deletes and confirms. Good once it is time to be."""

    def __init__(self, setting, recipient, device):
        super().__init__(setting, "recipient", f"{recipient}/{device}")
        self.recipient, self.device = recipient, device
        self.held = []     # disclosures that it has had something of
        self.later = []    # deliveries to be acknowledged with the next

    @property
    def good(self):
        return self.setting.settling.is_set()

    def live(self):
        while not self.setting.over.is_set():
            if self.held and not self.good and self.dice.random() < 0.1:
                self.fetch()
            self.session()
            self.setting.over.wait(self.dice.uniform(0.02, 0.3) if self.good or self.dice.random() < 0.8 else self.dice.uniform(0.5, 3))

    def session(self):
        stream = next(_streams)
        request = protos.delivery.ReceiveRequest(
            max_unacknowledged=self.dice.choice([1, 2, 8, 64]), until_empty=not self.good and self.dice.random() < 0.1)
        call = self.client.delivery.Receive(request, timeout=3 if self.good else self.dice.uniform(1, 10))
        try:
            for event in call:
                if event.HasField("delivery"):
                    go_on = self.delivery(event.delivery, stream)
                elif event.HasField("restriction"):
                    go_on = self.restriction(event.restriction, stream)
                else:
                    go_on = self.withdrawal(event.withdrawal, stream)
                if not go_on or self.setting.over.is_set():
                    call.cancel()
        except grpc.RpcError as error:
            if not is_unknown(error):
                self._refused("Receive", error)
        finally:
            call.cancel()

    def _refused(self, kind, error):
        now, refusal = time.time(), refusal_of(error)
        self.history.add(Operation(kind, self.who, now, {}, now, f"{refusal.code.name} {refusal.reason}".strip(), error=refusal.message))

    def _arrived(self, delivery, stream):
        cause = protos.delivery.DeliveryCause.Name(delivery.cause)[len("DELIVERY_CAUSE_"):]
        self.history.add(Arrival(
            time.time(), self.recipient, self.device, stream, delivery.delivery_id, delivery.disclosure_id, delivery.booking_id,
            delivery.release, {field.name: None if field.is_null else field.value for field in delivery.fields}, cause,
            *receipt(delivery.receipt), protos.microseconds(delivery.expires_at)))
        self.held = (self.held + [delivery.disclosure_id])[-20:]

    def delivery(self, delivery, stream):
        """False: the app dies."""
        self._arrived(delivery, stream)
        mood = 0.0 if self.good else self.dice.random()
        if mood < 0.74:
            self.acknowledge([*self.later, delivery.delivery_id])
            self.later = []
        elif mood < 0.84:
            self.later.append(delivery.delivery_id)
        elif mood < 0.97:
            self.setting.settling.wait(0 if mood < 0.92 else self.dice.uniform(0.5, 2.5))  # forgets it, or stalls and reads nothing
        return mood < 0.97

    def withdrawal(self, withdrawal, stream):
        cause = protos.delivery.WithdrawalCause.Name(withdrawal.cause)[len("WITHDRAWAL_CAUSE_"):]
        self.history.add(Ordered(time.time(), self.recipient, self.device, stream, withdrawal.disclosure_id, cause,
                                 *receipt(withdrawal.receipt)))
        if self.good or self.dice.random() < 0.8:
            self.confirm([withdrawal.disclosure_id])
        return self.good or self.dice.random() < 0.97

    def restriction(self, restriction, stream):
        self.history.add(Restricted(time.time(), self.recipient, self.device, stream, restriction.disclosure_id, restriction.lifted,
                                    *receipt(restriction.receipt)))
        return self.good or self.dice.random() < 0.97

    def acknowledge(self, deliveries):
        operation = Operation("Acknowledge", self.who, time.time(), {"deliveries": deliveries})
        request = protos.delivery.AcknowledgeRequest(delivery_ids=deliveries)
        answer = self.pursue(operation, lambda: self.client.delivery.Acknowledge(request, timeout=TIMEOUT), 3)
        operation.count = answer.acknowledged if answer else 0

    def confirm(self, disclosures):
        operation = Operation("ConfirmDeletion", self.who, time.time(), {"disclosures": disclosures, "device": self.device})
        request = protos.delivery.ConfirmDeletionRequest(items=[
            protos.delivery.DeletionItem(disclosure_id=each, outcome=protos.delivery.DELETION_OUTCOME_DELETED) for each in disclosures])
        answer = self.pursue(operation, lambda: self.client.delivery.ConfirmDeletion(request, timeout=TIMEOUT), 3)
        operation.count = answer.confirmed if answer else 0

    def fetch(self):
        disclosure = self.dice.choice(self.held)
        operation = Operation("Fetch", self.who, time.time(), {"disclosure": disclosure})
        request = protos.delivery.FetchRequest(disclosure_id=disclosure)
        answer = self.pursue(operation, lambda: self.client.delivery.Fetch(request, timeout=TIMEOUT), 1)
        for delivery in answer.deliveries if answer else ():
            self._arrived(delivery, 0)
            self.later.append(delivery.delivery_id)


class Administrator(Party):
    """Suspends a recipient and resumes it, and revokes devices that were lost; each of those gets a successor."""

    def __init__(self, setting, apps, start_app, actions=("suspend", "revoke_device"), devices=8):
        super().__init__(setting, "admin", "desk")
        self.apps, self.start_app, self.actions, self.devices = apps, start_app, actions, devices
        self.lost = set()

    def live(self):
        while self.actions and not self.pause(self.dice.uniform(2, 6)):
            getattr(self, self.dice.choice(self.actions))()

    def _ask(self, kind, method, request, **asked):
        operation = Operation(kind, self.who, time.time(), asked)
        answer = self.pursue(operation, lambda: method(request, timeout=TIMEOUT), 100)
        if answer is not None:
            receipts = [answer.receipt] if "receipt" in answer.DESCRIPTOR.fields_by_name else answer.receipts
            operation.receipts = [receipt(each) for each in receipts if each.leaf_hash]
        return operation

    def put(self, recipient, every_device):
        registered = protos.registry.Recipient(
            recipient_id=recipient, kind=protos.registry.RECIPIENT_KIND_PROVIDER, display_name=f"Maison {recipient}", services=SERVICES,
            agreement_ref="DPA-2026-1", agreement_from=protos.timestamp(time.time() - 86400),
            deliver_to=protos.registry.DELIVER_TO_EVERY_DEVICE if every_device else protos.registry.DELIVER_TO_ANY_DEVICE)
        return self._ask("PutRecipient", self.client.registry.PutRecipient,
                         protos.registry.PutRecipientRequest(recipient=registered), recipient=recipient)

    def suspend(self):
        recipient = self.dice.choice(sorted({app.recipient for app in self.apps}))
        request = protos.registry.SuspendRecipientRequest(recipient_id=recipient, reason="an incident is being looked into")
        self._ask("SuspendRecipient", self.client.registry.SuspendRecipient, request, recipient=recipient)
        self.pause(self.dice.uniform(0.2, 2))
        self._ask("ResumeRecipient", self.client.registry.ResumeRecipient,
                  protos.registry.ResumeRecipientRequest(recipient_id=recipient), recipient=recipient)

    def revoke_device(self):
        left = [app for app in self.apps if (app.recipient, app.device) not in self.lost]
        if len(self.lost) >= self.devices or not left:
            return
        app = self.dice.choice(left)
        self.lost.add((app.recipient, app.device))
        request = protos.registry.RevokeDeviceRequest(recipient_id=app.recipient, device=app.device)
        self._ask("RevokeDevice", self.client.registry.RevokeDevice, request, recipient=app.recipient, device=app.device)
        self.start_app(app.recipient, f"phone-{len(self.lost)}")


class Auditor(Party):
    """Keeps every checkpoint that it is given."""

    def __init__(self, setting):
        super().__init__(setting, "auditor", "keeper")

    def live(self):
        while not self.pause(1):
            try:
                answer = self.client.audit.GetCheckpoint(protos.audit.GetCheckpointRequest(), timeout=TIMEOUT)
                self.history.add(answer.note)
            except grpc.RpcError:
                pass  # the next second
