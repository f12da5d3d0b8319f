"""A second daemon, with the first one's keys, over another database of the same cluster: what is left after somebody was at the database."""

import os
import re
import shutil
import signal
import socket
import subprocess
from datetime import datetime, timezone

import grpc

from . import protos
from .client import Client
from .refusal import refusal_of
from .waiting import until


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_needtoknow(sandbox, address, *words):
    """The auditor's command line against a service: (exit status, all that it said)."""
    certificate, key = sandbox.key_pair("auditor")
    done = subprocess.run(
        [sandbox.config.parent / "bin" / "needtoknow", *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
        env={**os.environ, "NEEDTOKNOW_ADDRESS": address, "NEEDTOKNOW_CA": str(sandbox.ca), "NEEDTOKNOW_CERT": str(certificate),
             "NEEDTOKNOW_KEY": str(key)})
    return done.returncode, done.stdout


class Impostor:
    """`state`: a directory whose copy is the daemon's state_dir; None: it remembers nothing. As a context."""

    def __init__(self, sandbox, database, directory, state):
        self.sandbox, self.directory = sandbox, directory
        directory.mkdir()
        shutil.copytree(state, directory / "state") if state else (directory / "state").mkdir()
        self.address = f"127.0.0.1:{free_port()}"
        text = sandbox.config.read_text()
        for pattern, replacement in ((r"(?m)^listen:.*$", f"listen: {self.address}"),
                                     (r"(?m)^metrics_listen:.*$", f"metrics_listen: 127.0.0.1:{free_port()}"),
                                     (r"(?m)^state_dir:.*$", f"state_dir: {directory}/state"),
                                     (r"postgresql:///company\?", f"postgresql:///{database}?")):
            text, count = re.subn(pattern, replacement, text)
            assert count, pattern
        for name in ("certs", "ledger.key", "policy.yaml"):
            (directory / name).symlink_to(sandbox.config.parent / name)
        self.config = directory / "needtoknowd.yaml"
        self.config.write_text(text)
        for path in [directory, *directory.rglob("*")]:
            os.chown(path, sandbox.user, sandbox.group, follow_symlinks=False)
        self.log_path = directory / "log"

    def __enter__(self):
        self.started_at = datetime.now(timezone.utc)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [self.sandbox.binary, "run", "--config", self.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=self.sandbox.user,
                group=self.sandbox.group, extra_groups=[], start_new_session=True, cwd=self.directory)
        self.auditor = Client(self.address, self.sandbox.ca, *self.sandbox.key_pair("auditor"))
        try:
            # A client that knocks before anybody listens gives its next attempts little time, which a busy machine exceeds.
            until(lambda: "ready:" in self.log(), 60, f"readiness in {self.log_path}")
            until(self._serving, 30, "SERVING")
        except AssertionError as error:
            self.__exit__()
            raise AssertionError(f"{error}; the log ends:\n{self.log()[-3000:]}") from None
        return self

    def __exit__(self, *_):
        self.auditor.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()

    def _serving(self):
        assert self.process.poll() is None, self.log()
        try:
            answer = self.auditor.health.Check(protos.health.HealthCheckRequest(), timeout=2)
        except grpc.RpcError:
            return False
        return answer.status == protos.health.HealthCheckResponse.SERVING

    def log(self):
        return self.log_path.read_text(errors="replace")

    def checkpoint(self):
        """(size, None), or (None, the reason of a refusal)."""
        try:
            return self.auditor.audit.GetCheckpoint(protos.audit.GetCheckpointRequest(), timeout=5).size, None
        except grpc.RpcError as error:
            return None, refusal_of(error).reason
