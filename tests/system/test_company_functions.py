"""The contract's functions for clients' rights, as deploy/sql/reference.sql has them: what src/pure/company_function.h promises of them."""

import datetime
import json
import uuid
from contextlib import closing

import psycopg2
import pytest

from needtoknow_testing.company import person
from needtoknow_testing.sandbox import Sandbox

FILE = {"client.given_name": "Anne", "client.family_name": "Témoin", "client.phone": "06 39 98 00 11", "client.email": "Anne@courriel.example",
        "client.home_address": "1 rue des Lilas, 75003 Paris", "client.door_code": "12A"}
HELD = {"client.invoice_identity", "booking.tasks", "booking.price"}


@pytest.fixture(scope="module")
def company():
    sandbox = Sandbox.up(clients=20)
    yield Company(sandbox)
    sandbox.down()


class Company:
    def __init__(self, sandbox):
        self.sandbox = sandbox

    def as_role(self, role, sql, *values):
        """Rows, in a transaction of its own."""
        with closing(psycopg2.connect(self.sandbox.pguri.replace("user=postgres", f"user={role}"))) as connection:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql, values)
                return cursor.fetchall() if cursor.description else []

    def ask(self, function, *values, casts=""):
        """`casts`: of each value, or `-`; none at all: of none."""
        marks = ", ".join("%s" + ("" if cast == "-" else cast) for cast in (casts.split() or ["-"] * len(values)))
        return self.as_role("needtoknow_rights", f"SELECT * FROM share.{function}({marks})", *values)

    def register(self, columns, key=None, origin="WEBSITE"):
        (answer,) = self.ask("register", key or str(uuid.uuid4()), origin, "2026-05", list(columns), list(columns.values()),
                             casts="::uuid - - ::text[] ::text[]")
        return answer

    def rectification(self, subject, column, value, key=None):
        """How it came out, and which columns of the sources are others now."""
        ((outcome, columns),) = self.ask("rectify", key or str(uuid.uuid4()), subject, column, value, casts="::uuid - - -")
        return outcome, columns

    def rectify(self, *words):
        return self.rectification(*words)[0]

    def erase(self, subject, columns=None, key=None, dry_run=False):
        rows = self.ask("erase", key or str(uuid.uuid4()), subject, columns, dry_run, casts="::uuid - ::text[] -")
        return {row[0]: row[1:] for row in rows}

    def record(self, subject):
        return {row[0]: row[1:] for row in self.ask("subject_record", subject)}

    def due(self, columns, anchor, after="0 seconds"):
        return {row[0]: row[1] for row in self.ask("retention_due", columns, anchor, after, 1000, casts="::text[] - ::interval -")}

    def values(self, subject):
        """All that the sources have of somebody."""
        return str(self.sandbox.query("SELECT * FROM share.client WHERE subject_id = %s", subject)
                   + self.sandbox.query("SELECT * FROM share.booking WHERE subject_id = %s", subject))


