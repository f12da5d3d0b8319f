"""What is broken, when, and how: a plan drawn from a seed, and the one who carries it out."""

import os
import random
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from needtoknow_testing.sandbox import alive, children_of
from needtoknow_testing.waiting import until

from .proxy import DOWN, UP


@dataclass(frozen=True)
class Fault:
    number: int
    kind: str
    pause: float     # seconds before it
    numbers: tuple   # three from 0 to 1: whom, where, how long; what they mean is each kind's own affair
    patient: bool    # the next one waits until the service serves again

    def __str__(self):
        return f"{self.number:5} +{self.pause:.2f} s {self.kind} ({', '.join(f'{each:.4f}' for each in self.numbers)})"


def plan(seed, count, kinds=None):
    """`count` faults: each kind as often as its weight says, and at least once, in an order that the seed decides."""
    draw = random.Random(f"{seed}/faults")
    weights = {kind: weight for kind, (weight, _) in KINDS.items() if kinds is None or kind in kinds}
    total = sum(weights.values())
    chosen = [kind for kind, weight in weights.items() for _ in range(max(1, round(count * weight / total)))]
    draw.shuffle(chosen)
    chosen += draw.choices(list(weights), list(weights.values()), k=max(0, count - len(chosen)))
    return [Fault(number, kind, min(draw.expovariate(4), 1.5), tuple(draw.random() for _ in range(3)), draw.random() < 0.6)
            for number, kind in enumerate(chosen[:count])]


class Injector:
    """
    Carries a plan out. `clients` is the proxy before the daemon, `databases` those before each PostgreSQL. A fault is over when
    what it broke may run again; whether it does is the service's affair.
    """

    def __init__(self, sandbox, pair, clients, databases, manager):
        self.sandbox, self.pair, self.clients, self.databases, self.manager = sandbox, pair, clients, databases, manager
        self.done = {}

    def run(self, faults, say=lambda _: None):
        for fault in faults:
            time.sleep(fault.pause)
            say(str(fault))
            for node in (self.pair.primary, self.pair.standby):
                revive(node)
            KINDS[fault.kind][1](self, *fault.numbers)
            self.done[fault.kind] = self.done.get(fault.kind, 0) + 1
            if fault.patient and fault.kind not in QUICK:
                try:
                    until(self.manager.serves, 15, "service")
                except AssertionError:
                    say("      (it does not serve after 15 s; the next fault comes nevertheless)")
        for node in (self.pair.primary, self.pair.standby):
            revive(node)

    # The wires.

    def cut_client(self, whom, where, _):
        self.clients.cut_after(DOWN if whom < 0.6 else UP, position(where), 1)

    def cut_clients(self, *_):
        self.clients.cut_all()

    def cut_database(self, whom, where, _):
        self._database().cut_after(DOWN if whom < 0.5 else UP, position(where), 1)

    def cut_databases(self, *_):
        self._database().cut_all()

    def lose_commit(self, _, how, __):
        """
        What a train wrote is not there, and now and then nobody lives who could write it again: whoever was told of it, or given it,
        before its COMMIT was answered holds what never was.
        """
        self._database().cut_at(b"COMMIT\0", False, 2)
        for pid in children_of(self.sandbox.pid) if how < 0.5 else ():
            send(pid, signal.SIGKILL)

    def lose_committed(self, *_):
        """It is there, and nobody was told."""
        self._database().cut_at(b"COMMIT\0", True, 2)

    def slow_source(self, _, __, how_long):
        """The company's tables answer late: much happens between what was read and what is decided by it."""
        self._database().slow(b"needtoknow_source", 0.2 + 1.3 * how_long)

    def _database(self):
        return self.databases[self.pair.primary.name]

    # The daemon's processes.

    def kill_worker(self, whom, *_):
        self._signal_worker(whom, signal.SIGKILL)

    def stop_worker(self, whom, _, how_long):
        pid = self._signal_worker(whom, signal.SIGSTOP)
        if pid:
            try:
                time.sleep(0.1 + 3 * how_long)
            finally:
                send(pid, signal.SIGCONT)

    def _signal_worker(self, whom, number):
        workers = sorted(children_of(self.sandbox.pid))
        if workers:
            pid = workers[int(whom * len(workers))]
            send(pid, number)
            return pid
        return None

    def kill_supervisor(self, *_):
        with self.manager.lock:
            send(self.sandbox.pid, signal.SIGKILL)

    def kill_daemon(self, *_):
        with self.manager.lock:
            self.sandbox.kill()

    def end_daemon(self, *_):
        send(self.sandbox.pid, signal.SIGTERM)

    def roll(self, *_):
        """Another program under the same sockets; whether it has all worked is the next faults' affair."""
        send(self.sandbox.pid, signal.SIGUSR2)

    # PostgreSQL.

    def kill_backend(self, whom, *_):
        """One of its processes, after which the postmaster ends all others and recovers."""
        node = self.pair.primary
        own = sorted(pid for pid in node.processes() if pid != postmaster(node))
        if own:
            send(own[int(whom * len(own))], signal.SIGKILL)

    def kill_postgres(self, _, __, how_long):
        kill(self.pair.primary)
        time.sleep(how_long)
        self.pair.primary.start()

    def stop_postgres(self, _, __, how_long):
        self.pair.primary.run("pg_ctl", "stop", "-m", "immediate", "-w", "-D", self.pair.primary.data)
        time.sleep(how_long)
        self.pair.primary.start()

    def freeze_postgres(self, _, __, how_long):
        frozen = self.pair.primary.processes()
        try:
            for pid in frozen:
                send(pid, signal.SIGSTOP)
            time.sleep(0.1 + 3 * how_long)
        finally:
            for pid in frozen:
                send(pid, signal.SIGCONT)

    def kill_standby(self, _, __, how_long):
        """Commits wait for it meanwhile; beyond 5 s nobody knows how they ended."""
        kill(self.pair.standby)
        time.sleep(6 * how_long)
        self.pair.standby.start()

    def fail_over(self, _, __, how_long):
        """The primary dies, the standby takes over, and the dead one becomes its standby."""
        self.pair.kill_primary()
        time.sleep(how_long)
        until(lambda: self._caught_up(), 10, "a standby that has replayed what it has")
        self.pair.promote()
        self.databases[self.pair.dead.name].cut_all()
        time.sleep(how_long)
        self.pair.rejoin()

    def _caught_up(self):
        try:
            return self.pair.standby.query("SELECT pg_is_in_recovery()") == [(True,)]
        except Exception:  # pylint: disable=broad-except
            return False


