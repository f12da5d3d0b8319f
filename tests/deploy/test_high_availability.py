"""deploy/high-availability: what stands there is understood by the programs that it is for."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg2.extensions
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "deploy" / "high-availability"
sys.path.insert(0, str(ROOT / "tests" / "system"))

from needtoknow_testing.paths import POSTGRES_BIN, program  # noqa: E402


@pytest.fixture(scope="module")
def patroni():
    return yaml.safe_load((HERE / "patroni.yml").read_text())


def test_only_who_has_every_commit_is_promoted(patroni):
    dcs = patroni["bootstrap"]["dcs"]
    assert dcs["synchronous_mode"] is True and dcs["synchronous_node_count"] >= 1
    assert dcs["postgresql"]["parameters"]["synchronous_commit"] in ("on", "remote_apply")


def test_postgresql_knows_each_setting(patroni, tmp_path):
    """`postgres -C NAME` reads and checks the whole configuration, and prints one."""
    given = patroni["bootstrap"]["dcs"]["postgresql"]["parameters"]
    settings = {name: value for name, value in given.items() if not name.startswith("ssl")}
    (tmp_path / "data").mkdir()
    lines = [f"{name} = '{value}'" for name, value in settings.items()]
    (tmp_path / "data" / "postgresql.conf").write_text("\n".join(lines) + "\n")
    for path in [tmp_path / "data", tmp_path, *tmp_path.parents]:
        if path.is_relative_to("/tmp") and str(path) != "/tmp":
            path.chmod(0o755)
    (tmp_path / "data").chmod(0o700)
    command = [POSTGRES_BIN / "postgres", "-D", tmp_path / "data", "-C"]
    if os.geteuid() == 0:
        shutil.chown(tmp_path / "data", "postgres")
        command = ["runuser", "-u", "postgres", "--", *command]
    for name, value in settings.items():
        done = subprocess.run([*map(str, command), name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/",
                              timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == str(value), name


def test_each_role_comes_over_tls_and_from_where_it_belongs(patroni):
    roles = {}
    for line in patroni["postgresql"]["pg_hba"]:
        kind, database, role, rest = line.split(None, 3)
        roles[role] = (kind, database, rest.split()[0])
    for role in ("state", "source", "rights", "audit", "owner"):
        kind, database, address = roles[f"needtoknow_{role}"]
        assert kind == "hostssl" and database == "company" and address.endswith(("/24", "/32"))
    assert not any(kind == "host" for kind, *_ in roles.values())


def test_the_connection_strings_find_the_primary_and_trust_nobody_else():
    database = yaml.safe_load((HERE / "needtoknowd.yaml").read_text())["database"]
    for name, text in database.items():
        parsed = psycopg2.extensions.parse_dsn(text)
        assert parsed["host"].count(",") == 2 and parsed["sslmode"] == "verify-full"
        wanted = "prefer-standby" if name == "audit" else "read-write"
        assert parsed["target_session_attrs"] == wanted, name


def test_the_daemon_understands_its_configuration(tmp_path):
    """Up to the certificates, which are none here."""
    daemon = str(program("needtoknowd"))
    text = (HERE / "needtoknowd.yaml").read_text()
    (tmp_path / "needtoknowd.yaml").write_text(text.replace("/var/lib/needtoknow", str(tmp_path)))
    shutil.copy(ROOT / "deploy" / "policy.yaml", tmp_path)
    for name in ("server.crt", "server.key", "ca.crt"):
        (tmp_path / name).touch(0o600)
    subprocess.run([daemon, "keygen", "--name", "maison-claire.example/needtoknow", "--out", str(tmp_path / "ledger.key")],
                   check=True, stdout=subprocess.DEVNULL, timeout=60)
    done = subprocess.run([daemon, "check", "--offline", "--config", str(tmp_path / "needtoknowd.yaml")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    said = done.stdout.splitlines()
    assert said and not [line for line in said if re.search(r"needtoknowd\.yaml:\d+", line)], said
    assert any("server.crt" in line for line in said), said
