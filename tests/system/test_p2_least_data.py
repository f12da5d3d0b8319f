"""P2 Least data: only the columns due now are read, and the roles can read nothing else."""

import re

import psycopg2
import pytest

from needtoknow_testing.receiver import values
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until

COMPANY = ("company", "share")


def policy_columns(world):
    """{(schema, view): columns} that the policy in force names, keys and `requires` included."""
    text = world.sandbox.query(
        "SELECT text FROM needtoknow.policy JOIN needtoknow.policy_activation USING (policy_number)"
        " ORDER BY ledger_index DESC LIMIT 1")[0][0]
    retention = text.index("\nretention:")
    named = {("share", "client"): {"subject_id"}, ("share", "booking"): {"booking_id", "subject_id"}}
    for source, column in re.findall(r"\b(client|booking)\.([a-z_]+)", text[text.index("\nservices:"):retention]):
        named["share", source].add(column)
    named["share", "change_queue"] = {"change_id", "subject_id", "source", "key", "columns", "changed_at"}  # names, never values
    return named


def all_columns(world):
    """Every column of the company's tables and views."""
    return world.sandbox.query(
        "SELECT table_schema, table_name, column_name FROM information_schema.columns WHERE table_schema IN %s", COMPANY)


def try_to_read(world, role, statement):
    """None when PostgreSQL lets it through, else the error."""
    connection = world.sandbox.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION AUTHORIZATION {role}")
            cursor.execute(statement)
            return None
    except psycopg2.Error as error:
        return error
    finally:
        connection.close()


def test_p2_the_source_role_reads_the_policys_columns_and_no_other(world):
    named = policy_columns(world)
    seen = 0
    for schema, relation, column in all_columns(world):
        error = try_to_read(world, "needtoknow_source", f'SELECT "{column}" FROM {schema}.{relation} LIMIT 1')
        if column in named.get((schema, relation), ()):
            assert error is None, f"{schema}.{relation}.{column}: {error}"
            seen += 1
        else:
            assert isinstance(error, psycopg2.errors.InsufficientPrivilege), f"{schema}.{relation}.{column} can be read"
    assert seen == sum(len(columns) for columns in named.values())
    assert "iban" not in named["share", "client"] and "family_name" not in named["share", "client"]


def test_p2_the_source_role_reads_no_row_whole(world):
    for relation in ("share.client", "share.booking", "company.client", "company.booking", "needtoknow.ledger"):
        for what in ("*", "t", "to_jsonb(t)"):
            error = try_to_read(world, "needtoknow_source", f"SELECT {what} FROM {relation} AS t LIMIT 1")
            assert isinstance(error, psycopg2.errors.InsufficientPrivilege), f"{what} of {relation}"


def test_p2_the_other_roles_read_nothing_of_the_companys(world):
    for role in ("needtoknow_state", "needtoknow_audit", "needtoknow_owner"):
        for schema, relation, column in all_columns(world):
            error = try_to_read(world, role, f'SELECT "{column}" FROM {schema}.{relation} LIMIT 1')
            assert isinstance(error, psycopg2.errors.InsufficientPrivilege), f"{role} reads {schema}.{relation}.{column}"


