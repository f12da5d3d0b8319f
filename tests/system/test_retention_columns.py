"""What the company may not keep any longer goes from its own database (GDPR art. 5(1)(e)), and the ledger says so."""

import datetime
import json
import subprocess

import psycopg2.extensions
import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.cli import Cli
from needtoknow_testing.rights import asked
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World
from test_corrections import metric

AT_CONTRACT_END = {"client.home_address", "client.door_code"}  # deploy/policy.yaml
PAGE = 32  # src/service/retention_sweeper.c
RIGHTS_ROLE = "needtoknow_rights"


def sweeping(text):
    return text + "\nsweep_columns: true\n"


@pytest.fixture(scope="module")
def world():
    """Its daemon does not sweep what the policy's retention.columns name."""
    world = World.up()
    yield world
    world.down()


@pytest.fixture(scope="module")
def swept():
    world = World.up(config=sweeping)
    yield world
    world.down()


def end_contract(world, person, days_ago):
    day = datetime.date.today() - datetime.timedelta(days=days_ago)
    world.sandbox.query("UPDATE company.client SET contract_ended_on = %s WHERE subject_id = %s", day, person.subject_id)


def held(world, subject_id, column, value, days_ago):
    """As share.erase() keeps what a law wants kept; until `days_ago`."""
    world.sandbox.query(
        "INSERT INTO company.held (subject_id, column_name, value, origin, collected_at, ground, law, since, until)"
        " VALUES (%s, %s, %s, 'DIRECT', now(), 'art. 17(3)(b)', 'Code de commerce L123-22', now() - interval '10 years',"
        " now() - %s * interval '1 day')", subject_id, column, value, days_ago)


def door_codes(world, *persons):
    rows = world.sandbox.query("SELECT subject_id, door_code, street FROM company.client WHERE subject_id = ANY (%s)",
                               [person.subject_id for person in persons])
    return {subject_id: (door_code, street) for subject_id, door_code, street in rows}


def sweeps(world, from_index=0):
    """What was swept, as the ledger tells it: [(index, entry)]."""
    return [(index, entry) for index, entry in ledger.of_kind(ledger.entries(world.sandbox, from_index), "ERASED")
            if ledger.reason_name(entry) == "EXPIRED"]


def sweeps_of(world, person):
    """As an auditor asks for it."""
    request = protos.audit.ListEntriesRequest(filter=protos.audit.EntryFilter(
        subject_id=person.subject_id, kinds=[protos.ledger.EntryKind.Value("ENTRY_KIND_ERASED")]))
    return [entry.entry for entry in world.auditor.audit.ListEntries(request, timeout=10).entries]


def nothing_pending(world):
    return not world.sandbox.query("SELECT 1 FROM needtoknow.column_sweep")


def plan(world, *arguments):
    return Cli(world.sandbox, "booking").run(
        "retention", "plan", str(world.sandbox.directory / "policy.yaml"), "--database", rights_dsn(world.sandbox.pguri), *arguments)


def rights_dsn(pguri):
    """The same database, as the role that may call the company's functions and do nothing else."""
    parts = psycopg2.extensions.parse_dsn(pguri)
    parts["user"] = RIGHTS_ROLE
    return psycopg2.extensions.make_dsn(**parts)


# The sweep.


def test_art5_columns_go_when_the_contract_has_ended_and_the_ledger_names_them(swept):
    ended, goes_on, recipient = swept.person(), swept.person(), swept.recipient()
    swept.share(ended, recipient)
    end_contract(swept, ended, 3)
    swept.sandbox.restart()
    until(lambda: door_codes(swept, ended)[ended.subject_id] == (None, None), 30, "the columns' erasure")
    until(lambda: sweeps_of(swept, ended), 30, "the entry")
    assert door_codes(swept, goes_on)[goes_on.subject_id][0] == goes_on.value("client.door_code")
    (entry,) = sweeps_of(swept, ended)
    assert set(entry.fields) == AT_CONTRACT_END
    assert entry.actor == "system" and ledger.reason_name(entry) == "EXPIRED"
    (pseudonym,) = [bytes(row[0]) for row in swept.sandbox.query(
        "SELECT pseudonym FROM needtoknow.subject_key WHERE subject_id = %s", ended.subject_id)]
    assert entry.subject_pseudonym == pseudonym
    assert not sweeps_of(swept, goes_on)
    until(lambda: nothing_pending(swept), 10, "the sweep's end")
    until(lambda: metric(swept, "columns_erased_total") == len(AT_CONTRACT_END), 10, "their count")
    assert metric(swept, "column_sweeps_total") >= 1 and metric(swept, "column_sweeps_stopped") == 0


