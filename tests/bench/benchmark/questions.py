"""What auditors ask of a ledger, and how long the answers take: random questions of each kind, by a gRPC client that is not ours."""

import random
import time
from dataclasses import dataclass

import grpc
import psycopg2

from . import history
from .fill import recipient_id
from .verify import demand

from needtoknow_testing import protos  # noqa: E402  # found through .verify

AUDIT = "/needtoknow.v1.AuditService/"
KIND = protos.ledger.EntryKind.Value
PAGE = 100
TILE = 256  # entries: those behind the last full one are read one by one for a proof
BIG_RECIPIENTS = 50  # have a page of entries in the smaller ledger, too


@dataclass(frozen=True)
class Question:
    """`make` gives a request; `check` holds the answer against it."""
    name: str
    method: str
    make: callable
    check: callable
    limit: float  # milliseconds, of the median; 0: none


class Targets:
    """Of one ledger: whom and what to ask about."""

    def __init__(self, uri, seed=4):
        self.draw = random.Random(seed)
        self.connection = psycopg2.connect(uri)
        self.connection.autocommit = True
        self.size = self.one("SELECT size FROM needtoknow.checkpoint ORDER BY size DESC LIMIT 1")
        self.first, self.last = (int(self.one(f"SELECT extract(epoch FROM recorded_at) * 1000000 FROM needtoknow.ledger ORDER BY first_index"
                                              f" {order} LIMIT 1")) for order in ("", "DESC"))
        # As many disclosures of each, whatever the ledger's size.
        self.subjects = self.column("SELECT subject_id FROM needtoknow.disclosure WHERE subject_id LIKE 'C%' AND service = 'home-cleaning'"
                                    " GROUP BY subject_id HAVING count(*) = 2 ORDER BY md5(subject_id) LIMIT 1000")
        found = self.rows("SELECT booking_id, disclosure_id::text FROM needtoknow.disclosure WHERE ended_index IS NOT NULL"
                          " ORDER BY md5(booking_id) LIMIT 1000")
        # Those of the big ones whose first page is full in the smallest ledger too.
        self.recipients = self.column(
            "SELECT recipient_id FROM needtoknow.recipient_slice WHERE recipient_id = ANY (ARRAY["
            + ", ".join(f"'{recipient_id(number)}'" for number in range(BIG_RECIPIENTS))
            + f"]) GROUP BY recipient_id HAVING sum(cardinality(entries)) >= {PAGE} ORDER BY recipient_id")
        self.bookings, self.disclosures = [row[0] for row in found], [row[1] for row in found]

    def rows(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def column(self, sql):
        return [row[0] for row in self.rows(sql)]

    def one(self, sql):
        return self.rows(sql)[0][0]

    def close(self):
        self.connection.close()


def listing(newest_first, **fields):
    def make(targets):
        words = {name: value(targets) if callable(value) else value for name, value in fields.items()}
        if "window" in words:
            words["recorded_from"], words["recorded_until"] = words.pop("window")
        return protos.audit.ListEntriesRequest(filter=protos.audit.EntryFilter(**words), newest_first=newest_first)
    return make


def window(length):
    def draw(targets):
        begins = targets.draw.randrange(targets.first, max(targets.first + 1, targets.last - length))
        return protos.timestamp(begins / 1e6), protos.timestamp((begins + length) / 1e6)
    return draw


def check_page(least):
    """At least so many entries, each as the filter says, in order."""
    def check(request, raw):
        page = protos.audit.ListEntriesResponse.FromString(raw)
        demand(len(page.entries) >= least, f"{len(page.entries)} entries for {request}")
        indices = [entry.index for entry in page.entries]
        demand(indices == sorted(indices, reverse=request.newest_first), f"the order of {request}")
        wanted = request.filter
        for entry in page.entries:
            demand(not wanted.kinds or entry.entry.kind in wanted.kinds, f"entry {entry.index} for {request}")
            demand(not wanted.recipient_id or entry.entry.recipient_id == wanted.recipient_id, f"entry {entry.index} for {request}")
            demand(not wanted.disclosure_id or entry.entry.disclosure_id == wanted.disclosure_id, f"entry {entry.index} for {request}")
            recorded = protos.microseconds(entry.entry.recorded_at)
            if wanted.HasField("recorded_from"):
                demand(protos.microseconds(wanted.recorded_from) <= recorded < protos.microseconds(wanted.recorded_until),
                       f"the time of entry {entry.index} for {request}")
    return check


def check_report(request, raw):
    report = protos.audit.GetSubjectReportResponse.FromString(raw)
    # More, when a booking of the load's was theirs too.
    demand(sum(len(recipient.disclosures) for recipient in report.recipients) >= 2, f"the report of {request}")


def check_proof(answer):
    def check(request, raw):
        demand(answer.FromString(raw).hashes, f"the proof of {request}")
    return check


LISTINGS = (
    ("everything", PAGE, {}),
    ("a subject's", 2, {"subject_id": lambda targets: targets.draw.choice(targets.subjects)}),
    ("a booking's", 5, {"booking_id": lambda targets: targets.draw.choice(targets.bookings)}),
    ("a disclosure's", 5, {"disclosure_id": lambda targets: targets.draw.choice(targets.disclosures)}),
    ("a big recipient's", PAGE, {"recipient_id": lambda targets: targets.draw.choice(targets.recipients)}),
    ("a kind's", PAGE, {"kinds": [KIND("ENTRY_KIND_DELIVERED")]}),
    ("a rare kind's", 100, {"kinds": [KIND("ENTRY_KIND_REFUSED")]}),
    ("the rarest kind's", 1, {"kinds": [KIND("ENTRY_KIND_POLICY_ACTIVATED")]}),
    ("an hour's", 0, {"window": window(history.HOUR)}),
    ("a kind's in an hour", 0, {"kinds": [KIND("ENTRY_KIND_ACKNOWLEDGED")], "window": window(history.HOUR)}),
    ("a rare kind's in a day", 0, {"kinds": [KIND("ENTRY_KIND_REFUSED")], "window": window(history.DAY)}),
    ("a recipient's kind in a day", 0, {"recipient_id": recipient_id(0), "kinds": [KIND("ENTRY_KIND_EXPIRED")], "window": window(history.DAY)}),
    ("nobody's", 0, {"subject_id": "nobody"}),
)


def questions():
    found = [
        Question("health (floor)", "/grpc.health.v1.Health/Check", lambda targets: protos.health.HealthCheckRequest(), None, 0),
        Question("checkpoint (floor)", f"{AUDIT}GetCheckpoint", lambda targets: protos.audit.GetCheckpointRequest(), None, 0),
        Question("subject report", f"{AUDIT}GetSubjectReport",
                 lambda targets: protos.audit.GetSubjectReportRequest(subject_id=targets.draw.choice(targets.subjects)), check_report, 5),
        Question("inclusion proof", f"{AUDIT}GetInclusionProof",
                 lambda targets: protos.audit.GetInclusionProofRequest(index=targets.draw.randrange(targets.size)),
                 check_proof(protos.audit.GetInclusionProofResponse), 2),
        Question("consistency proof", f"{AUDIT}GetConsistencyProof",
                 lambda targets: protos.audit.GetConsistencyProofRequest(from_size=targets.draw.randrange(1, targets.size)),
                 check_proof(protos.audit.GetConsistencyProofResponse), 2),
    ]
    for newest_first in (True, False):
        order = "newest first" if newest_first else "oldest first"
        found += [Question(f"{name}, {order}", f"{AUDIT}ListEntries", listing(newest_first, **fields), check_page(least), 5)
                  for name, least, fields in LISTINGS]
    return found


class Asker:
    """An auditor of one service. As a context."""

    def __init__(self, setting):
        values = setting.values
        read = lambda name: (setting.directory / "sandbox" / "certs" / name).read_bytes()
        self.channel = grpc.secure_channel(
            values["ADDRESS"], grpc.ssl_channel_credentials(read("ca.crt"), read("auditor.key"), read("auditor.crt")),
            options=(("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)))
        self.setting, self.targets, self.methods = setting, Targets(values["PGURI"]), {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()
        self.targets.close()

    def cpu(self):
        """Seconds, of the daemon and PostgreSQL."""
        return sum(self.setting.cpu().values())

    def half_a_tile(self, filler):
        """Goes on, an entry a question, until half a tile is behind the last full one, as on average; signed. Otherwise a proof's time would
        tell where the ledger happens to end, and not how large it is."""
        for _ in range((TILE // 2 - int(self.setting.psql("-c", "SELECT size FROM needtoknow.head"))) % TILE):
            self.ask(filler)
        self.setting.wait_published()

    def ask(self, question):
        """Milliseconds until the answer's bytes are here: decoding them is the client's own affair."""
        if question.method not in self.methods:
            self.methods[question.method] = self.channel.unary_unary(
                question.method, lambda message: message.SerializeToString(), lambda raw: raw)
        request = question.make(self.targets)
        started = time.perf_counter()
        raw = self.methods[question.method](request, timeout=60)
        taken = (time.perf_counter() - started) * 1e3
        if question.check:
            question.check(request, raw)
        return taken


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def ask_all(askers, calls, say):
    """{question: {size's name: {p50, p99} | {refused}}}; calls of the askers take turns, so that the machine is the same to each."""
    record, all_questions = {}, questions()
    filler = next(question for question in all_questions if question.name.startswith("nobody's"))
    for question in all_questions:
        try:
            for asker in askers.values():
                if question.name.endswith("proof"):
                    asker.half_a_tile(filler)
                for _ in range(10):
                    asker.ask(question)
            taken = {name: [] for name in askers}
            before = {name: asker.cpu() for name, asker in askers.items()}
            for _ in range(calls):
                for name, asker in askers.items():
                    taken[name].append(asker.ask(question))
        except grpc.RpcError as error:
            record[question.name] = {"limit": question.limit, "refused": f"{error.code().name}: {error.details()}"}
            say(f"{question.name}: {record[question.name]['refused']}")
            continue
        record[question.name] = {"limit": question.limit} | {
            name: {"p50": quantile(values, 0.5), "p99": quantile(values, 0.99), "cpu": (askers[name].cpu() - before[name]) * 1e3 / calls}
            for name, values in taken.items()}
        say(f"{question.name:<40}" + "   ".join(
            f"{name} p50 {values['p50']:.2f} p99 {values['p99']:.2f} ms, {values['cpu']:.2f} ms of CPU"
            for name, values in record[question.name].items() if name != "limit"))
    return record