def test_p2_no_role_of_the_daemons_writes_the_companys_or_is_a_superuser(world):
    for role in ("needtoknow_state", "needtoknow_source", "needtoknow_rights", "needtoknow_audit", "needtoknow_owner"):
        for statement in ("UPDATE company.client SET door_code = NULL", "DELETE FROM company.booking",
                          "INSERT INTO company.booking VALUES ('B', 'C', '', '')", "UPDATE share.client SET phone = ''"):
            error = try_to_read(world, role, statement)
            assert isinstance(error, psycopg2.errors.InsufficientPrivilege), f"{role}: {statement}"
        ((superuser, creates, rolecreates, replicates, bypasses),) = world.sandbox.query(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = %s", role)
        assert not (superuser or creates or rolecreates or replicates or bypasses), role


def test_p2_the_daemon_connects_as_these_roles_alone(world):
    users = {row[0] for row in world.sandbox.query(
        "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name LIKE 'needtoknow%%' OR usename LIKE 'needtoknow%%'")}
    assert {"needtoknow_state", "needtoknow_source"} <= users
    assert users <= {"needtoknow_state", "needtoknow_source", "needtoknow_rights", "needtoknow_audit"}


@pytest.mark.parametrize("statement", [
    "UPDATE needtoknow.ledger SET bodies = ''", "DELETE FROM needtoknow.ledger", "TRUNCATE needtoknow.ledger",
    "TRUNCATE needtoknow.ledger_0", "UPDATE needtoknow.ledger_0 SET count = 1", "DROP TABLE needtoknow.ledger_0",
    "ALTER TABLE needtoknow.ledger DISABLE TRIGGER ALL",
])
def test_p2_no_serving_role_changes_the_ledger(world, statement):
    for role in ("needtoknow_state", "needtoknow_source", "needtoknow_rights", "needtoknow_audit"):
        error = try_to_read(world, role, statement)
        assert isinstance(error, psycopg2.errors.InsufficientPrivilege), f"{role}: {statement}: {error}"


@pytest.mark.parametrize("statement", [
    "UPDATE needtoknow.ledger SET bodies = ''", "DELETE FROM needtoknow.ledger", "TRUNCATE needtoknow.ledger",
    "TRUNCATE needtoknow.ledger_0", "TRUNCATE needtoknow.ledger_1", "DELETE FROM needtoknow.ledger_0",
])
def test_p2_a_trigger_says_no_even_to_a_role_that_could(world, statement):
    error = try_to_read(world, world.sandbox.query("SELECT current_user")[0][0], statement)
    assert error is not None and "append-only" in str(error), f"{statement}: {error}"


def logged_statements(world, since):
    """What PostgreSQL logged of statements that name the contract's schema."""
    text = world.sandbox.postgres_log().read_text(errors="replace")[since:]
    return [line for line in re.split(r"\n(?=\S)", text) if "share" in line and "SELECT" in line.upper()]


@pytest.fixture
def statements_logged(world):
    """Every statement of the source role is logged from here on, on new sessions of the daemon's."""
    world.sandbox.query("ALTER ROLE needtoknow_source SET log_statement = 'all'")
    _new_source_sessions(world)
    yield lambda: len(world.sandbox.postgres_log().read_text(errors="replace"))
    world.sandbox.query("ALTER ROLE needtoknow_source RESET log_statement")
    _new_source_sessions(world)


def _new_source_sessions(world):
    """The daemon connects again by itself; until a Share is answered it has not."""
    world.sandbox.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'needtoknow_source'")
    world.wait_sharing(world.person(), world.recipient())


def columns_read(statements):
    """The contract's columns that these statements name anywhere."""
    known = {"given_name", "family_name", "phone", "email", "home_address", "district", "door_code", "iban", "invoice_identity",
             "newsletter_consent", "tasks", "instructions", "price", "street", "postal_code", "city"}
    return {word for statement in statements for word in re.findall(r"[a-z_]+", statement) if word in known}


def test_p2_a_deliverys_select_names_only_the_columns_that_are_due(world, statements_logged):
    person, recipient = world.person(), world.recipient()
    since = statements_logged()
    shared = world.share(person, recipient, "staged", starts_in=4, lasts=600)
    assert columns_read(logged_statements(world, since)) == set(), "a Share reads keys alone"

    with recipient.receive() as stream:
        for release in shared.releases:
            got = stream.delivery(shared.disclosure_id, release.name)
            wanted = {name.split(".")[1] for name in release.fields}
            until(lambda: columns_read(logged_statements(world, since)) >= wanted, what="the statement in the log")
            assert columns_read(logged_statements(world, since)) == wanted, f"read for {release.name}"
            assert {name.split(".")[1] for name in values(got)} == wanted
            stream.acknowledge(got)
            since = statements_logged()


def test_p2_consent_is_the_only_column_that_a_share_reads(world, statements_logged):
    since = statements_logged()
    world.share(world.person(), world.recipient(), "strict")
    assert columns_read(logged_statements(world, since)) <= {"newsletter_consent"}


def test_p2_nothing_is_read_for_what_is_refused(world, statements_logged):
    recipient = world.recipient(services=["gardening"])
    since = statements_logged()
    with refused("PERMISSION_DENIED", "SERVICE_NOT_AUTHORISED"):
        world.share(world.person(), recipient)
    assert columns_read(logged_statements(world, since)) == set()