def test_art5_more_than_a_page_of_clients_goes_one_entry_each(swept):
    from_index = ledger.size(swept.sandbox)
    many = [swept.person() for _ in range(2 * PAGE + 5)]
    for person in many:
        end_contract(swept, person, 40)
    swept.sandbox.restart()
    until(lambda: set(door_codes(swept, *many).values()) == {(None, None)}, 60, "everybody's erasure")
    until(lambda: nothing_pending(swept) and "whose time was over" in swept.sandbox.log(), 10, "the sweep's end")
    assert len(sweeps(swept, from_index)) == len(many)
    assert all(len(sweeps_of(swept, person)) == 1 for person in many)
    # Who was never shared gets no pseudonym just because something of them was erased.
    assert not swept.sandbox.query("SELECT 1 FROM needtoknow.subject_key WHERE subject_id = ANY (%s)", [each.subject_id for each in many])


def test_p6_a_sweep_that_is_killed_anywhere_says_each_erasure_once(swept):
    for step in ("retention.recorded", "retention.erased:2"):
        from_index = ledger.size(swept.sandbox)
        persons = [swept.person() for _ in range(4)]
        for person in persons:
            end_contract(swept, person, 2)
        swept.sandbox.kill()
        written = len(swept.sandbox.log())
        swept.sandbox.spawn(environment={"NEEDTOKNOW_STOP_AT": step})
        until(lambda: "signal 9" in swept.sandbox.log()[written:], 30, f"a death at {step}")
        swept.sandbox.restart()
        until(lambda: set(door_codes(swept, *persons).values()) == {(None, None)}, 30, "everybody's erasure")
        until(lambda: nothing_pending(swept), 30, "the sweep's end")
        assert len(sweeps(swept, from_index)) == len(persons), step
        assert all(len(sweeps_of(swept, person)) == 1 for person in persons)


def test_art17_what_an_erasure_held_goes_on_its_date_without_being_asked_for(world):
    gone, waits, ended = world.person(), world.person(), world.person()
    held(world, gone.subject_id, "client.invoice_identity", "Zoé Tenue-Échue", 1)
    held(world, waits.subject_id, "client.invoice_identity", "Zoé Tenue-Encore", -1)
    for table in ("booking", "client"):
        world.sandbox.query(f"DELETE FROM company.{table} WHERE subject_id = %s", gone.subject_id)
    end_contract(world, ended, 3)
    world.sandbox.restart()
    left = lambda: world.sandbox.query("SELECT value FROM company.held ORDER BY 1")
    until(lambda: left() == [("Zoé Tenue-Encore",)], 30, "the end of what was held")
    until(lambda: sweeps_of(world, gone), 10, "the entry")
    (entry,) = sweeps_of(world, gone)
    assert list(entry.fields) == ["client.invoice_identity"] and ledger.reason_name(entry) == "EXPIRED"
    until(lambda: nothing_pending(world), 10, "the sweep's end")
    # What the policy's retention.columns name stays where the configuration does not say sweep_columns.
    assert door_codes(world, ended)[ended.subject_id][0] == ended.value("client.door_code")
    assert not sweeps_of(world, waits) and not sweeps_of(world, ended)


def test_a_client_whose_erasure_fails_keeps_nobody_elses(swept):
    broken, whole = swept.person(), swept.person()
    swept.sandbox.query(
        "CREATE FUNCTION company.stubborn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;"
        f"CREATE TRIGGER stubborn BEFORE UPDATE OF door_code ON company.client FOR EACH ROW WHEN (old.subject_id = '{broken.subject_id}')"
        " EXECUTE FUNCTION company.stubborn()")
    try:
        for person in (broken, whole):
            end_contract(swept, person, 5)
        swept.sandbox.restart()
        until(lambda: sweeps_of(swept, whole), 30, "the other's erasure")
        assert not sweeps_of(swept, broken)
        assert door_codes(swept, broken)[broken.subject_id][0] == broken.value("client.door_code")
        until(lambda: "the company's erase() failed" in swept.sandbox.log(), 10, "what the operator is told")
        until(lambda: metric(swept, "column_sweeps_waiting") == metric(swept, "column_sweeps_stopped") == 1, 10, "the metrics")
    finally:
        swept.sandbox.query("DROP TRIGGER stubborn ON company.client; DROP FUNCTION company.stubborn")
    swept.sandbox.restart()
    until(lambda: sweeps_of(swept, broken), 30, "the erasure, once it may")


def test_art17_what_an_erasure_of_whoever_was_restricted_held_goes_on_its_date(world):
    person = world.person()
    world.rights.rights.Restrict(asked(protos.rights.RestrictRequest, person.subject_id), timeout=20)
    world.rights.rights.Erase(asked(protos.rights.EraseRequest, person.subject_id), timeout=30)
    held = lambda: world.sandbox.query("SELECT 1 FROM company.held WHERE subject_id = %s", person.subject_id)
    assert held()
    world.sandbox.query("UPDATE company.held SET until = now() - interval '1 day' WHERE subject_id = %s", person.subject_id)
    world.sandbox.restart()
    until(lambda: not held(), 30, "the end of what was held")


