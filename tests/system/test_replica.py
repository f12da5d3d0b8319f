"""Auditors read from a replica, which may lag; that they did is recorded on the primary."""

import pwd
import subprocess
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.client import unique
from needtoknow_testing.paths import POSTGRES_BIN
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

audit_pb2 = protos.audit


class Standby:
    """A physical streaming replica of a sandbox's PostgreSQL, in the sandbox's directory."""

    def __init__(self, sandbox):
        self.data, self.socket = sandbox.directory / "standby", sandbox.directory / "standby-socket"
        self.log_path = sandbox.directory / "standby.log"
        self.owner = pwd.getpwuid(sandbox.pgdata.stat().st_uid)
        subprocess.run(["install", "-d", "-m", "0700", "-o", self.owner.pw_name, str(self.data), str(self.socket)], check=True)
        self._run("pg_basebackup", "-h", str(sandbox.directory / "socket"), "-U", "postgres", "-D", str(self.data), "-R", "-c", "fast")
        self.uri = sandbox.pguri.replace(f"host={sandbox.directory}/socket", f"host={self.socket}")
        assert self.uri != sandbox.pguri
        self.start()

    def _run(self, program, *arguments):
        subprocess.run(["runuser", "-u", self.owner.pw_name, "--", str(POSTGRES_BIN / program), *arguments], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", timeout=120)

    def start(self):
        self.log_path.touch()
        self.log_path.chmod(0o666)
        self._run("pg_ctl", "start", "-w", "-D", str(self.data), "-l", str(self.log_path), "-o",
                  f"-c unix_socket_directories={self.socket} -c log_statement=all -c cluster_name=standby")

    def stop(self):
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.data))

    def query(self, sql):
        connection = psycopg2.connect(self.uri)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql)
            rows = cursor.fetchall()
        connection.close()
        return rows

    def log(self):
        return self.log_path.read_text(errors="replace")


@pytest.fixture(scope="module")
def replicated():
    """(world, standby): the daemon's database.audit names the standby."""
    world = World.up()
    standby = Standby(world.sandbox)
    text = world.sandbox.config.read_text()
    (line,) = [line for line in text.splitlines() if line.strip().startswith("audit:")]
    uri = standby.uri.replace("user=postgres", "user=needtoknow_audit")
    world.sandbox.config.write_text(text.replace(line, f'  audit: "{uri}"'))
    world.sandbox.restart()
    yield world, standby
    # The checker lists the ledger: the standby goes last.
    world.down()
    try:
        standby.stop()
    except subprocess.CalledProcessError:
        pass


def caught_up(world, standby):
    size = ledger.size(world.sandbox)
    until(lambda: standby.query("SELECT size FROM needtoknow.head")[0][0] >= size, 10, "the standby's replay")


def listed(client, **filters):
    return list(client.audit.ListEntries(audit_pb2.ListEntriesRequest(filter=audit_pb2.EntryFilter(**filters), page_size=1000),
                                         timeout=20).entries)


def streamed(client, **arguments):
    return [entry for message in client.audit.StreamEntries(audit_pb2.StreamEntriesRequest(**arguments), timeout=20)
            for entry in message.entries]


def test_auditors_read_from_the_standby_and_nowhere_else(replicated):
    world, standby = replicated
    person, recipient = world.person(), world.recipient()
    disclosure = world.share(person, recipient)
    recipient.acknowledge(*recipient.drain())
    caught_up(world, standby)
    auditor = world.auditor
    found = listed(auditor, subject_id=person.subject_id)
    kinds = [ledger.kind_name(entry.entry) for entry in found]
    assert kinds[:3] == ["SHARED", "DELIVERED", "ACKNOWLEDGED"]
    of_recipient = listed(auditor, recipient_id=recipient.recipient_id, service="at-once")
    assert [entry.index for entry in of_recipient] == [entry.index for entry in found[:3]]
    assert {entry.index for entry in found} <= {entry.index for entry in streamed(auditor)}
    report = auditor.audit.GetSubjectReport(audit_pb2.GetSubjectReportRequest(subject_id=person.subject_id), timeout=20)
    assert [each.disclosure_id for group in report.recipients for each in group.disclosures] == [disclosure.disclosure_id]
    log = standby.log()
    for statement in ("entries_of_subject", "ledger_bodies_around", "entries_of_recipient_forward", "ledger_walk_forward"):
        assert f"execute {statement}" in log, f"{statement} ran on the standby"
    where = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'needtoknow audit'"
    assert standby.query(where)[0][0] == 1 and world.sandbox.query(where)[0][0] == 0


