"""A whole run: put up, break, mend, wait until nothing is owed, gather, check."""

import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2

from needtoknow_testing import protos
from needtoknow_testing.certificates import Authority
from needtoknow_testing.client import Client
from needtoknow_testing.ledger import kind_name, reason_name, unpack
from needtoknow_testing.merkle import leaf_hash
from needtoknow_testing.policy import testing_policy
from needtoknow_testing.sandbox import Sandbox
from needtoknow_testing.standby import Pair
from needtoknow_testing.waiting import until

from .checks import CHECKS, OWED, breaches
from .desk import ACTIONS as RIGHTS, PrivacyDesk
from .faults import Injector, Manager, plan
from .history import Consistency, History, Line, Proof
from .parties import Administrator, App, Auditor, BookingSystem, People, Setting
from .proxy import Proxy

RECIPIENTS = {"sparkling": ("one", "two"), "greening": ("one", "two"), "washing": ("one",), "polishing": ("one", "two"),
              "sitting": ("one", "two", "three")}
EVERY_DEVICE = ["polishing", "sitting"]
PROOFS = 250          # receipts whose proof of inclusion is asked for
READINGS = 250        # disclosures that are looked at in the end
PATIENCE = 90         # seconds in which everything that is owed must have happened, once nothing breaks any more
TRACES = ("AddressSanitizer", "runtime error:", "LeakSanitizer", "Assertion")


@dataclass
class Options:
    seed: int
    faults: int = 200
    workers: int = 2
    callers: int = 3
    preset: str = "debug"
    kinds: list = None           # of faults; None: all
    bookings: list = None        # what booking systems do; None: all
    administration: tuple = ("suspend", "revoke_device")
    every_device: list = field(default_factory=lambda: list(EVERY_DEVICE))
    rights: tuple = tuple(RIGHTS)  # what the privacy desk does
    keep: Path = None            # where the evidence of a breach goes


class Stage:
    """A sandbox on two clusters, with proxies on every wire and a manager that starts the daemon again."""

    def __init__(self, options):
        self.sandbox = Sandbox.up(policy=testing_policy(acknowledge_within="2s"), clients=10, preset=options.preset)
        self.proxies = []
        try:
            self.sandbox.query("ALTER SYSTEM SET wal_retrieve_retry_interval = '100ms'")
            self.pair = Pair.up(self.sandbox)
            self.databases = {node.name: self._before(node) for node in self.pair.nodes()}
            text = self.sandbox.config.read_text()
            for node in self.pair.nodes():
                text = re.sub(rf"(?<=[=,]){node.socket}(?=[,&])", str(self._wire(node)), text)
            self.sandbox.config.write_text(re.sub(r"(?m)^workers: .*$", f"workers: {options.workers}", text))
            self.sandbox.restart()
            host, port = self.sandbox.address.rsplit(":", 1)
            self.clients = self._proxy(Proxy(lambda: (host, int(port))))
            self.manager = Manager(self.sandbox)
        except BaseException:
            self.close()
            raise

    def _proxy(self, proxy):
        self.proxies.append(proxy)
        return proxy

    def _wire(self, node):
        return self.sandbox.directory / f"wire-{node.name}"

    def _before(self, node):
        wire = self._wire(node)
        wire.mkdir()
        proxy = self._proxy(Proxy(lambda: node.socket / ".s.PGSQL.5432", str(wire / ".s.PGSQL.5432")))
        (wire / ".s.PGSQL.5432").chmod(0o777)
        return proxy

    def connect(self):
        """To whichever cluster takes writes, past the proxies."""
        return psycopg2.connect(self.pair.uri(), connect_timeout=5, options="-c statement_timeout=10s")

    def close(self):
        if hasattr(self, "manager"):
            self.manager.end()
        for proxy in self.proxies:
            proxy.close()
        self.sandbox.down()


