"""The daemon's processes: who dies is replaced or takes the others along in order; who watches is told how they are."""

import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from needtoknow_testing.sandbox import alive, children_of
from needtoknow_testing.waiting import until


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(address, path):
    """(status, text) of a plain GET."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def connects(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Daemon:
    """A second daemon on the sandbox's databases, with ports of its own."""

    def __init__(self, sandbox, directory, changes=(), environment=None, prefix=(), **options):
        # Every directory down to it must let the daemon's account through.
        for each in [directory, *directory.parents]:
            if each.is_relative_to("/tmp") and str(each) != "/tmp":
                each.chmod(each.stat().st_mode | 0o755)
        self.port, metrics_port = free_port(), free_port()
        self.metrics = f"127.0.0.1:{metrics_port}"
        text = sandbox.config.read_text()
        for key, value in [("listen", f"127.0.0.1:{self.port}"), ("metrics_listen", self.metrics), *changes]:
            text = re.sub(rf"(?m)^{key}:.*$", f"{key}: {value}", text)
        text = text.replace("certs/", f"{sandbox.certs}/").replace("policy: ", f"policy: {sandbox.config.parent}/")
        text = text.replace("signing_keys: [", f"signing_keys: [{sandbox.config.parent}/")
        self.config, self.log_path = directory / "needtoknowd.yaml", directory / "log"
        self.config.write_text(text.replace("limits:\n", "limits:\n  drain_timeout_ms: 500\n"))
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*prefix, sandbox.binary, "run", "--config", str(self.config)], stdout=log, stderr=log, cwd=directory,
                env={**os.environ, **(environment or {})}, user=sandbox.user, group=sandbox.group, extra_groups=[],
                **options)

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return self.log_path.read_text()

    def ready(self):
        until(self.is_ready, 20, "readiness")

    def is_ready(self):
        assert self.process.poll() is None, self.log()
        try:
            return get(self.metrics, "/readyz")[0] == 200
        except OSError:
            return False

    def metric(self, name):
        """The values of all workers together."""
        found = re.findall(rf'(?m)^{name}(?:{{[^}}]*}})? (\S+)$', get(self.metrics, "/metrics")[1])
        return sum(map(float, found))

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)


@pytest.fixture
def start(world, tmp_path):
    started = []

    def start_one(*arguments, **keywords):
        started.append(Daemon(world.sandbox, tmp_path, *arguments, **keywords))
        return started[-1]

    yield start_one
    for daemon in started:
        for pid in children_of(daemon.pid) if daemon.process.poll() is None else []:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        daemon.end()
        assert "Sanitizer" not in daemon.log(), daemon.log()


def test_when_the_supervisor_is_killed_its_workers_end(start):
    daemon = start([("workers", 2)])
    daemon.ready()
    workers = children_of(daemon.pid)
    assert len(workers) == 2
    os.kill(daemon.pid, signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in workers), 10, "the workers' end")
    assert not connects(daemon.port)


def test_a_stopped_daemon_leaves_nothing(start):
    daemon = start([("workers", 3)])
    daemon.ready()
    processes = [daemon.pid, *children_of(daemon.pid)]
    assert daemon.end() == 0
    assert not any(alive(pid) for pid in processes)
    assert not connects(daemon.port)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT], ids=lambda number: number.name)
def test_a_worker_that_dies_is_replaced_and_counters_never_fall(start, number):
    daemon = start([("workers", 2)])
    daemon.ready()
    for _ in range(20):
        assert connects(daemon.port)
    name = "needtoknow_connections_accepted_total"
    until(lambda: daemon.metric(name) >= 20, 5, "the connections to be counted")
    before, workers = daemon.metric(name), children_of(daemon.pid)
    os.kill(workers[0], number)
    until(lambda: daemon.metric("needtoknow_worker_starts_total") == 3, 5, "another worker")
    assert daemon.metric(name) >= before
    assert daemon.metric("needtoknow_worker_alive") == 2
    assert workers[0] not in children_of(daemon.pid) and workers[1] in children_of(daemon.pid)
    assert f"was ended by signal {int(number)}" in daemon.log()


def test_without_its_database_it_is_healthy_and_not_ready_and_says_why(start):
    daemon = start([("  state", '"host=/nowhere dbname=company user=needtoknow_state"')])
    until(lambda: "no answer from a database yet" in daemon.log(), 20, "the start")
    until(lambda: connects(daemon.port), 20, "a listening socket")
    assert get(daemon.metrics, "/healthz") == (200, "alive\n")
    until(lambda: "database" in get(daemon.metrics, "/readyz")[1], 20, "why, from a worker that has looked")
    assert get(daemon.metrics, "/readyz")[0] == 503
    assert daemon.metric("needtoknow_worker_serving") == 0