def test_that_it_was_asked_is_recorded_on_the_primary(replicated):
    world, standby = replicated
    uri = f"spiffe://maison-claire.example/auditor/{unique('a')}"
    auditor = world.client_of(uri)
    standby.query("SELECT pg_wal_replay_pause()")
    try:
        listed(auditor, service="staged")
        streamed(auditor)
        mine = [ledger.kind_name(entry) for _, entry in ledger.entries(world.sandbox) if entry.actor == uri]
        assert mine == ["AUDITED", "AUDITED"]
    finally:
        standby.query("SELECT pg_wal_replay_resume()")


def test_a_standby_that_lags_answers_what_it_has(replicated):
    world, standby = replicated
    recipient = world.recipient()
    world.share(world.person(), recipient)
    caught_up(world, standby)
    standby.query("SELECT pg_wal_replay_pause()")
    try:
        until(lambda: standby.query("SELECT pg_get_wal_replay_pause_state()")[0][0] == "paused", 10, "the pause")
        size = ledger.size(world.sandbox)
        world.share(world.person(), recipient)
        shared = lambda: [entry for entry in listed(world.auditor, recipient_id=recipient.recipient_id)
                          if ledger.kind_name(entry.entry) == "SHARED"]
        assert len(shared()) == 1 and shared()[0].index < size
        found = streamed(world.auditor)
        assert [entry.index for entry in found] == list(range(len(found))) and len(found) <= size
        follower = world.auditor.audit.StreamEntries(audit_pb2.StreamEntriesRequest(from_index=size, follow=True), timeout=20)
        standby.query("SELECT pg_wal_replay_resume()")
        # Nothing tells us that the standby has moved: it is looked at once a second.
        first = next(follower)
        assert first.entries[0].index == size
        follower.cancel()
    finally:
        standby.query("SELECT pg_wal_replay_resume()")
    until(lambda: len(shared()) == 2, 10, "the second")


def test_a_standby_that_is_down_stops_auditors_alone(replicated):
    world, standby = replicated
    recipient = world.recipient()
    standby.stop()
    try:
        audit = world.auditor.audit
        questions = (
                (audit.ListEntries, audit_pb2.ListEntriesRequest()),
                (lambda *a, **k: list(audit.StreamEntries(*a, **k)), audit_pb2.StreamEntriesRequest()),
                (audit.GetSubjectReport, audit_pb2.GetSubjectReportRequest(subject_id="somebody")),
                (audit.GetExposure, audit_pb2.GetExposureRequest(recipient_id=recipient.recipient_id)),
                (audit.GetRegister, audit_pb2.GetRegisterRequest()),
                (audit.ListOverdueDeletions, audit_pb2.ListOverdueDeletionsRequest()),
                (audit.GetInclusionProof, audit_pb2.GetInclusionProofRequest()),
                (audit.GetConsistencyProof, audit_pb2.GetConsistencyProofRequest(from_size=1)))
        with ThreadPoolExecutor(len(questions)) as pool:  # each is kept waiting a moment for the standby to come back
            asked = [pool.submit(method, request, timeout=20) for method, request in questions]
        for answer in asked:
            with refused("UNAVAILABLE", "DATABASE_UNAVAILABLE"):
                answer.result()
        disclosure = world.share(world.person(), recipient)
        assert [delivery.disclosure_id for delivery in recipient.drain()] == [disclosure.disclosure_id]
    finally:
        standby.start()

    def answers():
        try:
            return listed(world.auditor)
        except Exception:  # not back yet
            return None
    assert until(answers, 20, "the standby again")
