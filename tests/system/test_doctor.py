"""`needtoknowd doctor`: each thing that an operator can get wrong, broken in turn: the line, what mends it, and the exit code."""

import json
import re
import socket
import subprocess
from contextlib import contextmanager

import pytest

from needtoknow_testing import ledger
from needtoknow_testing.checkpoint import append, wait_signed
from needtoknow_testing.sandbox import Sandbox
from needtoknow_testing.waiting import until

OK, WRONG, UNANSWERED = 0, 1, 3


class Patient:
    """A sandbox that is broken and mended, and the doctor's words about it."""

    def __init__(self, sandbox):
        self.sandbox = sandbox

    def run(self, *flags, config=None, code=None, text=False):
        """Findings; the doctor is run as the daemon's user, as it must be."""
        sandbox = self.sandbox
        command = [sandbox.directory / "bin" / "needtoknowd", "doctor", "--config", str(config or sandbox.config), *flags]
        done = subprocess.run(command + ([] if text else ["--json"]), capture_output=True, text=True, timeout=60, cwd="/",
                              user=sandbox.user, group=sandbox.group, extra_groups=[], env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"})
        assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
        assert done.stderr == ""
        assert code is None or done.returncode == code, f"{done.returncode}: {done.stdout}"
        return done.stdout if text else [json.loads(line) for line in done.stdout.splitlines()]

    def finds(self, status, about, words, mend, code=WRONG, **keywords):
        """Exactly one finding that is not in order has these words: it, whose remedy this is."""
        findings = self.run(code=code, **keywords)
        found = [each for each in findings if each["about"] == about and re.search(words, each["finding"])]
        assert len(found) == 1, findings
        assert found[0]["status"] == status, found
        assert re.search(mend, found[0]["mend"] or ""), found
        return found[0], [each for each in findings if each["status"] in ("wrong", "unknown") and each is not found[0]]

    @contextmanager
    def changed(self, sql, undo):
        self.sandbox.query(sql)
        try:
            yield
        finally:
            self.sandbox.query(undo)

    def rewritten(self, old, new):
        """Another configuration, beside the files of the first."""
        text = self.sandbox.config.read_text()
        assert old in text
        path = self.sandbox.directory / "changed.yaml"
        path.write_text(text.replace(old, new))
        return path

    def mend(self, finding):
        """Runs what the doctor said."""
        environment = {"PATH": f"{self.sandbox.directory}/bin:/usr/bin:/bin"}
        done = subprocess.run(["sh", "-ec", finding["mend"]], capture_output=True, text=True, timeout=60, env=environment)
        assert done.returncode == 0, f"{finding['mend']}: {done.stderr}"


@pytest.fixture(scope="module")
def patient():
    sandbox = Sandbox.up(clients=50)
    patient = Patient(sandbox)
    until(lambda: (sandbox.directory / "state" / "checkpoint").exists(), 20, "the first checkpoint in state_dir")
    yield patient
    sandbox.down()


@pytest.fixture(autouse=True)
def well(patient):
    """What one test broke, it mended."""
    yield
    findings = patient.run(code=OK)
    assert {each["status"] for each in findings} <= {"ok", "warning"}


def test_what_is_in_order_is_told_line_by_line(patient):
    findings = patient.run(code=OK)
    assert {each["status"] for each in findings} <= {"ok", "warning"}
    assert all(set(each) == {"status", "about", "finding", "mend", "details"} for each in findings)
    assert {each["about"] for each in findings} == {
        "configuration", "policy", "tls", "ledger", "state_dir", "database.state", "database.source", "database.rights",
        "database.audit", "retention",
        "listen", "metrics_listen"}
    said = "\n".join(each["finding"] for each in findings)
    for words in (r"expires in 89 days; for DNS:localhost", r"SHA-256 [0-9a-f]{64} is in force since", r"schema needtoknow is at version \d",
                  r"share\.client is looked up by subject_id, cost \d", r"it goes on from the checkpoint of \d+ entries in state_dir",
                  r"has what the migrations grant to it, and no more", r"the daemon answers on 127\.0\.0\.1:\d+: serving"):
        assert re.search(words, said), words
    assert all(each["details"] is None for each in findings)


def test_room_is_made_by_the_command_that_it_gives(patient):
    finding, _ = patient.finds("warning", "ledger", "2 partitions: room for", "^needtoknowd maintain --dsn ", code=OK)
    patient.mend(finding)
    patient.finds("ok", "ledger", "[3-9] partitions: room for", "", code=OK)


def test_plans_are_shown_on_demand_and_nothing_is_coloured_but_on_a_terminal(patient):
    text = patient.run("--verbose", text=True, code=OK)
    assert "Index Scan using client_pkey on client" in text and "\033" not in text
    assert re.search(r"^ok +database\.source +share\.client is looked up by subject_id, cost ", text, re.MULTILINE)
    assert text.splitlines()[-1].endswith("0 unknown, 0 wrong")
    plans = [each["details"] for each in patient.run("--verbose", code=OK) if each["details"]]
    assert len(plans) == 2 and all("Index Cond: " in plan for plan in plans)


def test_no_secret_and_nothing_of_a_clients_is_printed(patient):
    config = patient.rewritten("needtoknow_source\"", "needtoknow_source&password=never-to-be-shown\"")
    text = patient.run("--verbose", config=config, text=True)
    key = (patient.sandbox.directory / "ledger.key").read_text().strip()
    assert "never-to-be-shown" not in text and "PRIVATE" not in text and key.split("+", 4)[-1] not in text
    for value, in patient.sandbox.query("SELECT family_name FROM company.client WHERE length(family_name) > 5 LIMIT 20"):
        assert value not in text


def test_it_changes_nothing(patient):
    before = (ledger.size(patient.sandbox), sorted(path.name for path in (patient.sandbox.directory / "state").iterdir()))
    patient.run(code=OK)
    assert (ledger.size(patient.sandbox), sorted(path.name for path in (patient.sandbox.directory / "state").iterdir())) == before


def test_a_configuration_that_is_not_understood(patient):
    config = patient.rewritten("trust_domain:", "trust_domian:")
    patient.finds("wrong", "configuration", "trust_domian.*did you mean `trust_domain`", "needtoknowd check --offline", config=config)


# ---- files


def test_a_policy_file_that_is_no_policy(patient):
    path = patient.sandbox.directory / "broken.yaml"
    path.write_text("version: 1\nsubjekts: client\n")
    config = patient.rewritten("policy: policy.yaml", "policy: broken.yaml")
    patient.finds("wrong", "policy", r"broken\.yaml:\d+:\d+: ", "needtoknow policy check .*broken.yaml", config=config)


def test_a_policy_file_that_is_not_the_one_in_force(patient):
    path = patient.sandbox.directory / "other.yaml"
    path.write_text((patient.sandbox.directory / "policy.yaml").read_text() + "\n# changed\n")
    config = patient.rewritten("policy: policy.yaml", "policy: other.yaml")
    _, rest = patient.finds("wrong", "policy", r"by system, is another one, SHA-256 [0-9a-f]{64}; .*never was in force",
                            "needtoknow policy reload .*other.yaml --approved-by", config=config)
    assert not rest


@pytest.mark.parametrize("days, status, code", [(40, "ok", OK), (20, "warning", OK), (3, "wrong", WRONG)])
def test_a_certificate_about_to_expire(patient, days, status, code):
    certs = patient.sandbox.certs
    subprocess.run(["openssl", "req", "-x509", "-key", str(certs / "server.key"), "-subj", "/CN=short", "-days", str(days), "-addext",
                    "subjectAltName=DNS:short.example", "-out", str(certs / "short.crt")], check=True, capture_output=True)
    config = patient.rewritten("certificate: certs/server.crt", "certificate: certs/short.crt")
    mend = "" if status == "ok" else "put a new certificate into .*short.crt.*systemctl reload needtoknowd"
    words = rf"short expires in ({days - 1}|{days}) days; for DNS:short\.example"
    _, rest = patient.finds(status, "tls", words, mend, code=code, config=config)
    assert not rest


def test_a_certificate_without_a_name(patient):
    certs = patient.sandbox.certs
    subprocess.run(["openssl", "req", "-x509", "-key", str(certs / "server.key"), "-subj", "/CN=nameless", "-days", "80",
                    "-out", str(certs / "nameless.crt")], check=True, capture_output=True)
    config = patient.rewritten("certificate: certs/server.crt", "certificate: certs/nameless.crt")
    patient.finds("wrong", "tls", "nameless has no subject alternative name", "put a new certificate", config=config)


def test_a_key_of_another_certificate(patient):
    config = patient.rewritten("certificate: certs/server.crt", "certificate: certs/ca.crt")
    findings = patient.run(config=config, code=WRONG)
    assert any(each["status"] == "wrong" and each["about"] == "tls" and each["mend"] for each in findings)


def test_a_state_dir_that_cannot_be_written_to_or_that_others_write_to(patient):
    state = patient.sandbox.directory / "state"
    for mode, about, words, mend in ((0o500, "configuration", "`state_dir`: .* cannot be written to", "as the daemon's user"),
                                     (0o722, "state_dir", "others than its owner", "chmod 0700")):
        if mode == 0o500 and patient.sandbox.user == 0:
            continue  # nothing is closed to root
        state.chmod(mode)
        try:
            patient.finds("wrong", about, words, mend)
        finally:
            state.chmod(0o700)


# ---- roles and rights


def test_a_missing_grant_is_named_and_mended(patient):
    patient.sandbox.query("REVOKE DELETE ON needtoknow.due FROM needtoknow_state")
    finding, rest = patient.finds("wrong", "database.state", "role needtoknow_state lacks DELETE on needtoknow.due",
                                  r"^psql 'host=.* user=needtoknow_owner' -c 'GRANT DELETE ON needtoknow.due TO \"needtoknow_state\"'$")
    assert not rest
    patient.mend(finding)


@pytest.mark.parametrize("about, grant, undo, words", [
    ("database.state", "GRANT DELETE ON needtoknow.ledger TO needtoknow_state", None, "has DELETE on needtoknow.ledger"),
    ("database.state", "GRANT SELECT (iban) ON company.client TO needtoknow_state; GRANT USAGE ON SCHEMA company TO needtoknow_state",
     "REVOKE USAGE ON SCHEMA company FROM needtoknow_state", r"has SELECT \(iban\) on company.client"),
    ("database.audit", "GRANT INSERT ON needtoknow.checkpoint TO needtoknow_audit", None, "has INSERT on needtoknow.checkpoint"),
    ("database.audit", "GRANT EXECUTE ON FUNCTION needtoknow.forget(text) TO needtoknow_audit", None,
     "has EXECUTE on FUNCTION needtoknow.forget"),
    ("database.source", "GRANT UPDATE ON share.booking TO needtoknow_source", None, "has UPDATE on share.booking"),
    ("database.state", "GRANT CREATE ON SCHEMA needtoknow TO needtoknow_state", None, "has CREATE on SCHEMA needtoknow"),
    ("database.state", "GRANT UPDATE (request_digest, request_key) ON needtoknow.request TO needtoknow_state", None,
     r"has UPDATE \(request_key\) on needtoknow.request"),
])
def test_a_grant_too_many_is_named_and_mended(patient, about, grant, undo, words):
    patient.sandbox.query(grant)
    try:
        finding, rest = patient.finds("wrong", about, words, "^psql '.*' -c 'REVOKE ")
        assert not rest
        patient.mend(finding)
    finally:
        if undo:
            patient.sandbox.query(undo)


def test_a_column_that_no_policy_needs_is_named_and_mended(patient):
    patient.sandbox.query("GRANT SELECT (iban) ON share.client TO needtoknow_source")
    finding, rest = patient.finds("wrong", "database.source", r"may read what the policy does not name: share.client \(iban\)",
                                  r"REVOKE ALL ON \"share\".\"client\" FROM \"needtoknow_source\".*needtoknow policy grants")
    assert not rest
    patient.mend(finding)


@pytest.mark.parametrize("change, words, mend", [
    ("REVOKE EXECUTE ON FUNCTION share.contacts(text) FROM needtoknow_rights", r"needtoknow_rights may not execute share\.contacts\(text\)",
     "^needtoknow policy grants .* --role needtoknow_source --rights-role needtoknow_rights"),
    ("GRANT EXECUTE ON FUNCTION share.subject_record(text) TO PUBLIC", r"PUBLIC may execute share\.subject_record", "REVOKE ALL ON FUNCTION"),
    ("GRANT EXECUTE ON FUNCTION share.contacts(text) TO needtoknow_source", r"needtoknow_source may execute share\.contacts",
     "REVOKE ALL ON FUNCTION"),
    ("ALTER FUNCTION share.notice_in_force() SECURITY INVOKER", r"share\.notice_in_force\(\) has its caller's rights", "SECURITY DEFINER"),
    ("GRANT SELECT ON share.change_queue TO needtoknow_rights", "needtoknow_rights has SELECT on share.change_queue", "REVOKE SELECT"),
    ("CREATE FUNCTION share.more() RETURNS int LANGUAGE sql RETURN 1", r"needtoknow_rights may execute share\.more\(\)",
     "REVOKE ALL ON FUNCTION"),
])
def test_the_companys_functions_are_for_one_role_that_may_do_nothing_else(patient, change, words, mend):
    patient.sandbox.query(change)
    finding, rest = patient.finds("wrong", "database.rights", words, mend)
    assert not rest
    patient.mend(finding)
    patient.sandbox.query("DROP FUNCTION IF EXISTS share.more()")


def test_p2_one_role_that_reads_the_sources_and_calls_the_functions_is_not_given_the_rights_of_both(patient):
    path = patient.rewritten("user=needtoknow_rights", "user=needtoknow_source")
    _, others = patient.finds("wrong", "database.rights", "is that of database.source too", "^psql -f deploy/sql/roles.sql", config=path)
    assert not [each for each in others if "share." in each["finding"]]


def test_a_function_of_the_companys_that_is_not_there_or_takes_something_else(patient):
    with patient.changed("ALTER FUNCTION share.erase(uuid, text, text[], boolean) RENAME TO forget;"
                         "REVOKE ALL ON FUNCTION share.forget(uuid, text, text[], boolean) FROM needtoknow_rights",
                         "ALTER FUNCTION share.forget(uuid, text, text[], boolean) RENAME TO erase;"
                         "GRANT EXECUTE ON FUNCTION share.erase(uuid, text, text[], boolean) TO needtoknow_rights"):
        patient.finds("wrong", "database.rights", r"there is no function share\.erase\(uuid, text, text\[\], boolean\)", "reference.sql")


def test_without_a_connection_for_clients_rights_it_says_what_is_refused(patient):
    line = next(line for line in patient.sandbox.config.read_text().splitlines() if line.strip().startswith("rights:"))
    _, rest = patient.finds("warning", "database.rights", "it is not set", "--rights-role", code=OK,
                            config=patient.rewritten(line + "\n", ""))
    assert not rest


def test_a_change_queue_that_may_not_be_used_is_named_and_mended(patient):
    patient.sandbox.query("REVOKE DELETE ON share.change_queue FROM needtoknow_source")
    finding, rest = patient.finds("warning", "database.source", "share.change_queue: the role may not read it and remove from it",
                                  "^needtoknow policy grants .* --role needtoknow_source", code=OK)
    assert not rest
    patient.mend(finding)


def test_a_change_queue_that_is_not_there(patient):
    with patient.changed("ALTER TABLE share.change_queue RENAME TO changes; REVOKE ALL ON share.changes FROM needtoknow_source",
                         "ALTER TABLE share.changes RENAME TO change_queue;"
                         "GRANT SELECT, DELETE ON share.change_queue TO needtoknow_source"):
        patient.finds("warning", "database.source", "there is no table share.change_queue", "reference.sql", code=OK)


def test_a_column_that_may_not_be_read_is_named_and_mended(patient):
    patient.sandbox.query("REVOKE SELECT (door_code) ON share.client FROM needtoknow_source")
    finding, rest = patient.finds("wrong", "database.source", "may not read column `door_code`",
                                  "^needtoknow policy grants .* --role needtoknow_source")
    assert not rest
    patient.mend(finding)


@pytest.mark.parametrize("change, undo, words, mend", [
    ("SUPERUSER", "NOSUPERUSER", "role needtoknow_audit is a superuser", "ALTER ROLE .* NOSUPERUSER"),
    ("CREATEROLE", "NOCREATEROLE", "may make roles or databases", "NOCREATEROLE"),
])
def test_a_role_that_is_too_mighty(patient, change, undo, words, mend):
    with patient.changed(f"ALTER ROLE needtoknow_audit {change}", f"ALTER ROLE needtoknow_audit {undo}"):
        patient.finds("wrong", "database.audit", words, mend)


def test_a_role_that_owns_what_it_writes(patient):
    with patient.changed("ALTER TABLE needtoknow.due OWNER TO needtoknow_state",
                         "ALTER TABLE needtoknow.due OWNER TO needtoknow_owner;"
                         "GRANT SELECT, INSERT, UPDATE, DELETE ON needtoknow.due TO needtoknow_state"):
        patient.finds("wrong", "database.state", "role needtoknow_state is the owner of needtoknow.due", "REASSIGN OWNED BY")


def test_a_role_that_is_a_member_of_another(patient):
    with patient.changed("GRANT needtoknow_audit TO needtoknow_source", "REVOKE needtoknow_audit FROM needtoknow_source"):
        patient.finds("warning", "database.source", "is a member of needtoknow_audit", "REVOKE needtoknow_audit FROM")


# ---- the server, the schema, the views


@pytest.mark.parametrize("setting, change, undo", [
    ("synchronous_commit", "ALTER ROLE needtoknow_state SET synchronous_commit = off", "ALTER ROLE needtoknow_state RESET synchronous_commit"),
    ("full_page_writes", "ALTER SYSTEM SET full_page_writes = off", "ALTER SYSTEM RESET full_page_writes"),
    ("fsync", "ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET fsync = on"),
])
def test_a_server_that_may_forget(patient, setting, change, undo):
    sandbox = patient.sandbox

    def apply(sql):
        sandbox.query(sql)
        sandbox.query("SELECT pg_reload_conf()")
    before = sandbox.query(f"SHOW {setting}")
    apply(change)
    try:
        until(lambda: any(each["status"] == "wrong" and f"{setting} is off" in each["finding"] for each in patient.run()), 10, setting)
        patient.finds("wrong", "database.state", f"{setting} is off", f"SET {setting} = on")
    finally:
        apply(undo)
        until(lambda: sandbox.query(f"SHOW {setting}") == before, 10, "the setting as it was")


@pytest.mark.parametrize("skew, status, code", [
    ("3 s", "warning", OK), ("-3 s", "warning", OK), ("20 s", "wrong", WRONG), ("-1 h", "wrong", WRONG)])
def test_a_clock_that_is_another(patient, skew, status, code):
    """For one role, whose search path finds another clock before the server's."""
    with patient.changed("CREATE SCHEMA skewed; GRANT USAGE ON SCHEMA skewed TO needtoknow_audit;"
                         "CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS"
                         f" $$SELECT pg_catalog.clock_timestamp() + interval '{skew}'$$;"
                         "ALTER ROLE needtoknow_audit SET search_path = skewed, pg_catalog",
                         "ALTER ROLE needtoknow_audit RESET search_path; DROP SCHEMA skewed CASCADE"):
        patient.finds(status, "database.audit", r"its clock and this machine's are \d+\.\d+ s apart", "timedatectl", code=code)


def test_a_migration_with_another_text(patient):
    flip = "UPDATE needtoknow.migration SET digest = set_byte(digest, 0, get_byte(digest, 0) # 1) WHERE number = 2"
    with patient.changed(flip, flip):
        _, rest = patient.finds("wrong", "database.state", "migration 2 disclosures was applied with another text", "install the needtoknowd")
        assert not rest


def test_a_migration_that_was_not_applied(patient):
    (row,) = patient.sandbox.query("SELECT number, name, digest, applied_at FROM needtoknow.migration ORDER BY number DESC LIMIT 1")
    patient.sandbox.query("DELETE FROM needtoknow.migration WHERE number = %s", row[0])
    try:
        patient.finds("wrong", "database.state", rf"the schema is at version {row[0] - 1}, this program needs version {row[0]}",
                      "^needtoknowd migrate --dsn '.* user=needtoknow_owner'")
    finally:
        patient.sandbox.query("INSERT INTO needtoknow.migration VALUES (%s, %s, %s, %s)", *row)


def test_a_view_whose_lookup_scans(patient):
    (definition,), = patient.sandbox.query("SELECT pg_get_viewdef('share.booking')")
    with patient.changed("CREATE OR REPLACE VIEW share.booking AS SELECT * FROM company.booking ORDER BY tasks OFFSET 0",
                         f"CREATE OR REPLACE VIEW share.booking AS {definition}"):
        _, rest = patient.finds("wrong", "database.source", r"share.booking: a lookup by `booking_id` reads more than its row \(Seq Scan",
                                "CREATE INDEX")
        assert not rest
        assert any("Seq Scan on booking" in (each["details"] or "") for each in patient.run("--verbose"))


# ---- the ledger


def test_a_database_older_than_the_checkpoint_that_was_seen(patient):
    sandbox = patient.sandbox
    wait_signed(sandbox)
    state = sandbox.directory / "state" / "checkpoint"
    # What was seen is of a larger ledger than the database holds: the daemon is down, and the newest entries go.
    append(sandbox, 3)
    size = wait_signed(sandbox)
    until(lambda: state.read_text().splitlines()[1] == str(size), 10, "the checkpoint in state_dir")
    (head,) = sandbox.query("SELECT size, frontier FROM needtoknow.head")
    sandbox.kill()
    sandbox.query("UPDATE needtoknow.head SET size = size - 2")
    try:
        words = rf"the ledger has {size - 2} entries, fewer than the checkpoint of {size} in .*/state/checkpoint"
        patient.finds("wrong", "ledger", words, "database.state")
    finally:
        sandbox.query("UPDATE needtoknow.head SET size = %s", head[0])
        sandbox.start()


def test_entries_that_nobody_signs(patient):
    sandbox = patient.sandbox
    wait_signed(sandbox)
    sandbox.kill()
    append(sandbox, 2)
    sandbox.query("UPDATE needtoknow.head SET recorded_at = recorded_at - interval '1 hour'")
    try:
        patient.finds("wrong", "ledger", r"2 entries are not signed, the last for 36\d\d s", "systemctl restart needtoknowd")
        patient.finds("ok", "listen", "is free: the daemon does not run", "")
    finally:
        sandbox.query("UPDATE needtoknow.head SET recorded_at = recorded_at + interval '1 hour'")
        sandbox.start()
        wait_signed(sandbox)


# ---- what does not answer


def test_a_stopped_database(patient):
    sandbox = patient.sandbox
    sandbox.disconnect()
    sandbox.kill()
    sandbox.stop_postgres("fast")
    try:
        findings = patient.run(code=UNANSWERED)
        for about in ("database.state", "database.source", "database.audit"):
            (found,) = [each for each in findings if each["about"] == about]
            assert found["status"] == "unknown" and "no connection: " in found["finding"] and "pg_isready" in found["mend"]
    finally:
        sandbox.start_postgres()
        sandbox.start()


def test_something_wrong_counts_more_than_something_that_does_not_answer(patient, tmp_path):
    config = patient.rewritten(f"{patient.sandbox.directory}/socket&port=5432&user=needtoknow_audit",
                               f"{tmp_path}&port=5432&user=needtoknow_audit")
    findings = patient.run(config=config, code=UNANSWERED)
    assert [each["about"] for each in findings if each["status"] == "unknown"] == ["database.audit"]
    with patient.changed("REVOKE DELETE ON needtoknow.due FROM needtoknow_state", "GRANT DELETE ON needtoknow.due TO needtoknow_state"):
        patient.run(config=config, code=WRONG)


def test_an_address_that_another_program_has(patient):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        config = patient.rewritten(f"listen: {patient.sandbox.address}\n", f"listen: 127.0.0.1:{taken.getsockname()[1]}\n")
        patient.finds("wrong", "listen", "Address already in use", "ss -ltnp", config=config)
