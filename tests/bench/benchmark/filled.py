"""A sandbox whose ledger has a past."""

import os
import signal
import subprocess
import time

from .fill import fill
from .setting import SANDBOX, Setting, cpu_seconds, resident_bytes

CLIENTS = 100_000  # of the company's tables; the ledger's are more


class Filled(Setting):
    """As a context, like a Setting; `entries` and `root` are what the filler made."""

    def __init__(self, entries, shape, shared_buffers, say):
        super().__init__(CLIENTS, shared_buffers=shared_buffers)
        self.wanted, self.shape, self.say = entries, shape, say

    def _up(self):
        super()._up()
        self._stop()
        started = time.monotonic()
        self.entries, self.root = fill(self.values["PGURI"], self.wanted, self.shape, int(time.time() * 1e6), self.say)
        self.filled_in = time.monotonic() - started
        for note in (self.directory / "sandbox" / "state").rglob("checkpoint*"):
            note.unlink()
        self.psql("-c", "VACUUM ANALYZE")
        self._restart()
        self.signing = self._signed()
        self._settle()

    def _settle(self):
        """What filling and signing left to do is done before anything is measured, and what fits in PostgreSQL's memory is there."""
        self.psql("-c", "VACUUM ANALYZE", "-c", "CHECKPOINT")
        self.psql("-c", "CREATE EXTENSION pg_prewarm", "-c",
                  "SELECT sum(pg_prewarm(c.oid)) FROM pg_class AS c WHERE c.relkind IN ('r', 'i', 't') AND c.oid >= 16384",
                  "-c", "DROP EXTENSION pg_prewarm")

    def _stop(self):
        os.kill(self.daemon, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while os.path.exists(f"/proc/{self.daemon}"):
            if time.monotonic() > deadline:
                raise RuntimeError("the daemon does not end")
            time.sleep(0.05)

    def _restart(self):
        answer = subprocess.run([SANDBOX, "restart", "--dir", self.directory / "sandbox"], check=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, text=True)
        self.values = dict(line.split("=", 1) for line in answer.stdout.splitlines() if "=" in line)
        self.daemon = int(self.values["PID"])

    def _signed(self):
        """Until the signer has tiled and signed what is there: {seconds, entries_per_second, cpu}."""
        started, deadline = time.monotonic(), time.monotonic() + 60 + self.entries / 5_000
        told = started
        while (size := self.published()) < self.entries:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the last checkpoint has {size:,} of {self.entries:,} entries; the daemon's log ends:\n"
                                   + self.log()[-2000:])
            if time.monotonic() - told > 10:
                told = time.monotonic()
                self.say(f"signing: {self.tiled():,} of {self.entries:,} entries are tiled")
            time.sleep(0.1)
        seconds = time.monotonic() - started
        return {"seconds": seconds, "entries_per_second": self.entries / seconds, "cpu_seconds": cpu_seconds(self.daemon)}

    def published(self):
        return int(self.psql("-c", "SELECT coalesce(max(size), 0) FROM needtoknow.checkpoint"))

    def tiled(self):
        return 256 * int(self.psql("-c", "SELECT coalesce(max(number) + 1, 0) FROM needtoknow.tile WHERE level = 0"))

    def wait_published(self):
        """Until the last checkpoint covers the head; its size."""
        size = int(self.psql("-c", "SELECT size FROM needtoknow.head"))
        deadline = time.monotonic() + 60
        while (published := self.published()) < size:
            if time.monotonic() > deadline:
                raise RuntimeError(f"no checkpoint of {size:,} entries")
            time.sleep(0.05)
        return published

    def verifier_key(self):
        return self.directory / "sandbox" / "ledger.vkey"

    def log(self):
        return (self.directory / "sandbox" / "needtoknowd.log").read_text(errors="replace")

    def resident(self):
        return max(resident_bytes(pid) for pid in self.workers() or [self.daemon])

    def database_bytes(self):
        return int(self.psql("-c", "SELECT pg_database_size(current_database())"))

    def command(self, *words):
        """needtoknow as the auditor: its seconds, CPU seconds, and what it printed."""
        certificates = self.directory / "sandbox" / "certs"
        environment = {**os.environ, "NEEDTOKNOW_ADDRESS": self.values["ADDRESS"], "NEEDTOKNOW_CA": str(certificates / "ca.crt"),
                       "NEEDTOKNOW_CERT": str(certificates / "auditor.crt"), "NEEDTOKNOW_KEY": str(certificates / "auditor.key"),
                       "NEEDTOKNOW_VKEY": str(self.verifier_key())}
        started = time.monotonic()
        with subprocess.Popen([self.build / "bin" / "needtoknow", *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=environment) as process:
            said = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"needtoknow {' '.join(map(str, words))} ended with {process.returncode}:\n{said[-2000:]}")
        return {"seconds": time.monotonic() - started, "cpu_seconds": usage.ru_utime + usage.ru_stime, "said": said}