def test_p2_the_rights_role_calls_the_functions_and_does_nothing_else_and_nobody_else_calls_them(company):
    for statement in ("SELECT * FROM share.client", "SELECT * FROM company.client", "SELECT * FROM share.change_queue",
                      "SELECT company.remove('C000001', NULL)", "SELECT * FROM needtoknow.head", "CREATE TABLE share.x ()"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            company.as_role("needtoknow_rights", statement)
    calls = ("subject_record('C000001')", "erase(gen_random_uuid(), 'C000001', NULL, true)", "rectify(gen_random_uuid(), 'C000001', 'c', 'v')",
             "register(gen_random_uuid(), 'DIRECT', '', '{}', '{}')", "contacts('C000001')", "notice_in_force()",
             "retention_due('{}', 'held', '0', 1)")
    for role in ("needtoknow_state", "needtoknow_source", "needtoknow_audit"):
        for call in calls:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                company.as_role(role, f"SELECT share.{call}")
    for call in calls:
        company.as_role("needtoknow_rights", f"SELECT share.{call}")


def test_a_registration_is_made_once_whoever_asks_again(company):
    key = str(uuid.uuid4())
    subject, problem, column = company.register(FILE, key)
    assert subject and problem is None and column is None
    assert company.register(FILE, key) == (subject, None, None)
    record = company.record(subject)
    assert {name: record[name][0] for name in FILE} == FILE
    assert {row[1] for row in record.values()} == {"WEBSITE"}
    assert record["client.invoice_identity"][0] == "Anne Témoin, 1 rue des Lilas, 75003 Paris"
    assert company.register(FILE)[0] != subject


@pytest.mark.parametrize("columns, problem, column", [
    ({**FILE, "client.shoe_size": "38"}, "UNKNOWN_COLUMN", "client.shoe_size"),
    ({**FILE, "client.invoice_identity": "somebody"}, "UNKNOWN_COLUMN", "client.invoice_identity"),
    ({name: FILE[name] for name in FILE if name != "client.email"}, "MISSING_COLUMN", "client.email"),
    ({**FILE, "client.email": None}, "MISSING_COLUMN", "client.email"),
    ({**FILE, "client.home_address": "somewhere"}, "BAD_VALUE", "client.home_address"),
    ({**FILE, "client.newsletter_consent": "perhaps"}, "BAD_VALUE", "client.newsletter_consent"),
    ({**FILE, "client.given_name": " "}, "BAD_VALUE", "client.given_name"),
    ({}, "MISSING_COLUMN", "client.given_name"),
])
def test_a_registration_that_is_not_taken_says_which_column_and_leaves_nothing(company, columns, problem, column):
    before = company.sandbox.query("SELECT count(*) FROM company.client")
    assert company.register(columns) == (None, problem, column)
    assert company.sandbox.query("SELECT count(*) FROM company.client") == before


def test_a_rectification_reaches_the_change_queue_once(company):
    subject = person(company.sandbox).subject_id
    key = str(uuid.uuid4())
    queued = "SELECT columns FROM company.seen WHERE subject_id = %s"
    # needtoknow empties the queue; what was ever in it is seen here.
    company.sandbox.query("CREATE TABLE company.seen AS SELECT * FROM share.change_queue WHERE false;"
                          "CREATE FUNCTION company.see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
                          " $$ BEGIN INSERT INTO company.seen SELECT NEW.*; RETURN NULL; END $$;"
                          "CREATE TRIGGER see AFTER INSERT ON share.change_queue FOR EACH ROW EXECUTE FUNCTION company.see()")
    try:
        became = ("RECTIFIED", ["client.district", "client.home_address", "client.invoice_identity"])
        assert company.rectification(subject, "client.home_address", "9 rue Neuve, 44000 Nantes", key) == became
        assert company.rectification(subject, "client.home_address", "9 rue Neuve, 44000 Nantes", key) == became
        assert company.rectification(subject, "client.home_address", "9 rue Neuve, 44000 Nantes") == ("UNCHANGED", [])
        ((columns,),) = company.sandbox.query(queued, subject)
        assert set(columns) == {"home_address", "district", "invoice_identity"}
    finally:
        company.sandbox.query("DROP TRIGGER see ON share.change_queue; DROP FUNCTION company.see; DROP TABLE company.seen")
    # Whoever has the town alone has nothing to be told of when the street is another.
    assert company.rectification(subject, "client.home_address", "9 rue Neuve, 44100 Nantes") == (
        "RECTIFIED", ["client.home_address", "client.invoice_identity"])
    company.rectify(subject, "client.home_address", "9 rue Neuve, 44000 Nantes")
    value, origin, collected_at, *_ = company.record(subject)["client.home_address"]
    assert (value, origin) == ("9 rue Neuve, 44000 Nantes", "DIRECT")
    assert datetime.datetime.now(datetime.timezone.utc) - collected_at < datetime.timedelta(minutes=5)
    assert company.rectify(subject, "client.email", "no address") == "BAD_VALUE"
    assert company.rectify(subject, "client.email", None) == "BAD_VALUE"
    assert company.rectify(subject, "client.door_code", None) == "RECTIFIED"
    assert company.rectify(subject, "client.shoe_size", "38") == "UNKNOWN_COLUMN"
    assert company.rectify("C-nobody", "client.email", "a@b.example") == "UNKNOWN_SUBJECT"


def test_an_erasure_holds_what_the_law_has_kept_and_no_source_shows_it(company):
    someone = person(company.sandbox)
    subject, key = someone.subject_id, str(uuid.uuid4())
    company.sandbox.query("UPDATE company.booking SET price = 87 WHERE subject_id = %s", subject)
    there = {name for name, row in company.record(subject).items() if row[0] is not None}
    foreseen = company.erase(subject, dry_run=True)
    assert someone.fields["client.email"] in company.values(subject), "a dry run changes nothing"
    answer = company.erase(subject, key=key)
    assert {name: row[0] for name, row in answer.items()} == {name: "HELD" if name in HELD else "ERASED" for name in there}
    assert {name: row[:3] for name, row in foreseen.items()} == {name: row[:3] for name, row in answer.items()}
    (closes,) = {row[4] for name, row in answer.items() if name in HELD}
    ((expected,),) = company.sandbox.query("SELECT make_timestamptz(extract(year FROM current_date)::int + 11, 1, 1, 0, 0, 0, 'Europe/Paris')")
    assert closes == expected
    assert {row[1:3] for name, row in answer.items() if name in HELD} == {("art. 17(3)(b)", "Code de commerce L123-22")}
    assert company.values(subject) == "[]"
    assert company.erase(subject, key=key) == answer
    record = company.record(subject)
    assert set(record) == HELD and all(row[-1] for row in record.values())
    assert record["client.invoice_identity"][0] == someone.fields["client.invoice_identity"]
    assert json.loads(record["booking.tasks"][0]) == {someone.booking_id: someone.fields["booking.tasks"]}
    # Until the law's time is over; then nothing is left.
    assert subject not in company.due(None, "held") and set(company.erase(subject)) == HELD
    company.sandbox.query("UPDATE company.held SET until = now() - interval '1 day' WHERE subject_id = %s", subject)
    assert set(company.due(None, "held")[subject]) == HELD
    assert {row[0] for row in company.erase(subject, sorted(HELD)).values()} == {"ERASED"}
    assert company.record(subject) == {} and company.erase(subject) == {} and subject not in company.due(None, "held")


def test_what_was_held_before_and_what_came_since_are_both_held(company):
    """A retention period ended, then the client came back, moved, and asked to be erased: the accounts have two invoices."""
    someone = person(company.sandbox)
    subject, first = someone.subject_id, someone.fields["client.invoice_identity"]
    assert set(company.erase(subject, ["client.invoice_identity"])) == {"client.invoice_identity"}
    assert company.rectify(subject, "client.family_name", "Revenue") == "RECTIFIED"
    ((second,),) = company.sandbox.query("SELECT invoice_identity FROM share.client WHERE subject_id = %s", subject)
    rows = company.ask("erase", str(uuid.uuid4()), subject, None, False, casts="::uuid - ::text[] -")
    assert [row[1] for row in rows if row[0] == "client.invoice_identity"] == ["HELD"], "a line a column"
    kept = [row[1] for row in company.ask("subject_record", subject) if row[0] == "client.invoice_identity"]
    assert "Revenue" in second and sorted(kept) == sorted([first, second])


def test_of_whom_every_column_went_nothing_is_left_and_the_order_is_the_contracts(company):
    someone = person(company.sandbox)
    subject = someone.subject_id
    company.sandbox.query("UPDATE company.client SET contract_ended_on = '2001-01-01' WHERE subject_id = %s", subject)
    company.sandbox.query("UPDATE company.booking SET price = 87 WHERE subject_id = %s", subject)
    names = [row[0] for row in company.ask("subject_record", subject)]
    assert names[:5] == ["client.given_name", "client.family_name", "client.phone", "client.email", "client.home_address"]
    assert {row[0] for row in company.erase(subject, names[:-1]).values()} == {"ERASED"}
    assert company.values(subject) != "[]" and names[-1] == "booking.price"
    company.erase(subject, names[-1:])
    assert company.values(subject) == "[]" and company.record(subject) == {}


def test_whom_it_does_not_know_it_says_so(company):
    assert company.record("C-nobody") == {} and company.erase("C-nobody") == {} and company.ask("contacts", "C-nobody") == []


def test_what_a_retention_period_ends_goes_and_the_invoices_identity_stays(company):
    someone = person(company.sandbox)
    subject, columns = someone.subject_id, ["client.home_address", "client.door_code"]
    assert subject not in company.due(columns, "contract-end")
    company.sandbox.query("UPDATE company.client SET contract_ended_on = '2019-03-31' WHERE subject_id = %s", subject)
    assert company.due(columns, "contract-end")[subject] == columns
    assert subject not in company.due(columns, "contract-end", "100 years")
    assert company.erase(subject, columns) == {name: ("ERASED", None, None, None, None) for name in columns}
    assert subject not in company.due(columns, "contract-end")
    ((address, district, code, identity),) = company.sandbox.query(
        "SELECT home_address, district, door_code, invoice_identity FROM share.client WHERE subject_id = %s", subject)
    assert (address, district, code, identity) == (None, None, None, someone.fields["client.invoice_identity"])
    # 2019's accounts close with the year.
    assert subject not in company.due(["client.invoice_identity"], "financial-year-end", "100 years")
    assert subject in company.due(["client.invoice_identity"], "financial-year-end", "1 year")
    company.sandbox.query("UPDATE company.client SET contract_ended_on = '2009-03-31' WHERE subject_id = %s", subject)
    assert company.erase(subject, ["client.invoice_identity"])["client.invoice_identity"][0] == "ERASED"
    assert subject not in company.due(["client.invoice_identity"], "financial-year-end", "10 years")


@pytest.mark.parametrize("phone", ["06 39 98 00 11", "+33 6 39980011", "0033-6.39.98.00.11", "+33 (0)6 39 98 00 11", "(0)6 39 98 00 11"])
def test_contacts_are_the_same_however_they_were_typed(company, phone):
    subject, *_ = company.register({**FILE, "client.phone": phone, "client.email": " ANNE@Courriel.example".strip()})
    assert sorted(value for value, in company.ask("contacts", subject)) == ["+33639980011", "anne@courriel.example"]


def test_the_notice_in_force_is_the_latest(company):
    ((version, location, since),) = company.ask("notice_in_force")
    assert version == "2026-05" and location.startswith("https://") and since.tzinfo
