"""P2: whoever writes a policy sees, before it takes effect anywhere, whether it fits the company's database."""

import re

import pytest

from needtoknow_testing.cli import Cli
from needtoknow_testing.paths import POLICY


def uri_of(sandbox, role):
    return re.sub(r"user=\w+", f"user={role}", sandbox.pguri)


@pytest.fixture
def check(shared_world, tmp_path):
    """(exit code, standard output, standard error) of `policy check --database`."""
    cli = Cli(shared_world.sandbox)

    def run(old="", new="", role="needtoknow_source", code=0, uri=None):
        text = POLICY.read_text()
        assert old in text
        path = tmp_path / "policy.yaml"
        path.write_text(text.replace(old, new) if old else text)
        done = cli.run("policy", "check", str(path), "--database", uri or uri_of(shared_world.sandbox, role), code=code)
        return done.stdout.decode(), done.stderr.decode()
    return run


@pytest.fixture
def company(shared_world):
    """Changes the company's database; what undoes it runs afterwards."""
    undo = []

    def change(sql, back):
        undo.append(back)
        shared_world.sandbox.query(sql)
    yield change
    for sql in reversed(undo):
        shared_world.sandbox.query(sql)


def test_p2_a_good_policy_is_told_with_the_plan_and_the_cost_of_each_lookup(check):
    output, _ = check()
    for view, key in (("client", "subject_id"), ("booking", "booking_id")):
        (cost,) = re.findall(rf"^lookup: share\.{view} by {key}, cost ([0-9.]+\.\.[0-9.]+)$", output, re.MULTILINE)
        assert float(cost.split("..")[1]) < 1000
    assert output.count("Index Cond:") >= 2 and "Seq Scan" not in output
    assert "wrong" not in output and "warning" not in output
    assert output.endswith("The policy fits the database.\n")


def test_p2_a_misspelt_column_is_named_with_the_nearest_one(check):
    output, _ = check("client.door_code", "client.doorcode", code=1)
    assert "wrong: share.client has no column `doorcode`, which source `client` names (did you mean `door_code`?)\n" in output
    assert "lookup: share.client by subject_id: no plan" in output
    assert output.endswith("The policy does not fit the database.\n")


def test_p2_a_view_that_would_be_read_whole_for_one_person_is_refused(check, company):
    company("CREATE VIEW share.scanned AS SELECT * FROM share.client ORDER BY family_name OFFSET 0;"
            "GRANT SELECT (subject_id, district, given_name, phone, email, home_address, door_code, newsletter_consent)"
            " ON share.scanned TO needtoknow_source", "DROP VIEW share.scanned")
    output, _ = check("view: share.client", "view: share.scanned", code=1)
    assert "lookup: share.scanned by subject_id: NOT by key, cost " in output
    assert "Seq Scan on client" in output
    assert "wrong: share.scanned: a lookup by `subject_id` reads more than its row (Seq Scan on client)" in output


def test_p2_a_key_of_a_type_with_many_forms_is_refused(check, company):
    company("CREATE VIEW share.padded AS SELECT subject_id::char(12) AS subject_id, district, given_name, phone, email, home_address,"
            " door_code, newsletter_consent FROM share.client; GRANT SELECT ON share.padded TO needtoknow_source",
            "DROP VIEW share.padded")
    output, _ = check("view: share.client", "view: share.padded", code=1)
    assert "wrong: share.padded: column `subject_id` is of type character(12)" in output


def test_p2_what_the_role_may_read_without_need_is_listed_by_name(check, company):
    company("CREATE ROLE nosy LOGIN; GRANT USAGE ON SCHEMA share, company TO nosy; GRANT SELECT ON share.client, share.booking TO nosy;"
            "GRANT SELECT (iban) ON company.client TO nosy", "DROP OWNED BY nosy; DROP ROLE nosy")
    output, _ = check(role="nosy")
    assert "warning: role nosy may read what the policy does not name: company.client (iban)" in output
    assert re.search(r"warning: role nosy .* share\.booking \(price\)", output)
    assert re.search(r"warning: role nosy .* share\.client \([^)]*\biban\b", output)
    assert output.endswith("The policy fits the database.\n")


def test_p2_a_role_that_may_not_read_what_it_must_is_told_so(check, company):
    company("CREATE ROLE stranger LOGIN", "DROP ROLE stranger")
    output, _ = check(role="stranger", code=1)
    assert "wrong: the role may not look into schema share; needed: GRANT USAGE" in output


def test_p2_a_superuser_is_warned_of(check):
    output, _ = check(role="postgres")
    assert "warning: role postgres may read every table of the database" in output


def test_p2_a_database_that_does_not_answer_is_another_exit_code(check, tmp_path):
    _, errors = check(uri=f"host={tmp_path} password=not-to-be-shown", code=4)
    assert errors.startswith("needtoknow policy check: the database: ") and "not-to-be-shown" not in errors
