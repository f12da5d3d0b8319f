"""The schema's owner: maintenance, and databases with our schema and no daemon, in which a test writes what it likes."""

import hashlib
import re
import struct
import subprocess

import psycopg2

from . import protos
from .client import unique
from .merkle import leaf_hash
from .paths import POLICY

PARTITION = 67_108_864  # entries, src/pure/retention.h
TILE = 256


def owners_uri(uri, role="needtoknow_owner"):
    return re.sub(r"user=\w+", f"user={role}", uri)


def maintain(sandbox, *flags, uri=None, role="needtoknow_owner", environment=None, check=True):
    """Runs `needtoknowd maintain` with the sandbox's program; what came of it."""
    command = [sandbox.directory / "bin" / "needtoknowd", "maintain", "--dsn", owners_uri(uri or sandbox.pguri, role), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert not check or done.returncode == 0, done.stderr
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    return done


class Scratch:
    """A database with the schema alone. Its ledger holds whatever bodies the test likes; nobody signs it."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.name = unique("scratch").replace("-", "_")
        self.uri = sandbox.pguri.replace("/company?", f"/{self.name}?")
        sandbox.query(f"CREATE DATABASE {self.name} OWNER needtoknow_owner")
        subprocess.run([sandbox.directory / "bin" / "needtoknowd", "migrate", "--dsn", owners_uri(self.uri)], check=True,
                       capture_output=True, timeout=60)
        self.connection = psycopg2.connect(self.uri)
        self.connection.autocommit = True

    def close(self):
        self.connection.close()
        self.sandbox.query(f"DROP DATABASE {self.name} WITH (FORCE)")

    def query(self, sql, *parameters, role=None):
        """As the superuser, or as another role."""
        with self.connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {role}" if role else "RESET ROLE")
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, sql, *parameters, role=None):
        return self.query(sql, *parameters, role=role)[0][0]

    def maintain(self, *flags, **keywords):
        return maintain(self.sandbox, *flags, uri=self.uri, **keywords)

    def rows(self):
        """[(first_index, count)] but for PRUNED ones"""
        return self.query("SELECT first_index, count FROM needtoknow.ledger WHERE kinds <> 1 << 24 ORDER BY first_index")

    def partitions(self):
        """[(begins, ends)]"""
        return self.query("SELECT begins, ends FROM needtoknow.ledger_partition ORDER BY begins")

    def append(self, count, first=None, age="0 s", recipient=None, kind=1):
        """A packed row as a train writes it; the head goes with it. Its first index."""
        first = self.value("SELECT size FROM needtoknow.head") if first is None else first
        bodies = [protos.ledger.LedgerEntry(kind=kind, actor="system", recipient_id=recipient or "", device=str(first + at)).SerializeToString()
                  for at in range(count)]
        packed = b"".join(struct.pack(">H", len(body)) + body for body in bodies)
        self.query("INSERT INTO needtoknow.ledger (first_index, count, recorded_at, kinds, train_id, bodies)"
                   " VALUES (%s, %s, clock_timestamp() - %s::interval, 1::bigint << %s, %s, %s)", first, count, age, kind, b"\0" * 16, packed)
        if recipient:
            self.query("INSERT INTO needtoknow.recipient_slice (recipient_id, first_index) VALUES (%s, %s)", recipient, first)
        self.query("UPDATE needtoknow.head SET size = %s", first + count)
        self.leaves = getattr(self, "leaves", []) + [leaf_hash(body) for body in bodies]
        return first

    def prune(self, until):
        """As the daemon does, and the signer after it."""
        index = self.append(1, kind=24)
        self.query("INSERT INTO needtoknow.pruned VALUES (%s, %s, clock_timestamp())", until, index)
        self.checkpoint(index + 1)

    def checkpoint(self, size, age="0 s"):
        self.query("INSERT INTO needtoknow.checkpoint VALUES (%s, decode(repeat('00', 32), 'hex'), '', clock_timestamp() - %s::interval)",
                   size, age)

    def policy(self, disclosures="1y"):
        text = POLICY.read_text().replace("disclosures: 1y", f"disclosures: {disclosures}")
        number = self.value("SELECT count(*) + 1 FROM needtoknow.policy")
        self.query("INSERT INTO needtoknow.policy VALUES (%s, %s, %s)", number, hashlib.sha256(text.encode()).digest(), text)
        self.query("INSERT INTO needtoknow.policy_activation VALUES (%s, %s, clock_timestamp(), 'system')", number, number)

    def disclosure(self, shared, ended=None, subject="C1", booking="B1", recipient="sparkle"):
        """Its id. Active unless it ended with an entry."""
        return self.value(
            "INSERT INTO needtoknow.disclosure VALUES (gen_random_uuid(), %s, %s, %s, 'home-cleaning', 1, %s, 0, now(), now(), now(), now(),"
            " decode(repeat('00', 16), 'hex'), %s, %s) RETURNING disclosure_id::text",
            subject, booking, recipient, 1 if ended is None else 3, shared, ended)

    def withdrawal(self, disclosure_id, index, confirmed=None, retained_until=None):
        self.query("INSERT INTO needtoknow.withdrawal (disclosure_id, device, recipient_id, cause, recorded_at, delete_by, ledger_index,"
                   " leaf_hash, confirmed_index, retained_until) VALUES (%s, '', 'sparkle', 1, now(), now(), %s, '', %s, now() + %s::interval)",
                   disclosure_id, index, confirmed, retained_until)

    def reference(self, index, disclosure_id=None, subject="C1", booking="B1", remark="au téléphone"):
        self.query("INSERT INTO needtoknow.entry_reference VALUES (%s, %s, %s, %s, 'sparkle', %s)",
                   index, disclosure_id, subject, booking, remark)
