"""What a company would write for the same job, in C++ and in Python (peers/), on the same cluster: a transaction a request."""

import json
import socket
import subprocess
import sys
from pathlib import Path

from .load import measure
from .setting import BENCH, build, cpu_seconds

POOL = 16  # connections to the database
CONNECTIONS = 16  # of the caller, as the booking system has
IN_FLIGHT = 64  # more only wait


def prepare():
    """Builds what is asked and who asks; says what is missing for that."""
    missing = [f"{library} (deploy/install-packages bench)" for library in ("grpc++", "protobuf")
               if subprocess.run(["pkg-config", "--exists", library], check=False).returncode]
    if missing:
        raise RuntimeError("the peers cannot be built without " + ", ".join(missing))
    build("peer_cpp", "peer_load")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Peer:
    """One of them and who asks it. As a context."""

    def __init__(self, setting, language):
        self.setting, self.language, self.processes = setting, language, []

    def __enter__(self):
        values, address = self.setting.values, f"127.0.0.1:{free_port()}"
        arguments = [address, values["CERTS"], values["CA"], values["PGURI"], str(POOL)]
        try:
            self.server = self._start(self._program() + arguments + self._stubs(), stdin=subprocess.DEVNULL)
            if self.server.stdout.readline().strip() != "ready":
                raise RuntimeError(f"the peer in {self.language} did not start")
            self.client = self._start([self.setting.build / "bin" / "peer_load", address, values["CA"], values["CERTS"],
                                       str(self.setting.clients), str(CONNECTIONS), str(IN_FLIGHT)], stdin=subprocess.PIPE)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self, command, stdin):
        process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def _program(self):
        if self.language == "cpp":
            return [self.setting.build / "bin" / "peer_cpp"]
        return [sys.executable, "-B", BENCH / "peers" / "peer.py"]

    def _stubs(self):
        if self.language == "cpp":
            return []
        directory = self.setting.directory / "peer"
        directory.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={BENCH / 'peers'}", f"--python_out={directory}",
                        f"--grpc_python_out={directory}", "peer.proto"], check=True)
        return [directory]

    def __exit__(self, *_):
        for process in reversed(self.processes):
            if process.stdin:
                process.stdin.close()
            process.terminate()
            try:
                process.wait(10)
            finally:
                process.kill()
                process.wait()

    def get(self, count):
        """Its report; every answer had its values, and the log has a row for each."""
        rows = self._rows()

        def run():
            before = cpu_seconds(self.server.pid)
            self.client.stdin.write(f"get count={count}\n")
            self.client.stdin.flush()
            answer = self.client.stdout.readline()
            if not answer:
                raise RuntimeError(f"asking the peer in {self.language} failed")
            self.server_cpu = cpu_seconds(self.server.pid) - before
            return json.loads(answer)

        report = measure(self.setting, run)
        report["cpu"]["daemon"] = self.server_cpu
        logged = self._rows() - rows
        if logged != count:
            raise RuntimeError(f"the peer in {self.language} answered {count} and logged {logged}")
        return report

    def _rows(self):
        return int(self.setting.psql("-c", "SELECT count(*) FROM bench.log"))
