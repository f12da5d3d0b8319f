"""A release build in a sandbox of its own, and what its processes use."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BENCH = ROOT / "tests" / "bench"
SANDBOX = ROOT / "deploy" / "sandbox"
TICKS = os.sysconf("SC_CLK_TCK")


def build(*more):
    """The directory with a release build of all that is needed, and of `more` targets."""
    given = os.environ.get("NEEDTOKNOW_BUILD")
    if given:
        return Path(given)
    script = f"root={ROOT}; for part in terminal build; do source $root/deploy/lib/$part.sh; done; " \
        f"build release needtoknowd needtoknow needtoknow_load {' '.join(more)}"
    subprocess.run(["bash", "-euc", script], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return ROOT / "build" / "release"


def stat_fields(pid):
    """/proc/PID/stat behind the name, from `state` on; None when it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def family(pid):
    """A process and its children."""
    found = [pid]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = stat_fields(entry.name)
            if fields and int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def cpu_seconds(pid):
    """Of a process, its children, and those of theirs that have ended."""
    total = 0
    for member in family(pid):
        fields = stat_fields(member)
        if fields:
            total += sum(int(field) for field in fields[11:15])  # utime, stime, and both of children that were waited for
    return total / TICKS


def resident_bytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} has no resident memory")


def settled_bytes(pid, wait=time.sleep):
    """Resident bytes, once they have not moved for half a second: connections that have just closed are still being freed. `wait` is given
    the seconds that it is to take."""
    deadline = time.monotonic() + 10
    before = resident_bytes(pid)
    while time.monotonic() < deadline:
        wait(0.5)
        now = resident_bytes(pid)
        if now == before:
            break
        before = now
    return before


class Setting:
    """As a context: everything it started ends with it, whatever happens in between."""

    def __init__(self, clients, workers=1, shared_buffers="1GB"):
        self.clients, self.worker_count, self.shared_buffers = clients, workers, shared_buffers
        self.directory = Path(tempfile.mkdtemp(prefix="needtoknow-bench-"))
        self.directory.chmod(0o755)  # the database's account goes through it
        self.build = build()

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: exit(128 + signal.SIGTERM))
        try:
            self._up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _up(self):
        answer = subprocess.run(
            [SANDBOX, "up", "--release", "--dir", self.directory / "sandbox", "--clients", str(self.clients),
             "--workers", str(self.worker_count), "--policy", BENCH / "policy.yaml"],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "NEEDTOKNOW_BUILD": str(self.build), "SANDBOX_SHARED_BUFFERS": self.shared_buffers})
        self.values = dict(line.split("=", 1) for line in answer.stdout.splitlines() if "=" in line)
        self.daemon = int(self.values["PID"])
        self.postgres = int((self.directory / "sandbox" / "data" / "postmaster.pid").read_text().split("\n", 1)[0])

    def __exit__(self, *_):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        subprocess.run([SANDBOX, "down", "--dir", self.directory / "sandbox"], check=False, stdin=subprocess.DEVNULL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def psql(self, *arguments):
        """As the superuser; what it prints."""
        return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.values["PGURI"], *map(str, arguments)],
                              check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout.strip()

    def workers(self):
        return [pid for pid in family(self.daemon) if pid != self.daemon]

    def cpu(self):
        return {"daemon": cpu_seconds(self.daemon), "postgresql": cpu_seconds(self.postgres)}
