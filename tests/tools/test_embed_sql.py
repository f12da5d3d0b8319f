"""tools/embed_sql: what it makes of SQL, and what it refuses."""

import subprocess
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "embed_sql"


def embed(tmp_path, statements="", migrations=()):
    (tmp_path / "calls.sql").write_text(statements)
    paths = [tmp_path / name for name, _ in migrations]
    for path, (_, text) in zip(paths, migrations):
        path.write_text(text)
    return subprocess.run([TOOL, tmp_path, tmp_path / "calls.sql", "--", *paths], capture_output=True, text=True)


def test_what_is_compiled_says_what_was_written(tmp_path):
    """Strings with everything that C or SQL treats specially, printed by the compiled program."""
    statement = "SELECT 'é ??= \\ \"', $2::text[], '$9', $1::int8"
    migration = "-- kept\nCREATE TABLE \"t\" (a text DEFAULT '\\n??/');\n"
    text = f"-- A file.\n\n-- name: first\n-- why\n{statement};\n-- name: second\nSELECT 1\n\tFROM x\n;\n"
    done = embed(tmp_path, text, [("0002_b.sql", "b"), ("0001_a.sql", migration)])
    assert done.returncode == 0, done.stderr
    (tmp_path / "io").mkdir()
    (tmp_path / "io" / "database.h").write_text("#include <stddef.h>\nstruct statement { const char *name, *text; int parameters; };\n")
    (tmp_path / "main.c").write_text(
        '#include "sql.h"\n#include <stdio.h>\nint main(void)\n{\n'
        'printf("%s|%s|%d|%s|%d|", sql_first.name, sql_first.text, sql_first.parameters, sql_second.text, sql_second.parameters);\n'
        'for (int i = 0; i < migration_count; i++) printf("%d|%s|%s|", migrations[i].number, migrations[i].name, migrations[i].text);\n}\n')
    subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{tmp_path}", "-o", tmp_path / "main", tmp_path / "main.c",
                    tmp_path / "sql.c"], check=True)
    said = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout
    assert said == f"first|{statement}|2|SELECT 1\n\tFROM x\n|0|1|a|{migration}|2|b|b|"


def test_nothing_is_fine_too(tmp_path):
    assert embed(tmp_path).returncode == 0
    assert "migration_count = 0" in (tmp_path / "sql.c").read_text()


@pytest.mark.parametrize("text, said", [
    ("SELECT 1;\n", "calls.sql:1: SQL outside a block"),
    ("-- name: a\nSELECT 1\n", "a has no ';'"),
    ("-- name: a\nSELECT 1\n-- name: b\nSELECT 2;\n", "calls.sql:1: statement a has no ';'"),
    ("-- name: a\n;\n", "a is empty"),
    ("-- name: A\nSELECT 1;\n", "'A' is no name"),
    ("-- name: two words\nSELECT 1;\n", "'two words' is no name"),
    ("-- name: a\nSELECT 1;\n-- name: a\nSELECT 1;\n", "already"),
    ("-- name: a\nSELECT $2::int;\n", "$1 is not used"),
    ("-- name: a\nSELECT $1;\n", "$1 has no cast"),
])
def test_a_slip_ends_the_build(tmp_path, text, said):
    done = embed(tmp_path, text)
    assert done.returncode != 0 and said in done.stderr, done.stderr


@pytest.mark.parametrize("names", [["0002_a.sql"], ["0001_a.sql", "0003_b.sql"], ["0001_a.sql", "0001_b.sql"], ["1_a.sql"]])
def test_migrations_are_numbered_without_a_gap(tmp_path, names):
    done = embed(tmp_path, migrations=[(name, "SELECT 1;") for name in names])
    assert done.returncode != 0 and names[-1] in done.stderr, done.stderr
