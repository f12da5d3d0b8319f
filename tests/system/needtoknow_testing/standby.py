"""Two PostgreSQL clusters under one sandbox: a primary, a synchronous standby, the fail-over to it, and the way back.

    pair = Pair.up(sandbox)      the sandbox's cluster is the primary; the daemon is restarted with both hosts
    pair.fail_over()             kills the primary, as a fence does, and promotes the standby
    pair.rejoin()                what died becomes the synchronous standby of who took over

Everything stays under the sandbox's directory, and ends with it.
"""

import os
import pwd
import shlex
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from .paths import POSTGRES_BIN
from .sandbox import alive
from .waiting import until

PORT = 5432


@dataclass
class Node:
    """One cluster. Its data directory's name begins with `data`, by which deploy/sandbox finds what works in it."""
    name: str
    data: Path
    socket: Path
    log: Path

    def uri(self, user="postgres", database="company"):
        return f"postgresql:///{database}?host={self.socket}&port={PORT}&user={user}"

    def query(self, sql, *parameters):
        """Rows, from this cluster whatever it is."""
        connection = psycopg2.connect(self.uri())
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def answers(self):
        try:
            return self.query("SELECT 1") == [(1,)]
        except psycopg2.Error:
            return False

    def processes(self):
        """Those that work in the data directory: the postmaster and whoever it started."""
        return [int(entry.name) for entry in Path("/proc").iterdir()
                if entry.name.isdigit() and _works_in(entry, self.data) and alive(int(entry.name))]

    def signal(self, number):
        for pid in self.processes():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill(self):
        """SIGKILL to all of it at once: no goodbye, and no write afterwards."""
        self.signal(signal.SIGKILL)
        until(lambda: not self.processes(), 10, f"the end of cluster {self.name}")
        self._remove_shared_memory()

    def _remove_shared_memory(self):
        """The segment whose id is in the pid file outlives a postmaster that was killed."""
        try:
            segment = (self.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
        except (FileNotFoundError, IndexError):
            return
        subprocess.run(["ipcrm", "-m", segment], check=False, capture_output=True)

    def start(self):
        self.run("pg_ctl", "start", "-w", "-t", "60", "-s", "-D", self.data, "-l", self.log)

    def run(self, program, *arguments):
        """One of PostgreSQL's programs, as the account that the clusters belong to."""
        account = pwd.getpwuid(self.data.parent.joinpath("data").stat().st_uid).pw_name
        command = [str(POSTGRES_BIN / program), *map(str, arguments)]
        if os.geteuid() == 0:
            command = ["runuser", "-u", account, "--", *command]
        # A server inherits its standard output: a pipe would never end.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", timeout=120,
                                  check=False)
            output.seek(0)
            assert done.returncode == 0, f"{shlex.join(command)}: {output.read()}"


def _works_in(process, directory):
    try:
        return Path(os.readlink(process / "cwd")) == directory
    except OSError:
        return False


class Pair:
    """`primary` and `standby` change places with each fail-over; `standby` is None until the old primary has rejoined."""

    def __init__(self, sandbox):
        root = sandbox.directory
        self.sandbox = sandbox
        self.primary = Node("a", sandbox.pgdata, root / "socket", root / "postgres.log")
        self.standby = None
        self.dead = Node("b", root / "data-b", root / "socket-b", root / "postgres-b.log")
        self.promoted = None  # when the last promotion was complete, by time.monotonic()

    @classmethod
    def up(cls, sandbox):
        pair = cls(sandbox)
        pair.rejoin()
        pair._tell_the_daemon()
        return pair

    def nodes(self):
        return [self.primary, self.standby or self.dead]

    def uri(self, user="postgres"):
        """Both hosts, the one that takes writes wanted: what a client in front of a fail-over is given."""
        a, b = sorted(self.nodes(), key=lambda node: node.name)
        return (f"postgresql:///company?host={a.socket},{b.socket}&port={PORT},{PORT}&user={user}"
                "&target_session_attrs=read-write")

    def _tell_the_daemon(self):
        sandbox = self.sandbox
        text = sandbox.config.read_text()
        for role in ("state", "source", "rights", "audit"):
            one = self.primary.uri(f"needtoknow_{role}")
            assert one in text, f"{sandbox.config} has no {one}"
            text = text.replace(one, self.uri(f"needtoknow_{role}"))
        sandbox.config.write_text(text)
        sandbox.pguri = self.uri()
        sandbox.disconnect()
        sandbox.restart()

    def rejoin(self):
        """What is dead begins anew as the synchronous standby of the primary. Returns once commits wait for it."""
        node = self.dead
        node.kill()
        subprocess.run(["rm", "-rf", str(node.data), str(node.socket)], check=True)
        owner = self.primary.data.stat()
        for directory in (node.data, node.socket):
            directory.mkdir(0o700)
        node.log.touch(0o640)
        for each in (node.data, node.socket, node.log):
            os.chown(each, owner.st_uid, owner.st_gid)
        node.run("pg_basebackup", "-D", node.data, "-c", "fast", "-X", "stream", "-R", "--no-sync",
                 "-d", f"host={self.primary.socket} port={PORT} user=postgres application_name={node.name}")
        with (node.data / "postgresql.conf").open("a") as conf:
            conf.write(f"unix_socket_directories = '{node.socket}'\n")
        node.start()
        self._wait_for_standbys(self.primary, node.name)
        until(lambda: self.primary.query("SELECT sync_state FROM pg_stat_replication WHERE application_name = %s AND "
                                         "state = 'streaming'", node.name) == [("sync",)], 30, "a synchronous standby")
        self.standby, self.dead = node, None

    def _wait_for_standbys(self, node, names):
        """Whose flush a commit on this node waits for; nobody's when empty."""
        node.query(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        node.query("SELECT pg_reload_conf()")
        until(lambda: node.query("SHOW synchronous_standby_names") == [(names,)], 10, "the setting")

    def alone(self):
        """The primary no longer waits for a standby, as Patroni decides when there is none."""
        self._wait_for_standbys(self.primary, "")

    def kill_primary(self):
        """The fence: whatever the old primary would still have said, it does not say any more."""
        self.primary.kill()

    def promote(self, fenced=True):
        """The standby takes over; the primary must be dead, unless a fence that failed is the test. Returns when it takes writes."""
        assert not fenced or not self.primary.processes(), "two primaries: the old one is not fenced"
        node = self.standby
        # The copy has the primary's own setting when it was made again in between; nobody is there to wait for.
        self._wait_for_standbys(node, "")
        node.run("pg_ctl", "promote", "-w", "-t", "60", "-D", node.data)
        assert node.query("SELECT pg_is_in_recovery()") == [(False,)]
        self.promoted = time.monotonic()
        self.primary, self.standby, self.dead = node, None, self.primary
        self.sandbox.pgdata = node.data
        self.sandbox.disconnect()

    def fail_over(self):
        self.kill_primary()
        self.promote()
        return self.promoted
