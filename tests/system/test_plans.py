"""Every statement of a train or a decision finds its rows by key, whatever the planner last knew of the tables.

A generic plan made while a table was empty stays for as long as the connection does; one that walks an index for each row turned
milliseconds into minutes once the table had filled.
"""

import re
import subprocess
from pathlib import Path

import psycopg2
import pytest

ROOT = Path(__file__).resolve().parents[2]
KEYED = ["plan_cache_mode = force_generic_plan", "enable_seqscan = off", "enable_bitmapscan = off", "enable_hashjoin = off",
         "enable_mergejoin = off", "jit = off"]
# Once in a while, and of few rows: not by key.
EXEMPT = {"train_keys_forget", "policies_all", "secret_key", "listeners", "head_lock", "head_move", "head_news", "train_find",
          "train_keys_last", "ledger_probe", "train_notify", "ledger_append", "train_keys_append", "durability",
          "register_recipients", "register_activation",
          # Those of a partial index that holds but a few.
          "recipients_barred", "recipients_over", "restrictions_untold",
          # The last row alone.
          "signer_news", "verifier_keys_last", "checkpoint_publish"}


def named_statements(file):
    text = (ROOT / "src" / "sql" / file).read_text()
    for block in re.split(r"^-- name: ", text, flags=re.M)[1:]:
        name, _, body = block.partition("\n")
        yield name, re.sub(r"^--.*\n", "", body, flags=re.M).strip().rstrip(";")


def every_statement():
    for file in ("train.sql", "read.sql", "registry.sql", "report.sql", "audit.sql", "tree.sql", "rights.sql"):
        yield from named_statements(file)


def statements():
    return ((name, text) for name, text in every_statement() if name not in EXEMPT)


def walks(plan):
    """Index scans without a condition, and what should not be there at all."""
    nodes = re.split(r"^(?=.*(?:->|^\w))", "\n".join(plan), flags=re.M)
    for node in nodes:
        scan = re.search(r"(Index (?:Only )?Scan.* on \S+|Seq Scan on \S+|Bitmap Heap Scan on \S+)", node)
        if scan and "Index Cond" not in node and not scan.group(1).endswith(" on head"):  # one row
            yield scan.group(1)


@pytest.fixture(scope="module")
def planner(shared_world):
    """A session as the daemon's, in a database with our schema whose tables were analysed while they were empty."""
    uri = shared_world.sandbox.pguri
    shared_world.sandbox.query("CREATE DATABASE plans")
    schema = subprocess.run(["pg_dump", "--schema-only", "--schema=needtoknow", uri], check=True, capture_output=True, text=True).stdout
    subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", uri.replace("/company?", "/plans?")], input=schema, check=True,
                   capture_output=True, text=True)
    connection = psycopg2.connect(uri.replace("/company?", "/plans?"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        for setting in KEYED:
            cursor.execute(f"SET {setting}")
        yield cursor
    connection.close()
    shared_world.sandbox.query("DROP DATABASE plans")


def plan_of(planner, name, text):
    numbers = sorted({int(number) for number in re.findall(r"\$(\d+)", text)})
    planner.execute(f"PREPARE {name} AS {text}")
    arguments = f"({', '.join('NULL' for _ in numbers)})" if numbers else ""
    planner.execute(f"EXPLAIN EXECUTE {name}{arguments}")
    plan = [line for line, in planner.fetchall()]
    planner.execute(f"DEALLOCATE {name}")
    return plan


@pytest.mark.parametrize("name,text", list(statements()), ids=[name for name, _ in statements()])
def test_a_statement_finds_its_rows_by_key(planner, name, text):
    plan = plan_of(planner, name, text)
    assert list(walks(plan)) == [], "\n".join(plan)


LOOKING = [(name, text) for name, text in every_statement() if name in EXEMPT and "needtoknow.disclosure " in text]


@pytest.mark.parametrize("name,text", LOOKING, ids=[name for name, _ in LOOKING])
def test_what_looks_once_a_second_at_few_rows_does_not_walk_what_is_shared(planner, name, text):
    """The sweeper's: a hundred thousand that live cost 57 ms of every second where this is not so."""
    plan = plan_of(planner, name, text)
    assert [scan for scan in walks(plan) if scan.endswith(" on disclosure")] == [], "\n".join(plan)


def test_every_statement_of_the_sweeper_is_among_them():
    source = (ROOT / "src" / "service" / "sweeper.c").read_text() + (ROOT / "src" / "service" / "clearing.c").read_text()
    used = set(re.findall(r"&sql_(\w+)", source)) - {"train_keys_forget", "restrictions_untold"}  # of other tables
    assert {"expired_next", "recipients_over", "live_of_recipient"} <= used
    assert used <= {name for name, _ in [*statements(), *LOOKING]}


# Which index a walk of the ledger goes by, rather than by that of its primary key.
@pytest.mark.parametrize("name,index,condition", [
    ("entries_rare_forward", "expr_first_index_kinds_idx", "kinds & .* = sets.kinds.*first_index"),
    ("entries_rare_backward", "expr_first_index_kinds_idx", "kinds & .* = sets.kinds.*first_index"),
    ("ledger_bounds", "recorded_at", "recorded_at"),
    ("entries_of_recipient_forward", "recipient_slice_pkey", "recipient_id = "),
    ("entries_of_recipient_backward", "recipient_slice_pkey", "recipient_id = ")])
def test_a_walk_goes_by_the_index_made_for_it(planner, name, index, condition):
    plan = "\n".join(plan_of(planner, name, dict(statements())[name]))
    assert re.search(rf"using \S*{index}\S* on .*\n\s*Index Cond: .*{condition}", plan), plan
