"""How fast whole bookings (three entries each) are recorded: at both sizes, and while auditors read."""

import os
import threading
from statistics import median

import grpc

from . import figures
from .load import Client, pgbench
from .questions import AUDIT, Asker, questions
from .setting import BENCH
from .verify import Disagreement

from needtoknow_testing import protos  # noqa: E402  # found through .verify

ENTRIES = 3  # a booking
RATE = 300  # bookings a second, where latency is looked at
# After a checkpoint each page that is touched for the first time goes into the write-ahead log as a whole.
PAGES_SETTLED = 100  # bytes of whole pages a booking, of three thousand bytes in all: then that is over
PHASES_MAX = 90


def rates(values):
    return figures.spread(values) | {"each": values}


def whole_pages(setting, run):
    """What run() answers, and the bytes of whole pages that went into the write-ahead log meanwhile."""
    position = lambda: setting.psql("-c", "SELECT pg_current_wal_flush_lsn()")
    begins = position()
    answer = run()
    return answer, float(setting.psql("-c", f"SELECT coalesce(sum(fpi_size), 0) FROM pg_get_wal_stats('{begins}', '{position()}')"))


def warm_up(setting, client, bookings):
    """From a checkpoint on until hardly any page is logged whole any more: entries a second at first, and bookings that it took."""
    os.sync()
    setting.psql("-c", "CREATE EXTENSION pg_walinspect", "-c", "CHECKPOINT")
    first, done = None, 0
    for _ in range(PHASES_MAX):
        report, pages = whole_pages(setting, lambda: client.phase("booking", count=bookings))
        first, done = first or report["per_second"] * ENTRIES, done + bookings
        if pages / bookings < PAGES_SETTLED:
            break
    setting.psql("-c", "DROP EXTENSION pg_walinspect")
    return {"per_second": first, "bookings": done}


def measure(sizes, rounds, bookings, say):
    """Rounds in turn: pgbench's CTE, then the same load on the one and on the other. The order changes with each round."""
    clients, after_checkpoint = {}, {}
    cpu = {name: 0 for name in sizes}
    try:
        for name, setting in sizes.items():
            setting.psql("-f", BENCH / "log.sql")
            clients[name] = Client(setting).__enter__()
            clients[name].phase("booking", count=1_000)
            after_checkpoint[name] = warm_up(setting, clients[name], bookings)
            say(f"appending, {name}: {after_checkpoint[name]['per_second']:,.0f}/s after a checkpoint,"
                f" {after_checkpoint[name]['bookings']:,} bookings until pages are no longer logged whole")
        found = {name: [] for name in sizes} | {"pgbench_cte": []}
        for number in range(rounds):
            found["pgbench_cte"].append(pgbench(sizes["small"], 32, 2)["per_second"])
            for name in list(sizes)[:: -1 if number % 2 else 1]:
                report = clients[name].phase("booking", count=bookings)
                found[name].append(report["per_second"] * ENTRIES)
                cpu[name] += (report["cpu"]["daemon"] + report["cpu"]["postgresql"]) * 1e6 / (bookings * ENTRIES * rounds)
            say(f"appending, round {number + 1} of {rounds}: " + "  ".join(f"{name} {values[-1]:,.0f}/s" for name, values in found.items()))
    finally:
        for client in clients.values():
            client.__exit__()
    ratio = [large / small for small, large in zip(found["small"], found["large"])]
    return {name: rates(values) for name, values in found.items()} | {
        "ratio": rates(ratio), "cpu_microseconds": cpu, "after_checkpoint": after_checkpoint, "bookings_to_pgbench_cte": {
            name: median(one / ENTRIES / limit for one, limit in zip(found[name], found["pgbench_cte"])) for name in sizes}}


class Auditors:
    """One who reads the ledger through, again and again, and one who asks all kinds of questions, one after the other. As a context."""

    def __init__(self, setting):
        self.asker = Asker(setting)
        self.asked, self.read, self.failure = 0, 0, None
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self._guard, args=(work,), daemon=True) for work in (self._ask, self._read)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stop.set()
        if self.stream is not None:
            self.stream.cancel()
        for thread in self.threads:
            thread.join(30)
        self.asker.__exit__()
        if kind is None and self.failure:
            raise RuntimeError(f"an auditor got no answer, or a wrong one: {self.failure}")

    stream = None

    def _guard(self, work):
        try:
            work()
        except (grpc.RpcError, Disagreement) as error:
            if not self.stop.is_set():
                self.failure = error

    def _ask(self):
        possible = [question for question in questions() if question.limit]
        while not self.stop.is_set():
            for question in possible:
                if self.stop.is_set():
                    return
                self.asker.ask(question)
                self.asked += 1

    def _read(self):
        method = self.asker.channel.unary_stream(f"{AUDIT}StreamEntries", lambda message: message.SerializeToString(), len)
        while not self.stop.is_set():
            self.stream = method(protos.audit.StreamEntriesRequest(bodies_only=True))
            for length in self.stream:
                self.read += length


def beside_auditors(setting, rounds, bookings, say):
    """Whole bookings with and without auditors, in turn: as many as go, and at a rate that the machine has room for."""
    found = {"quiet": [], "audited": []}
    waits = {"quiet": [], "audited": []}
    asked = read = 0
    with Client(setting) as client:
        client.phase("booking", count=1_000)

        def both(name):
            found[name].append(client.phase("booking", count=bookings)["per_second"])
            waits[name].append(client.phase("booking", count=RATE * 5, rate=RATE)["milliseconds"]["received"])

        for number in range(rounds):
            both("quiet")
            with Auditors(setting) as auditors:
                both("audited")
            asked, read = asked + auditors.asked, read + auditors.read
            say(f"beside auditors, round {number + 1} of {rounds}: " + "  ".join(
                f"{name} {found[name][-1]:,.0f} bookings/s, at {RATE}/s p50 {waits[name][-1]['p50']:.1f} p99 {waits[name][-1]['p99']:.1f} ms"
                for name in found))
    return {name: {"bookings_per_second": rates(found[name]),
                   "milliseconds": {key: median(one[key] for one in waits[name]) for key in ("p50", "p99")}} for name in found} | {
        "ratio": median(audited / quiet for quiet, audited in zip(found["quiet"], found["audited"])), "asked": asked, "read_bytes": read,
        "rate": RATE}
