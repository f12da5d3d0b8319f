"""A running needtoknow with a PostgreSQL of its own, as deploy/sandbox makes it, and what tests do to it."""

import os
import pwd
import re
import shlex
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import psycopg2

from . import protos
from .client import Client
from .paths import POSTGRES_BIN, SANDBOX, build
from .waiting import until

SERVING = protos.health.HealthCheckResponse.SERVING


def read_values(text):
    """The KEY=value lines of deploy/sandbox."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and line.split("=", 1)[0].isupper())


def process_stat(pid):
    """(state, parent) of a process, or None."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent = text.rsplit(")", 1)[1].split()[:2]
    return state, int(parent)


def children_of(pid):
    """Living processes whose parent is pid."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            stat = process_stat(entry.name)
            if stat and stat[1] == int(pid) and stat[0] != "Z":
                found.append(int(entry.name))
    return found


def alive(pid):
    stat = process_stat(pid)
    return stat is not None and stat[0] not in "ZX"


class Sandbox:
    """up() and down() belong together; the daemon and PostgreSQL may be stopped and started in between."""

    def __init__(self, values, directory):
        self.directory = Path(values.get("DIR", directory))
        self.values = values
        self.address = values["ADDRESS"]
        self.ca = Path(values["CA"])
        self.certs = Path(values["CERTS"])
        self.vkey = values["VKEY"]
        self.pguri = values["PGURI"]
        self.config = Path(values["CONFIG"])
        self.metrics_address = values["METRICS"]
        self.log_path = Path(values["LOG"])
        self.pid = int(values["PID"])
        self._clients = {}
        self._mine = None
        self._connection = None
        self._remember_how_it_was_started()
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW data_directory")
            self.pgdata = Path(cursor.fetchone()[0])
        connection.close()

    @classmethod
    def up(cls, *, policy=None, clients=400, workers=1, preset="debug", config=None):
        """`config`: a function that is given the configuration file's text and returns another; the daemon is then restarted."""
        environment = dict(os.environ)
        if preset != "debug":
            environment["NEEDTOKNOW_BUILD"] = str(build(preset))
        directory = tempfile.mkdtemp(prefix="needtoknow-test-")
        Path(directory).chmod(0o755)  # PostgreSQL's account passes through it
        command = [str(SANDBOX), "up", "--dir", f"{directory}/sandbox", "--clients", str(clients), "--workers", str(workers)]
        if policy:
            path = Path(directory) / "policy.yaml"
            path.write_text(policy)
            command += ["--policy", str(path)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=900)
        if done.returncode != 0:
            subprocess.run([str(SANDBOX), "down", "--dir", f"{directory}/sandbox"], check=False, capture_output=True)
            subprocess.run(["rm", "-rf", directory], check=True)
            raise RuntimeError(f"{shlex.join(command)} failed:\n{done.stdout}\n{done.stderr}")
        sandbox = cls(read_values(done.stdout), f"{directory}/sandbox")
        sandbox._around = Path(directory)
        if config:
            sandbox.config.write_text(config(sandbox.config.read_text()))
            sandbox.restart()
        elif workers > 1:
            sandbox.wait_serving()
        return sandbox

    def down(self):
        for client in self._clients.values():
            client.close()
        if self._connection is not None:
            self._connection.close()
        if self._mine:
            self.kill()
        subprocess.run([str(SANDBOX), "down", "--dir", str(self.directory)], check=True, capture_output=True, timeout=120)
        subprocess.run(["rm", "-rf", str(self._around)], check=True)

    # The callers.

    def client(self, name):
        """The shared client of this certificate."""
        if name not in self._clients:
            self._clients[name] = Client(self.address, self.ca, *self.key_pair(name))
        return self._clients[name]

    def new_client(self, name):
        """One with a connection of its own, to be closed by the caller."""
        return Client(self.address, self.ca, *self.key_pair(name))

    def key_pair(self, name):
        return self.certs / f"{name}.crt", self.certs / f"{name}.key"

    def issue(self, role, name, device=None):
        """One more certificate, by deploy/sandbox itself: paths of certificate and key."""
        command = [str(SANDBOX), "cert", "--dir", str(self.directory), role, name] + ([device] if device else [])
        values = read_values(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout)
        return Path(values["CERT"]), Path(values["KEY"])

    # The database.

    def connect(self, user=None, autocommit=True):
        """As the superuser, or as one of the daemon's roles."""
        connection = psycopg2.connect(self.pguri, **({"user": user} if user else {}))
        connection.autocommit = autocommit
        return connection

    def query(self, sql, *parameters):
        """Rows, on a connection that is kept, and renewed when PostgreSQL was stopped in between."""
        if self._connection is not None:
            try:
                return self._query(sql, parameters)
            except psycopg2.Error as error:
                # A lost connection has no SQLSTATE, or one of class 57 when the server said goodbye.
                if error.pgcode and not error.pgcode.startswith("57P"):
                    raise
                self._connection.close()
        self._connection = self.connect()
        return self._query(sql, parameters)

    def _query(self, sql, parameters):
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def disconnect(self):
        """Nobody of ours is in the database any more: it can be copied."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def postgres_pid(self):
        return int((self.pgdata / "postmaster.pid").read_text().splitlines()[0])

    def stop_postgres(self, mode="immediate"):
        self._pg_ctl("stop", "-m", mode)

    def start_postgres(self):
        # postmaster.opts: the server's path, then the options, as pg_ctl restart would use them again.
        options = shlex.split((self.pgdata / "postmaster.opts").read_text())[1:]
        where = options.index("-D") if "-D" in options else None
        if where is not None:
            del options[where:where + 2]
        self._pg_ctl("start", "-l", str(self.postgres_log()), "-o", shlex.join(options))

    def revive_postgres(self):
        """Starts it unless it answers; one that is on its way down, or recovering, is waited for."""
        def settled():
            try:
                self.connect().close()
                return "answers"
            except psycopg2.OperationalError:
                pid_file = self.pgdata / "postmaster.pid"
                return None if pid_file.exists() and alive(self.postgres_pid()) else "gone"
        if until(settled, 30, "PostgreSQL's recovery or end") == "gone":
            self.start_postgres()

    def postgres_log(self):
        return self.directory / "postgres.log"

    def _pg_ctl(self, *arguments):
        owner = pwd.getpwuid(self.pgdata.stat().st_uid).pw_name
        command = ["runuser", "-u", owner, "--", str(POSTGRES_BIN / "pg_ctl"), "-w", "-D", str(self.pgdata), *arguments]
        # The server inherits its standard output: a pipe would never end.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", timeout=60)
            output.seek(0)
            assert done.returncode == 0, f"{shlex.join(command)}: {output.read()}"

    # The daemon.

    def _remember_how_it_was_started(self):
        process = Path(f"/proc/{self.pid}")
        self.command = [part.decode() for part in (process / "cmdline").read_bytes().split(b"\0")[:-1]]
        self.environment = dict(
            part.decode().split("=", 1) for part in (process / "environ").read_bytes().split(b"\0") if b"=" in part)
        self.cwd = os.readlink(process / "cwd")
        self.user, self.group = process.stat().st_uid, process.stat().st_gid
        self.binary = os.readlink(process / "exe")

    def processes(self):
        """The daemon's, the supervisor first."""
        return [self.pid] + children_of(self.pid)

    def workers(self):
        """Those that serve: the supervisor's children, or the one process that there is."""
        return children_of(self.pid) or [self.pid]

    def kill(self):
        """SIGKILL to all of it at once."""
        processes = self.processes()
        for pid in processes:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._reap()
        until(lambda: not any(alive(pid) for pid in processes), 10, "the daemon's end")

    def _reap(self):
        if self._mine and self._mine.pid == self.pid:
            self._mine.wait(30)

    def exit_status(self, timeout=10):
        """How the daemon ended, where it was we who started it; else None."""
        return self._mine.wait(timeout) if self._mine and self._mine.pid == self.pid else None

    def spawn(self, environment=None):
        """Starts the daemon as the sandbox did, without waiting for it."""
        with open(self.log_path, "ab") as log:
            self._mine = subprocess.Popen(
                self.command, executable=self.binary, cwd=self.cwd, env={**self.environment, **(environment or {})},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=self.user, group=self.group, extra_groups=[],
                start_new_session=True)
        self.pid = self._mine.pid

    def start(self, environment=None):
        self.spawn(environment)
        self.wait_serving()

    def restart(self, environment=None):
        self.kill()
        self.start(environment)

    def wait_gone(self, timeout=30):
        """Until the daemon's worker has ended, as a fault hook makes it; then whatever is left of it is ended too."""
        workers = self.workers()
        until(lambda: not any(alive(pid) for pid in workers) or not alive(self.pid), timeout, "the worker's end")
        self.kill()

    def health(self, timeout=2):
        """The health status, or None when nobody answers. On a connection of its own: a channel backs off."""
        client = self.new_client("admin")
        try:
            return client.health.Check(protos.health.HealthCheckRequest(), timeout=timeout).status
        except Exception:  # whatever it is, it is not an answer
            return None
        finally:
            client.close()

    def wait_serving(self, timeout=30):
        """Until every worker serves: a caller lands on any of them."""
        workers = int(re.search(r"(?m)^workers: (\d+)", self.config.read_text()).group(1))
        each = lambda: workers == 1 or len(re.findall(r"(?m)^needtoknow_worker_serving{.*} 1$", self.metrics())) == workers
        try:
            until(lambda: self.health() == SERVING and each(), timeout, "SERVING", every=0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}; the log ends:\n{self.log()[-3000:]}") from None

    def wait_not_serving(self, timeout=30):
        not_serving = protos.health.HealthCheckResponse.NOT_SERVING
        until(lambda: self.health() == not_serving, timeout, "NOT_SERVING", every=0.05)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def metrics(self, path="/metrics"):
        with urllib.request.urlopen(f"http://{self.metrics_address}{path}", timeout=10) as answer:
            return answer.read().decode()

    def database_now(self):
        return float(self.query("SELECT extract(epoch FROM clock_timestamp())")[0][0])

    def wait_until(self, moment, timeout=30):
        """Until the database's clock has passed a Unix time."""
        until(lambda: self.database_now() > moment, timeout, f"the moment {moment} (now {time.time()})", every=0.05)
