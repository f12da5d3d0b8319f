"""
What stops the start: P7, there is no plain mode; P2, whatever is unknown, missing, misspelt or empty shares nothing. Each ends
at once with one clear line, and a daemon that runs keeps what it has.
"""

import os
import re
import shutil
import socket
import subprocess

import pytest

from needtoknow_testing.waiting import until


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Installation:
    """A copy of the sandbox's configuration, certificates and policy, on a port of its own, to be spoilt."""

    def __init__(self, world, directory):
        self.sandbox = world.sandbox
        self.directory = directory
        shutil.copytree(self.sandbox.certs, directory / "certs")
        shutil.copyfile(self.sandbox.config.parent / "ledger.key", directory / "ledger.key")
        self.policy = directory / "policy.yaml"
        shutil.copyfile(self.sandbox.config.parent / "policy.yaml", self.policy)
        self.config = directory / "needtoknowd.yaml"
        self.port = free_port()
        text = self.sandbox.config.read_text()
        text = re.sub(r"(?m)^listen:.*$", f"listen: 127.0.0.1:{self.port}", text)
        text = re.sub(r"(?m)^metrics_listen:.*$", f"metrics_listen: 127.0.0.1:{free_port()}", text)
        text = re.sub(r"(?m)^state_dir:.*$", f"state_dir: {directory}", text)
        self.config.write_text(text)
        self.give()

    def give(self):
        """All of it to the daemon's account."""
        for path in [self.directory, *self.directory.rglob("*")]:
            os.chown(path, self.sandbox.user, self.sandbox.group)
            if path.suffix == ".key":
                path.chmod(0o600)

    def edit(self, path, old, new):
        text = path.read_text()
        assert old in text, f"{old!r} is not in {path}"
        path.write_text(text.replace(old, new, 1))

    def run(self, *arguments, timeout=30):
        """The program with these arguments, until it ends by itself: (status, what it said)."""
        done = subprocess.run(
            [self.sandbox.binary, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
            cwd=self.directory, user=self.sandbox.user, group=self.sandbox.group, extra_groups=[])
        return done.returncode, done.stdout

    def does_not_start(self, *hints):
        """`run` and `check` both end, without a listening socket, naming each hint in a line."""
        for command in ("run", "check"):
            try:
                status, said = self.run(command, "--config", str(self.config))
            except subprocess.TimeoutExpired as error:
                raise AssertionError(f"{command} goes on: {error.stdout}") from None
            assert status not in (0, None) and status > 0, f"{command}: {status} {said}"
            assert "Sanitizer" not in said, said
            for hint in hints:
                assert re.search(hint, said), f"{command} does not say {hint!r}: {said}"
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", self.port)) != 0


@pytest.fixture
def installation(world, tmp_path):
    # Every directory above must let the daemon's account through.
    for parent in tmp_path.parents:
        if parent.is_relative_to("/tmp") and str(parent) != "/tmp":
            parent.chmod(parent.stat().st_mode | 0o755)
    return Installation(world, tmp_path)


def test_the_copy_itself_is_in_order(installation):
    """So that the others are refused for what was spoilt alone."""
    status, said = installation.run("check", "--config", str(installation.config))
    assert status == 0, said
    process = subprocess.Popen([installation.sandbox.binary, "run", "--config", str(installation.config)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=installation.directory,
                               user=installation.sandbox.user, group=installation.sandbox.group, extra_groups=[])
    try:
        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", installation.port)) == 0
        until(listens, 20, "a listening socket")
    finally:
        process.terminate()
        assert process.wait(30) == 0


@pytest.mark.parametrize("name", ["server.crt", "server.key", "ca.crt"])
def test_p7_a_missing_file_stops_the_start(installation, name):
    (installation.directory / "certs" / name).unlink()
    installation.does_not_start(re.escape(name))


@pytest.mark.parametrize("name", ["server.crt", "server.key", "ca.crt"])
def test_p7_an_unreadable_file_stops_the_start(installation, name):
    path = installation.directory / "certs" / name
    os.chown(path, 0, 0)
    path.chmod(0o600)
    installation.does_not_start(re.escape(name))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_p7_a_key_that_others_may_read_or_write_stops_the_start(installation, mode):
    (installation.directory / "certs" / "server.key").chmod(mode)
    installation.does_not_start(r"server\.key")


@pytest.mark.parametrize("name", ["server.crt", "server.key", "ca.crt"])
@pytest.mark.parametrize("content", ["", "nonsense\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
                         ids=["empty", "nonsense", "broken"])
def test_p7_a_file_that_holds_nothing_stops_the_start(installation, name, content):
    (installation.directory / "certs" / name).write_text(content)
    installation.does_not_start(re.escape(name))


def test_p7_a_key_of_another_certificate_stops_the_start(installation):
    shutil.copyfile(installation.directory / "certs" / "booking.key", installation.directory / "certs" / "server.key")
    installation.does_not_start(r"server\.(key|crt)")


@pytest.mark.parametrize("key", ["listen", "trust_domain", "tls", "database", "policy", "  certificate", "  key", "  client_ca",
                                 "  state", "  source", "state_dir", "ledger", "  signing_keys"])
def test_a_configuration_without_a_needed_key_stops_the_start(installation, key):
    lines, skip = [], False
    for line in installation.config.read_text().splitlines():
        mine = line.startswith(f"{key}:")
        skip = mine or (skip and not key.startswith(" ") and line.startswith(" "))
        if not skip:
            lines.append(line)
    installation.config.write_text("\n".join(lines) + "\n")
    installation.does_not_start(key.strip())


@pytest.mark.parametrize("old,new,hint", [
    ("workers:", "workrs:", "workers"),
    ("trust_domain:", "trust_domian:", "trust_domain"),
    ("log_level: info", "log_level: loud", "loud"),
    ("workers: 1", "workers: 0", "workers|0"),
    ("workers: 1", "workers: many", "many"),
    ("strict_privileges: true", "strict_privileges: perhaps", "perhaps"),
    ("client_ca:", "plain: true\n  client_ca:", "plain"),
    ("listen: 127.0.0.1", "listen: nowhere", "nowhere|listen"),
])
def test_a_configuration_that_is_not_understood_stops_the_start(installation, old, new, hint):
    installation.edit(installation.config, old, new)
    installation.does_not_start(hint, r"needtoknowd\.yaml:\d+:\d+")


@pytest.mark.parametrize("spoil,hint", [
    (lambda key: key.unlink(), r"ledger\.key cannot be read: No such file"),
    (lambda key: key.chmod(0o640), r"ledger\.key can be read or written by others"),
    (lambda key: key.write_text(""), r"ledger\.key is not a signing key"),
    (lambda key: key.write_text(key.read_text().replace("needtoknow+", "needtoknow/other+")), r"ledger\.key is not a signing key"),
], ids=["missing", "readable by others", "empty", "renamed"])
def test_p5_a_ledger_key_that_cannot_be_trusted_stops_the_start(installation, spoil, hint):
    """There is no unsigned mode."""
    spoil(installation.directory / "ledger.key")
    installation.does_not_start(hint, r"needtoknowd\.yaml:\d+:\d+")


def test_metrics_on_a_public_address_stop_the_start(installation):
    text = re.sub(r"(?m)^metrics_listen:.*$", "metrics_listen: 0.0.0.0:1", installation.config.read_text())
    installation.config.write_text(text)
    installation.does_not_start("metrics_listen|loopback")


VISIT = "fields: [client.given_name, client.home_address, booking.instructions]"
# What the nearest rival takes and shares the whole profile for, or reads as 31 days.
POLICIES = {
    "a misspelt field": (VISIT, "fields: [client.given_nam, client.home_address]", r"given_nam"),
    "a misspelt source": (VISIT, "fields: [cleint.given_name]", r"cleint"),
    "an empty field list": (VISIT, "fields: []", r"fields"),
    "no field list": (", " + VISIT, "", r"fields"),
    "a field list that is null": (VISIT, "fields:", r"fields"),
    "a field list that is a star": (VISIT, "fields: ['*']", r"\*"),
    "a field that is all of a source": (VISIT, "fields: [client]", r"client"),
    "a field twice": (VISIT, "fields: [client.given_name, client.given_name]", r"given_name"),
    "a misspelt key": ("    max_duration: 30d", "    max_durration: 30d", r"max_durration"),
    "the duration 1y6": ("    max_duration: 30d", "    max_duration: 1y6", r"1y6"),
    "the duration abc": ("    max_duration: 30d", "    max_duration: abc", r"abc"),
    "the duration 30": ("    max_duration: 30d", "    max_duration: 30", r"30"),
    "the duration 1M": ("    max_duration: 30d", "    max_duration: 1M", r"1M"),
    "the duration -1d": ("    max_duration: 30d", "    max_duration: -1d", r"-1d"),
    "an empty duration": ("    max_duration: 30d", "    max_duration:", r"max_duration"),
    "a moment that is none": ("at: start-24h", "at: begin-24h", r"begin"),
    "an expiry that is none": ("    expires: end+2h", "    expires: never", r"never"),
    "no expiry": ("    expires: end+2h\n", "", r"expires"),
    "a legal basis that is none": ("legal_basis: contract ", "legal_basis: because ", r"because"),
    "recipients that are none": ("recipients: provider ", "recipients: everyone ", r"everyone"),
    "a view that is not there": ("view: share.client,", "view: share.cleint,", r"cleint"),
    "a key that is not there": ("key: subject_id }", "key: subject_nr }", r"subject_nr"),
    "a column that may not be read": (VISIT, "fields: [client.iban]", r"iban"),
    "a consent that is no boolean": ("requires: client.newsletter_consent", "requires: client.email", r"email"),
    "no version": ("version: 1\n", "", r"version"),
    "another version": ("version: 1\n", "version: 2\n", r"version|2"),
    "a service twice": ("  newsletter:\n", "  gardening:\n", r"gardening"),
    "a tab": ("    max_duration: 30d", "\tmax_duration: 30d", r":\d+:\d+"),
}


@pytest.mark.parametrize("what", POLICIES)
def test_p2_a_policy_that_is_not_wholly_understood_shares_nothing(installation, what):
    old, new, hint = POLICIES[what]
    installation.edit(installation.policy, old, new)
    # What only the database knows (a column, a view, a right) has no line.
    known_to_the_database = ("a misspelt field", "a column that may not be read", "a view that is not there",
                             "a key that is not there", "a consent that is no boolean")
    installation.does_not_start(hint, r"policy\.yaml" if what in known_to_the_database else r"policy\.yaml:\d+")


@pytest.mark.parametrize("content", ["", "\n", "{}", "[]", "null", "- 1", "services: {}", "\x00", "version: 1\nservices: &a {x: *a}\n",
                                     "\xff\xfe"], ids=repr)
def test_p2_a_file_that_is_no_policy_shares_nothing(installation, content):
    installation.policy.write_bytes(content.encode("latin-1"))
    installation.does_not_start(r"policy\.yaml")


def test_p2_a_policy_that_is_missing_shares_nothing(installation):
    installation.policy.unlink()
    installation.does_not_start(r"policy\.yaml")


def test_p2_rights_beyond_the_policys_stop_the_start(installation, world):
    """strict_privileges: a role that could read more than the policy names is not used."""
    world.sandbox.query("GRANT SELECT (iban) ON share.client TO needtoknow_source")
    try:
        installation.does_not_start("iban")
    finally:
        world.sandbox.query("REVOKE SELECT (iban) ON share.client FROM needtoknow_source")


def test_check_says_that_the_connection_for_clients_rights_does_not_answer(installation, world):
    world.sandbox.query("ALTER ROLE needtoknow_rights NOLOGIN")
    try:
        status, said = installation.run("check", "--config", str(installation.config))
    finally:
        world.sandbox.query("ALTER ROLE needtoknow_rights LOGIN")
    assert status == 3 and re.search("database.rights: .*needtoknow_rights", said), said
    status, said = installation.run("check", "--config", str(installation.config))
    assert status == 0, said


def test_without_the_migrations_nothing_starts(installation, world):
    """A database that is not ours: said, not created."""
    world.sandbox.query("CREATE DATABASE empty")
    try:
        installation.config.write_text(installation.config.read_text().replace("/company?", "/empty?"))
        installation.does_not_start("needtoknow|migrat")
    finally:
        world.sandbox.query("DROP DATABASE empty WITH (FORCE)")


def test_migrations_are_safe_to_repeat_and_refuse_a_newer_schema(installation, world):
    dsn = re.sub(r"user=postgres", "user=needtoknow_owner", world.sandbox.pguri)
    before = world.sandbox.query("SELECT count(*), max(oid::int) FROM pg_class WHERE relnamespace = 'needtoknow'::regnamespace")
    for _ in range(2):
        status, said = installation.run("migrate", "--dsn", dsn)
        assert status == 0, said
    assert world.sandbox.query(
        "SELECT count(*), max(oid::int) FROM pg_class WHERE relnamespace = 'needtoknow'::regnamespace") == before


@pytest.mark.parametrize("arguments", [[], ["run"], ["run", "--config"], ["run", "--config", "/nowhere"], ["rum"], ["check", "--x"],
                                       ["migrate"], ["migrate", "--dsn", "host=/nowhere"]], ids=" ".join)
def test_a_command_line_that_is_wrong_says_so(installation, arguments):
    status, said = installation.run(*arguments)
    assert status > 0 and said.strip() and "Sanitizer" not in said, said


def test_help_is_there(installation):
    status, said = installation.run("--help")
    assert status == 0 and all(word in said for word in ("run", "check", "migrate"))