def test_workers_that_never_serve_are_given_up(start):
    daemon = start([("  state", '"host=/nowhere dbname=company user=needtoknow_state"')])
    until(lambda: "starts 1 workers" in daemon.log(), 20, "the start")
    killed = set()

    def give_up():
        # By the log: a sanitizer's helper at the end of the supervisor is a child of it, too.
        for pid in set(re.findall(r"daemon started, process (\d+)", daemon.log())) - killed:
            os.kill(int(pid), signal.SIGKILL)
            killed.add(pid)
        return daemon.process.poll() is not None

    until(give_up, 60, "the end", every=0.05)
    assert daemon.process.wait() == 1
    assert "giving up" in daemon.log()
    assert 10 <= daemon.log().count("was ended by signal 9") <= 12


def test_a_worker_that_does_not_drain_is_killed(start):
    daemon = start()
    daemon.ready()
    [worker] = children_of(daemon.pid)
    os.kill(worker, signal.SIGSTOP)
    before = time.monotonic()
    assert daemon.end() == 1, "not an orderly end"
    assert 5 <= time.monotonic() - before < 15
    assert not alive(worker)
    assert "worker 1 has not ended in time" in daemon.log()


def test_a_port_that_is_taken_stops_the_start(start, world):
    daemon = start([("listen", world.sandbox.address)])
    assert daemon.process.wait(20) == 1
    assert f"{world.sandbox.address}: Address already in use" in daemon.log()


def test_a_metrics_port_that_is_taken_stops_the_start(start, world):
    daemon = start([("metrics_listen", world.sandbox.metrics_address)])
    assert daemon.process.wait(20) == 1
    assert f"{world.sandbox.metrics_address}: Address already in use" in daemon.log()


# The service manager.

def test_the_service_manager_is_told(start):
    """sd_notify(3): what Type=notify-reload and WatchdogSec= expect."""
    name = f"\0needtoknow-test-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(20)
        said = []

        def wait_for(line):
            while line not in said:
                said.extend(manager.recv(4096).decode().splitlines())
            said.remove(line)

        daemon = start(environment={"NOTIFY_SOCKET": "@" + name[1:], "WATCHDOG_USEC": "400000"})
        wait_for("READY=1")
        wait_for("STATUS=1 of 1 workers serve")
        for _ in range(3):
            wait_for("WATCHDOG=1")
        os.kill(daemon.pid, signal.SIGHUP)
        wait_for("RELOADING=1")
        wait_for("READY=1")
        daemon.process.terminate()
        wait_for("STOPPING=1")
        assert daemon.end() == 0


def test_the_service_manager_is_told_of_a_rolling_restart(start):
    """It is the same process, and ready once the last worker of before has ended."""
    name = f"\0needtoknow-test-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(20)
        said = []

        def wait_for(line):
            while line not in said:
                said.extend(manager.recv(4096).decode().splitlines())
            said.remove(line)

        daemon = start([("workers", 2)], environment={"NOTIFY_SOCKET": "@" + name[1:], "WATCHDOG_USEC": "2000000"})
        wait_for("STATUS=2 of 2 workers serve")
        old = children_of(daemon.pid)
        said.clear()
        os.kill(daemon.pid, signal.SIGUSR2)
        wait_for("RELOADING=1")
        wait_for("STATUS=0 of 2 workers serve, 2 of before are left")
        wait_for("READY=1")
        assert "STOPPING=1" not in said
        assert not any(alive(pid) for pid in old) and len(children_of(daemon.pid)) == 2
        wait_for("WATCHDOG=1")
        assert daemon.metric("needtoknow_workers_of_before") == 0


def test_a_signal_for_the_supervisor_alone_harms_no_worker(start):
    """`systemctl kill` without --kill-whom=main reaches everybody."""
    daemon = start([("workers", 2)])
    daemon.ready()
    workers = children_of(daemon.pid)
    for pid in workers:
        os.kill(pid, signal.SIGUSR2)
        os.kill(pid, signal.SIGUSR1)
    os.kill(daemon.pid, signal.SIGUSR1)
    until(lambda: daemon.metric("needtoknow_worker_serving") == 2, 10)
    assert children_of(daemon.pid) == workers


def test_a_socket_that_is_handed_over_is_used(start):
    """Socket activation, sd_listen_fds(3)."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        given = listener.getsockname()[1]
        daemon = start(environment={"LISTEN_FDS": "1"}, pass_fds=[listener.fileno()],
                       prefix=["bash", "-c", f'export LISTEN_PID=$$; exec "$@" 3<&{listener.fileno()}', "bash"])
        daemon.ready()
        assert not connects(daemon.port), "its own address is not opened then"
    accepted = daemon.metric("needtoknow_connections_accepted_total")
    assert connects(given)
    until(lambda: daemon.metric("needtoknow_connections_accepted_total") > accepted, 5, "a worker to accept from it")
