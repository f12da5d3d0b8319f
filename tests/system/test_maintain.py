"""needtoknowd maintain: what it removes, clears and makes room for, and that nobody else can."""

from threading import Thread

import psycopg2
import pytest

from needtoknow_testing.owner import PARTITION, Scratch, maintain
from needtoknow_testing.waiting import until

WHO = "SELECT subject_id, booking_id FROM needtoknow.disclosure WHERE disclosure_id = %s"
REFERENCE = "SELECT subject_id, booking_id, remark, recipient_id FROM needtoknow.entry_reference WHERE ledger_index = %s"


@pytest.fixture
def scratch(shared_world):
    scratch = Scratch(shared_world.sandbox)
    yield scratch
    scratch.close()


def refused(scratch, sql, *parameters, role):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege) as raised:
        scratch.query(sql, *parameters, role=role)
    return str(raised.value)


# Bodies.

def test_exactly_the_rows_wholly_below_what_was_pruned_go(scratch):
    for count in (100, 100, 100, 300, 1, 200):  # the third row ends at 300: it runs over 256
        scratch.append(count, recipient="sparkle")
    before = scratch.rows()
    done = scratch.maintain()
    assert scratch.rows() == before and "no entry that a checkpoint covers says yet" in done.stdout
    scratch.prune(256)
    assert "bodies: 200 entries in 2 rows removed" in scratch.maintain().stdout
    assert scratch.rows() == before[2:]
    scratch.prune(512)
    assert "bodies: 100 entries in 1 rows removed" in scratch.maintain().stdout
    assert scratch.rows() == before[3:], "entries 512 to 599 of the row stay, and the row with them"
    assert "bodies: 0 entries in 0 rows removed" in scratch.maintain().stdout
    assert scratch.query("SELECT first_index FROM needtoknow.recipient_slice ORDER BY 1") == [(first,) for first, _ in before[3:]]


def test_no_body_goes_before_a_checkpoint_covers_the_entry_that_says_why(scratch):
    for _ in range(3):
        scratch.append(200)
    before = scratch.rows()
    scratch.checkpoint(600)
    scratch.query("INSERT INTO needtoknow.pruned VALUES (256, 599, clock_timestamp())")  # no PRUNED entry stands there
    scratch.maintain()
    assert scratch.rows() == before
    index = scratch.append(1, kind=24)
    scratch.query("INSERT INTO needtoknow.pruned VALUES (512, %s, clock_timestamp())", index)
    scratch.maintain()
    assert scratch.rows() == before, "nobody can see yet in what is signed why they are gone"
    scratch.checkpoint(index + 1)
    scratch.maintain()
    assert scratch.rows() == before[2:]


def test_many_rows_go_in_small_transactions(scratch):
    for _ in range(700):
        scratch.append(1, recipient="sparkle")
    scratch.prune(512)
    before = scratch.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    assert "bodies: 512 entries in 512 rows removed" in scratch.maintain().stdout
    assert scratch.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint") >= before + 2
    assert [first for first, _ in scratch.rows()] == list(range(512, 700))


def test_the_owner_itself_cannot_remove_what_was_not_pruned_nor_change_anything(scratch):
    for _ in range(3):
        scratch.append(200)
    scratch.prune(256)
    owner = "needtoknow_owner"
    for first in (200, 400):
        assert "append-only" in refused(scratch, "DELETE FROM needtoknow.ledger WHERE first_index = %s", first, role=owner)
        assert "append-only" in refused(scratch, "DELETE FROM needtoknow.ledger_0 WHERE first_index = %s", first, role=owner)
    for first in (0, 200, 400):
        assert "append-only" in refused(
            scratch, "UPDATE needtoknow.ledger SET bodies = '' WHERE first_index = %s", first, role=owner)
    for table in ("ledger", "ledger_0", "ledger_1", "pruned", "tile", "checkpoint"):
        assert "append-only" in refused(scratch, f"TRUNCATE needtoknow.{table}", role=owner)
    for change in ("DELETE FROM needtoknow.pruned", "UPDATE needtoknow.pruned SET until = 1024"):
        assert "append-only" in refused(scratch, change, role=owner)
    assert len(scratch.rows()) == 3
    scratch.query("DELETE FROM needtoknow.ledger WHERE first_index = 0", role=owner)
    assert len(scratch.rows()) == 2