def position(number):
    """From the first byte to some ten thousand, each order of magnitude as often as another: headers, records, messages."""
    return int(2 ** (number * 14))


def postmaster(node):
    try:
        return int((node.data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return 0


def kill(node):
    """All of it, until the kernel has forgotten the postmaster too: its pid file would refuse the next one."""
    pid = postmaster(node)
    node.kill()
    until(lambda: not pid or not Path(f"/proc/{pid}").exists(), 10, "the postmaster's burial")


def revive(node):
    """A postmaster ends by itself when the process that recovers is killed; a service manager starts it again."""
    pid = postmaster(node)
    if not pid or not alive(pid):
        kill(node)
        node.start()


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


# How often, of a hundred and eighty-odd; and what is done.
KINDS = {
    "cut a client's connection": (70, Injector.cut_client),
    "cut all clients' connections": (8, Injector.cut_clients),
    "cut a connection to the database": (32, Injector.cut_database),
    "cut all connections to the database": (6, Injector.cut_databases),
    "lose a COMMIT": (10, Injector.lose_commit),
    "lose a COMMIT's answer": (6, Injector.lose_committed),
    "slow the company's tables": (12, Injector.slow_source),
    "kill -9 a worker": (16, Injector.kill_worker),
    "stop a worker for a while": (12, Injector.stop_worker),
    "kill -9 the supervisor": (4, Injector.kill_supervisor),
    "kill -9 the daemon": (6, Injector.kill_daemon),
    "end the daemon in order": (4, Injector.end_daemon),
    "replace the daemon's program": (6, Injector.roll),
    "kill -9 a process of PostgreSQL": (8, Injector.kill_backend),
    "kill -9 PostgreSQL": (6, Injector.kill_postgres),
    "stop PostgreSQL at once": (4, Injector.stop_postgres),
    "freeze PostgreSQL for a while": (5, Injector.freeze_postgres),
    "kill -9 the standby": (4, Injector.kill_standby),
    "fail over to the standby": (5, Injector.fail_over),
}
QUICK = {"cut a client's connection", "cut all clients' connections", "cut a connection to the database"}


class Manager:
    """What systemd is elsewhere: a daemon that is gone is started again. `lock` is held by whoever ends it."""

    def __init__(self, sandbox):
        self.sandbox, self.lock, self.starts = sandbox, threading.Lock(), 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._over.wait(0.1):
            with self.lock:
                if self.sandbox._mine is not None:  # pylint: disable=protected-access
                    self.sandbox._mine.poll()  # pylint: disable=protected-access
                if not alive(self.sandbox.pid):
                    self.sandbox.spawn()
                    self.starts += 1

    def serves(self):
        """Whether a worker does."""
        try:
            return bool(self.sandbox.metrics("/readyz"))
        except OSError:
            return False

    def end(self):
        self._over.set()
        self._thread.join(10)