class Run:
    """One seed."""

    def __init__(self, options, say=lambda _: None):
        self.options, self.say = options, say
        self.history = History(seed=options.seed, every_device=[])
        self.counts, self.owed = {}, []

    def execute(self):
        """The breaches that were found."""
        self.say(f"seed {self.options.seed}: {self.options.faults} faults, {self.options.workers} workers")
        self.stage = Stage(self.options)
        try:
            self._put_up()
            try:
                self._break()
                self._settle()
            finally:
                self.setting.settling.set()
                self.setting.over.set()
                for party in self.parties:
                    party.join(30)
                self.setting.close()
            # Once everybody has gone: nobody holds a receipt that this reading does not have.
            self._read_ledger()
            self._count()
            found = breaches(self.history, [check for check in CHECKS if check not in OWED]) + self.owed + self._traces()
            found += [f"{party.name} failed: {party.failure!r}" for party in self.parties if party.failure]
            if found and self.options.keep:
                self._keep(found)
            return found
        finally:
            self.stage.close()

    # Up.

    def _put_up(self):
        stage, options = self.stage, self.options
        issued = stage.sandbox._around / "issued"  # pylint: disable=protected-access
        issued.mkdir()
        authority = Authority.of_sandbox(stage.sandbox, issued)
        people = People(self.history, stage.connect)
        self.setting = Setting(self.history, stage.sandbox, f"127.0.0.1:{stage.clients.port}", authority, people)
        self.apps = []
        self.administrator = Administrator(self.setting, self.apps, self._start_app, options.administration)
        for recipient in RECIPIENTS:
            every = recipient in options.every_device
            assert self.administrator.put(recipient, every).ok, recipient
            if every:
                self.history.every_device.append(recipient)
        self.callers = [BookingSystem(self.setting, f"desk-{number}", list(RECIPIENTS), options.bookings)
                        for number in range(options.callers)]
        self.others = [self.administrator, Auditor(self.setting), PrivacyDesk(self.setting, self.callers, options.rights)]
        for recipient, devices in RECIPIENTS.items():
            for device in devices:
                self._start_app(recipient, device)
        for party in [*self.callers, *self.others]:
            party.start()

    def _start_app(self, recipient, device):
        self.apps.append(App(self.setting, recipient, device))
        self.apps[-1].start()

    @property
    def parties(self):
        return [*self.callers, *self.others, *self.apps]

    # Break, and mend.

    def _break(self):
        stage = self.stage
        injector = Injector(stage.sandbox, stage.pair, stage.clients, stage.databases, stage.manager)
        started = time.monotonic()
        injector.run(plan(self.options.seed, self.options.faults, self.options.kinds), self.say)
        self.done = injector.done
        self.counts["faults"] = sum(self.done.values())
        self.say(f"{self.counts['faults']} faults in {time.monotonic() - started:.0f} s")

    def _settle(self):
        """Everybody is good, nothing breaks: what is still owed must happen now."""
        started = time.monotonic()
        self.setting.settling.set()
        self.stage.sandbox.wait_serving(60)
        for party in [*self.callers, *self.others]:
            party.join(90)
            assert not party.is_alive(), f"{party.name} waits for an answer and does not get one"
        deadline = time.monotonic() + PATIENCE
        while True:
            self._read_ledger()
            self.owed = breaches(self.history, OWED)
            if not self.owed or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        self.say(f"settled in {time.monotonic() - started:.0f} s" if not self.owed else f"still owed: {self.owed[:5]}")
        for disclosure in every_nth(sorted(line.disclosure for line in self.history.lines if line.kind == "SHARED"), READINGS):
            self.callers[0].read(disclosure, final=True)
        self._read_proofs()

    def _count(self):
        for line in self.history.lines:
            for name in {line.kind, line.reason if line.kind == "DELIVERED" else line.kind}:
                self.counts[name] = self.counts.get(name, 0) + 1
        for operation in self.history.operations:
            name = f"{operation.kind} {operation.outcome}"
            self.counts[name] = self.counts.get(name, 0) + 1
        self.counts["arrivals"] = len(self.history.arrivals)
        self.counts["starts"] = self.stage.manager.starts

    # Gather.

    def _read_ledger(self):
        """Head, entries, checkpoints and keys, as they lie in the tables at one moment."""
        history, connection = self.history, self.stage.connect()
        try:
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            with connection.cursor() as cursor:
                cursor.execute("SELECT size, frontier FROM needtoknow.head")
                history.size, frontier = cursor.fetchone()
                history.frontier = bytes(frontier).hex()
                cursor.execute("SELECT first_index, train_id, extract(epoch FROM recorded_at) * 1000000, bodies FROM needtoknow.ledger"
                               " ORDER BY first_index")
                history.lines = [line(first + offset, bytes(train), int(at), body) for first, train, at, bodies in cursor
                                 for offset, body in enumerate(unpack(bytes(bodies)))]
                cursor.execute("SELECT note FROM needtoknow.checkpoint ORDER BY size")
                history.published = [note for note, in cursor]
                cursor.execute("SELECT subject_id, pseudonym, key FROM needtoknow.subject_key")
                history.keys = {subject: [bytes(pseudonym).hex(), bytes(key).hex()] for subject, pseudonym, key in cursor}
        finally:
            connection.close()
        history.vkey, history.finished = self.stage.sandbox.vkey, time.time()

    def _read_proofs(self):
        """For what clients hold receipts of, and from each checkpoint that the auditor kept to the last."""
        history, sandbox = self.history, self.stage.sandbox
        client = Client(sandbox.address, sandbox.ca, *sandbox.key_pair("auditor"))
        try:
            receipts = sorted({index for operation in history.operations for index, _ in operation.receipts}
                              | {arrival.index for arrival in history.arrivals})
            until(lambda: self._signed(client) > max(receipts, default=-1), 20, "a checkpoint of every receipt")
            for index in every_nth(receipts, PROOFS):
                proof = client.audit.GetInclusionProof(protos.audit.GetInclusionProofRequest(index=index), timeout=10)
                history.proofs.append(Proof(index, proof.leaf_hash.hex(), [each.hex() for each in proof.hashes], proof.checkpoint.note))
            last = self._signed(client)
            for size in sorted({int(note.split("\n")[1]) for note in history.notes}):
                answer = client.audit.GetConsistencyProof(
                    protos.audit.GetConsistencyProofRequest(from_size=size, to_size=last), timeout=10)
                history.consistencies.append(Consistency(size, last, [each.hex() for each in answer.hashes]))
        finally:
            client.close()

    def _signed(self, client):
        answer = client.audit.GetCheckpoint(protos.audit.GetCheckpointRequest(), timeout=10)
        self.history.notes.append(answer.note)
        return answer.size

    def _traces(self):
        log = self.stage.sandbox.log()
        return [f"the daemon's log: {log[max(0, log.index(sign) - 300):][:3000]}" for sign in TRACES if sign in log]

    def _keep(self, found):
        self.options.keep.mkdir(parents=True, exist_ok=True)
        self.history.save(self.options.keep / "history.json")
        (self.options.keep / "breaches").write_text("\n".join(found) + "\n")
        (self.options.keep / "needtoknowd.log").write_text(self.stage.sandbox.log())
        self.say(f"the evidence is in {self.options.keep}")


def line(index, train, at, body):
    entry = protos.ledger.LedgerEntry.FromString(body)
    return Line(
        index, train.hex(), kind_name(entry), at, leaf_hash(body).hex(), entry.actor, entry.disclosure_id, entry.recipient_id,
        entry.device, entry.service, entry.release, list(entry.fields), entry.delivery_id,
        "" if entry.reason == 0 else reason_name(entry), protos.microseconds(entry.expires_at), entry.subject_pseudonym.hex(),
        entry.booking_ref.hex(), entry.values_commitment.hex(), entry.purpose, entry.legal_basis)


def every_nth(of, count):
    return of[::max(1, len(of) // count)]


def new_seed():
    return int.from_bytes(os.urandom(4), "big")


__all__ = ["CHECKS", "Options", "Run", "new_seed"]