@pytest.mark.parametrize("role", ["needtoknow_state", "needtoknow_audit", "needtoknow_source"])
def test_no_role_of_the_daemons_can_do_what_maintain_does(scratch, role):
    scratch.append(300, recipient="sparkle")
    scratch.prune(256)
    scratch.maintain()
    before = scratch.rows(), scratch.partitions()
    for change in ("DELETE FROM needtoknow.ledger", "UPDATE needtoknow.ledger SET count = 1", "TRUNCATE needtoknow.ledger",
                   "DELETE FROM needtoknow.recipient_slice", "DELETE FROM needtoknow.ledger_2", "INSERT INTO needtoknow.ledger_2 DEFAULT VALUES",
                   "DELETE FROM needtoknow.disclosure", "SELECT needtoknow.add_partition(9)", "DROP TABLE needtoknow.ledger_1",
                   "ALTER TABLE needtoknow.ledger DETACH PARTITION needtoknow.ledger_1",
                   "ALTER TABLE needtoknow.ledger DISABLE TRIGGER ALL"):
        refused(scratch, change, role=role)
    done = scratch.maintain(role=role, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert "belongs to `needtoknow_owner`" in done.stderr
    assert (scratch.rows(), scratch.partitions()) == before


# Partitions.

def test_two_whole_partitions_lie_ahead_of_the_head_and_repeating_adds_none(scratch):
    assert scratch.partitions() == [(0, PARTITION), (PARTITION, 2 * PARTITION)]
    assert "partitions: 1 added" in scratch.maintain().stdout
    assert scratch.partitions()[-1] == (2 * PARTITION, 3 * PARTITION)
    assert "partitions:" not in scratch.maintain().stdout
    scratch.append(20, first=2 * PARTITION - 10, age="25 h")
    assert "partitions: 2 added" in scratch.maintain().stdout
    assert scratch.partitions() == [(number * PARTITION, (number + 1) * PARTITION) for number in range(5)]
    assert "partitions:" not in scratch.maintain().stdout


def test_a_ledger_that_grows_fast_has_two_days_growth_ahead(scratch):
    scratch.append(10, first=0, age="25 h")
    scratch.append(10, first=2 * PARTITION - 10)
    scratch.maintain()
    assert scratch.partitions()[-1][1] == 7 * PARTITION, "the one in use, and four that two such days fill"


def test_an_added_partition_is_as_the_first_ones_are(scratch):
    scratch.maintain()
    kind = """
        SELECT c.relowner::regrole::text, c.relacl::text, c.relpersistence,
            (SELECT string_agg(concat_ws(' ', a.attname, a.atttypid::regtype, a.attnotnull, a.attstorage), ',' ORDER BY a.attnum)
                FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0),
            (SELECT string_agg(regexp_replace(pg_get_indexdef(i.indexrelid), 'ledger_[0-9]', 'ledger_N', 'g'), ',' ORDER BY 1)
                FROM pg_index AS i WHERE i.indrelid = c.oid),
            (SELECT string_agg(concat_ws(' ', t.tgname, t.tgtype, t.tgenabled, t.tgfoid::regproc), ',' ORDER BY t.tgname)
                FROM pg_trigger AS t WHERE t.tgrelid = c.oid),
            (SELECT string_agg(pg_get_constraintdef(k.oid), ',' ORDER BY 1) FROM pg_constraint AS k WHERE k.conrelid = c.oid)
        FROM pg_class AS c WHERE c.oid = %s::regclass"""
    assert scratch.query(kind, "needtoknow.ledger_2") == scratch.query(kind, "needtoknow.ledger_1")
    scratch.query("INSERT INTO needtoknow.ledger VALUES (%s, 1, now(), 2, '', '')", 2 * PARTITION, role="needtoknow_state")
    for change in ("DELETE FROM needtoknow.ledger_2", "UPDATE needtoknow.ledger_2 SET count = 2", "TRUNCATE needtoknow.ledger_2"):
        assert "append-only" in refused(scratch, change, role="needtoknow_owner")


def test_a_partition_wholly_pruned_is_dropped_and_one_that_is_not_stays(scratch):
    scratch.append(10, first=0, recipient="sparkle")
    scratch.append(20, first=PARTITION - 10, recipient="sparkle")  # over the end, up to entry 10 of the next
    scratch.append(300, first=PARTITION + 10, recipient="sparkle")
    scratch.prune(PARTITION)
    scratch.maintain()
    assert scratch.partitions()[0] == (0, PARTITION), "a row of it has entries that stay"
    assert scratch.rows() == [(PARTITION - 10, 20), (PARTITION + 10, 300)]
    scratch.prune(PARTITION + 256)
    assert f"partitions: needtoknow.ledger_0 dropped, entries before {PARTITION}" in scratch.maintain().stdout
    assert scratch.partitions()[0] == (PARTITION, 2 * PARTITION)
    assert scratch.query("SELECT to_regclass('needtoknow.ledger_0')") == [(None,)]
    assert scratch.rows() == [(PARTITION + 10, 300)]
    assert scratch.query("SELECT first_index FROM needtoknow.recipient_slice") == [(PARTITION + 10,)]
    assert "dropped" not in scratch.maintain().stdout


def test_a_partition_whose_dropping_was_cut_short_goes_with_the_next_run(scratch):
    scratch.append(10, first=0)
    scratch.append(300, first=PARTITION)
    scratch.query("ALTER TABLE needtoknow.ledger DETACH PARTITION needtoknow.ledger_0", role="needtoknow_owner")
    scratch.maintain()
    assert scratch.value("SELECT to_regclass('needtoknow.ledger_0')"), "nothing says that its bodies may go"
    scratch.prune(PARTITION)
    scratch.maintain()
    assert scratch.value("SELECT to_regclass('needtoknow.ledger_0')") is None


# Whom it was about.

def test_an_ended_disclosure_loses_subject_and_booking_after_the_policys_period_and_not_before(scratch):
    scratch.policy(disclosures="30d")
    scratch.append(10, age="31 d")
    scratch.append(10, age="29 d")
    scratch.append(10)
    old, young = scratch.disclosure(shared=1, ended=5), scratch.disclosure(shared=2, ended=12)
    live = scratch.disclosure(shared=3)
    owed, confirmed = scratch.disclosure(shared=4, ended=6), scratch.disclosure(shared=4, ended=6)
    retained, released = scratch.disclosure(shared=4, ended=6), scratch.disclosure(shared=4, ended=6)
    scratch.withdrawal(owed, 6)
    scratch.withdrawal(confirmed, 6, confirmed=7)
    scratch.withdrawal(retained, 6, confirmed=7, retained_until="1 day")
    scratch.withdrawal(released, 6, confirmed=7, retained_until="-1 day")
    assert "disclosures: 3 that ended over 30d ago lost" in scratch.maintain().stdout
    for gone in (old, confirmed, released):
        assert scratch.query(WHO, gone) == [(None, None)]
    for kept in (young, live, owed, retained):
        assert scratch.query(WHO, kept) == [("C1", "B1")]
    assert "disclosures: 0 that" in scratch.maintain().stdout


def test_a_reference_follows_its_disclosure_and_else_its_own_age(scratch):
    scratch.policy(disclosures="30d")
    scratch.append(10, age="31 d")
    scratch.append(10)
    old, live = scratch.disclosure(shared=1, ended=5), scratch.disclosure(shared=2)
    scratch.reference(5, old)
    scratch.reference(6, live)
    scratch.reference(7)                       # a refusal
    scratch.reference(8, subject="C2")         # an objection that is still in force
    scratch.reference(12)                      # a refusal of today
    scratch.query("INSERT INTO needtoknow.right_in_force (subject_id, kind, ledger_index) VALUES ('C2', 3, 8)")
    assert "other entries: 2 that" in scratch.maintain().stdout
    kept = [("C1", "B1", "au téléphone", "sparkle")]
    assert [scratch.query(REFERENCE, index) == kept for index in (6, 12)] == [True, True]
    assert scratch.query(REFERENCE, 8)[0][0] == "C2"
    assert [scratch.query(REFERENCE, index) for index in (5, 7)] == [[(None, None, None, "sparkle")]] * 2


def test_age_is_known_also_where_bodies_are_gone(scratch):
    """Bodies may be kept for less time than disclosures: the checkpoints tell then how old entries are."""
    scratch.policy(disclosures="30d")
    scratch.append(256, age="40 d")
    scratch.append(256, age="20 d")
    scratch.append(10)
    for size, age in ((256, "39 d"), (512, "19 d")):
        scratch.checkpoint(size, age)
    old, young = scratch.disclosure(shared=1, ended=255), scratch.disclosure(shared=2, ended=257)
    scratch.prune(512)
    scratch.maintain()
    assert scratch.rows() == [(512, 10)]
    assert scratch.query(WHO, old) == [(None, None)]
    assert scratch.query(WHO, young) == [("C1", "B1")]


def test_what_was_cleared_cannot_be_recognised_by_what_was_asked(scratch):
    scratch.policy(disclosures="30d")
    scratch.append(10, age="31 d")
    scratch.append(1)
    ended = scratch.disclosure(shared=1, ended=5)
    scratch.query("UPDATE needtoknow.disclosure SET request_digest = decode(repeat('ab', 16), 'hex')")
    scratch.maintain()
    assert bytes(scratch.value("SELECT request_digest FROM needtoknow.disclosure WHERE disclosure_id = %s", ended)) == bytes(16)


def test_the_last_policy_in_force_says_how_long(scratch):
    scratch.policy(disclosures="30d")
    scratch.policy(disclosures="1y")
    scratch.append(10, age="31 d")
    scratch.append(1)
    ended = scratch.disclosure(shared=1, ended=5)
    scratch.maintain()
    assert scratch.query(WHO, ended) == [("C1", "B1")]


def test_a_request_id_is_free_again_after_30_days_and_not_while_what_it_made_lives(scratch):
    scratch.append(10)
    ended, live = scratch.disclosure(shared=1, ended=5), scratch.disclosure(shared=2)

    def asked(key, days, *disclosures):
        scratch.query("INSERT INTO needtoknow.request SELECT %s, decode(repeat('ab', 16), 'hex'), %s::uuid[], '{3}',"
                      " clock_timestamp() - make_interval(days => %s)", f"{key:032x}", list(disclosures), days)
    asked(1, 31, ended)
    asked(2, 29, ended)
    asked(3, 31, ended, live)
    asked(4, 31)
    left = lambda: [int(str(key).replace("-", ""), 16) for (key,) in
                    scratch.query("SELECT request_key FROM needtoknow.request ORDER BY request_key")]
    assert "requests: 2 over 30 days old and of what has ended to be removed" in scratch.maintain("--dry-run").stdout
    assert left() == [1, 2, 3, 4]
    assert "requests: 2 over 30 days old and of what has ended removed" in scratch.maintain().stdout
    assert left() == [2, 3]


def test_the_register_forgets_whose_an_answered_request_was_and_its_request_id_lives_as_long(scratch):
    scratch.policy(disclosures="60d")
    scratch.append(10)

    def asked(key, answered_days, state=2):
        scratch.query("INSERT INTO needtoknow.rights_request (request_key, ledger_index, caller, request_id, subject_id, kind, channel,"
                      " received_at, began_at, due_at, extended_because, state, answered_at)"
                      " SELECT %s::uuid, 3, 'desk', 'r', 'C1', 4, 1, t, t, t, 'many', %s, CASE WHEN %s <> 1 THEN t END"
                      " FROM (SELECT clock_timestamp() - make_interval(days => %s) AS t) AS x", f"{key:032x}", state, state, answered_days)
        scratch.query("INSERT INTO needtoknow.request SELECT %s::uuid, decode(repeat('ab', 16), 'hex'), '{}', '{3}',"
                      " clock_timestamp() - make_interval(days => %s)", f"{key:032x}", answered_days)
    for key, days, state in ((1, 61, 2), (2, 59, 2), (3, 61, 3), (4, 400, 1)):
        asked(key, days, state)
    number = lambda key: int(str(key).replace("-", ""), 16)
    named = lambda: [number(key) for (key,) in scratch.query(
        "SELECT request_key FROM needtoknow.rights_request WHERE (subject_id, request_id, extended_because) = ('C1', 'r', 'many') ORDER BY 1")]
    kept = lambda: [number(key) for (key,) in scratch.query("SELECT request_key FROM needtoknow.request ORDER BY 1")]
    assert "register: 2 that were answered over 60d ago to lose their client and request id" in scratch.maintain("--dry-run").stdout
    assert named() == kept() == [1, 2, 3, 4]
    assert "register: 2 that were answered over 60d ago lost their client and request id" in scratch.maintain().stdout
    assert named() == kept() == [2, 4], "what is not answered yet, or not long ago, is whose it was"
    assert scratch.query("SELECT DISTINCT kind, subject_id, request_id, extended_because FROM needtoknow.rights_request"
                         " WHERE request_id IS NULL") == [(4, None, None, "")]


# The command.

def test_a_dry_run_says_the_same_and_changes_nothing(scratch):
    scratch.policy(disclosures="30d")
    scratch.append(300, age="31 d", recipient="sparkle")
    scratch.append(300, age="31 d", recipient="sparkle")
    scratch.append(1)
    scratch.disclosure(shared=1, ended=5)
    scratch.reference(7)
    scratch.prune(512)
    state = lambda: (scratch.rows(), scratch.partitions(), scratch.query("SELECT * FROM needtoknow.recipient_slice"),
                     scratch.query("SELECT xmin, * FROM needtoknow.disclosure"), scratch.query("SELECT xmin, * FROM needtoknow.entry_reference"))
    before = state()
    said = scratch.maintain("--dry-run").stdout
    assert state() == before
    for planned, happened in (("to be ", ""), ("to lose", "lost")):
        said = said.replace(planned, happened)
    assert said == "".join(line for line in scratch.maintain().stdout.splitlines(True) if not line.startswith("space:"))
    assert all(was != now for was, now in zip(before, state()))


def test_who_may_act_as_the_owner_makes_what_is_the_owners(scratch):
    scratch.maintain(role="postgres")
    assert scratch.value("SELECT relowner::regrole::text FROM pg_class WHERE oid = 'needtoknow.ledger_2'::regclass") == "needtoknow_owner"


def test_a_second_run_waits_for_the_first(scratch):
    scratch.query("SELECT pg_advisory_lock(hashtextextended('needtoknow.maintain', 0))")
    done = []
    second = Thread(target=lambda: done.append(scratch.maintain()))
    second.start()
    until(lambda: scratch.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"), what="a run that waits")
    assert not done and len(scratch.partitions()) == 2
    scratch.query("SELECT pg_advisory_unlock(hashtextextended('needtoknow.maintain', 0))")
    second.join(60)
    assert done[0].returncode == 0 and len(scratch.partitions()) == 3


@pytest.mark.parametrize("uri, said", [("postgresql:///nowhere?host={socket}&user=needtoknow_owner", 'database "nowhere" does not exist'),
                                       ("postgresql:///postgres?host={socket}&user=needtoknow_owner", "run `needtoknowd migrate`")])
def test_what_cannot_be_maintained_is_said_and_fails(world, uri, said):
    socket = world.sandbox.query("SHOW unix_socket_directories")[0][0]
    done = maintain(world.sandbox, uri=uri.format(socket=socket), check=False)
    assert done.returncode == 1 and done.stdout == "" and said in done.stderr