def test_art_18_what_is_restricted_is_kept_beyond_its_time_and_nobody_waits_behind_it(swept):
    restricted, other = [swept.person() for _ in range(PAGE)], swept.person()
    for person in restricted:
        swept.rights.rights.Restrict(asked(protos.rights.RestrictRequest, person.subject_id), timeout=20)
        end_contract(swept, person, 30)
    end_contract(swept, other, 10)
    swept.sandbox.restart()
    until(lambda: door_codes(swept, other)[other.subject_id] == (None, None), 30, "the erasure of whoever is not restricted")
    until(lambda: sweeps_of(swept, other), 10, "the entry")
    assert all(codes != (None, None) for codes in door_codes(swept, *restricted).values())
    for person in restricted:
        swept.rights.rights.LiftRestriction(asked(protos.rights.LiftRestrictionRequest, person.subject_id), timeout=20)
    swept.sandbox.restart()
    until(lambda: set(door_codes(swept, *restricted).values()) == {(None, None)}, 30, "the erasure, once it is lifted")
    until(lambda: nothing_pending(swept), 10, "the sweep's end")


# What would go.


def test_the_plan_says_whose_columns_would_go_and_erases_nothing(world):
    persons = [world.person() for _ in range(3)]
    for age, person in zip((300, 20, 10), persons):
        end_contract(world, person, age)
    lines = [json.loads(line) for line in plan(world, "--format", "json", "--limit", "0").stdout.decode().splitlines()]
    assert [line["keep"] for line in lines] == ["held", "contract-end", "financial-year-end+10y"]
    at_end = lines[1]
    named = [client["subject_id"] for client in at_end["oldest"]]
    assert set(at_end["fields"]) == AT_CONTRACT_END and at_end["clients"] == len(named)
    ours = [subject_id for subject_id in named if subject_id in {person.subject_id for person in persons}]
    assert ours == [person.subject_id for person in persons], "oldest first"
    assert all(set(client["columns"]) == AT_CONTRACT_END for client in at_end["oldest"] if client["subject_id"] in ours)
    assert door_codes(world, *persons) == {
        person.subject_id: (person.value("client.door_code"), person.value("client.home_address").split(",")[0]) for person in persons}
    # Of a long list the oldest, and how many there are.
    (_, first, _) = [json.loads(line) for line in plan(world, "--format", "json", "--limit", "1").stdout.decode().splitlines()]
    assert len(first["oldest"]) == 1 and first["clients"] == at_end["clients"]
    text = plan(world, "--limit", "1").stdout.decode()
    assert f"{at_end['clients']} clients, the oldest since" in text and f"and {at_end['clients'] - 1} more" in text
    assert "Nothing was changed" in text
    table = plan(world, "--format", "csv", "--limit", "0").stdout.decode().splitlines()
    assert table[0] == '"keep","subject_id","since","columns"' or table[0] == "keep,subject_id,since,columns"
    assert sum("contract-end" in line and "financial" not in line for line in table[1:]) == at_end["clients"]


def test_the_plan_says_what_is_wrong(world):
    database = rights_dsn(world.sandbox.pguri)
    cli = Cli(world.sandbox, "booking")
    good = str(world.sandbox.directory / "policy.yaml")
    assert b"--limit" in cli.run("retention", "plan", good, "--database", database, "--limit", "x", code=2).stderr
    assert b"--database" in cli.run("retention", "plan", good, code=2).stderr
    # A role that may not call the functions: said, and nothing is told as if nobody were due.
    denied = cli.run("retention", "plan", good, "--database", database.replace(RIGHTS_ROLE, "needtoknow_source"), code=4)
    assert b"permission denied" in denied.stderr


def test_p8_a_daemon_that_is_to_sweep_and_may_not_call_the_functions_does_not_start(world, tmp_path):
    lines = world.sandbox.config.read_text().splitlines()
    path = world.sandbox.config.with_name("no-rights.yaml")
    path.write_text("\n".join(line for line in lines if not line.strip().startswith("rights:")) + "\nsweep_columns: true\n")
    try:
        done = subprocess.run(
            [world.sandbox.directory / "bin" / "needtoknowd", "check", "--config", str(path)], capture_output=True, timeout=60, cwd="/",
            user=world.sandbox.user, group=world.sandbox.group, extra_groups=[])
    finally:
        path.unlink()
    assert done.returncode != 0 and b"`sweep_columns: true` needs `rights`" in done.stdout + done.stderr
