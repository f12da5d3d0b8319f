"""How long one who asks waits: alone, and at a load that leaves room. Beside pgbench, which waits for the same database in the same minutes."""

import subprocess
import tempfile
from pathlib import Path
from statistics import quantiles

from .setting import BENCH

OPEN_LOOP = 0.15  # of what is possible


def percentiles(values):
    cuts = quantiles(values, n=100, method="inclusive")
    return {"p50": cuts[49], "p99": cuts[98]}


def pgbench_waits(setting, connections, seconds, rate=None):
    """Milliseconds of the CTE statement; with a rate in an open loop, from the moment at which it should have begun."""
    with tempfile.TemporaryDirectory() as directory:
        command = ["pgbench", "-n", "-M", "prepared", "-f", BENCH / "cte.sql", "-D", f"clients={setting.clients}", "-c", str(connections),
                   "-j", "1", "-T", str(seconds), "-l", "--log-prefix", f"{directory}/log"]
        if rate:
            command += ["-R", f"{rate:.0f}"]
        subprocess.run([*command, setting.values["PGURI"]], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        return percentiles([int(line.split()[2]) / 1000 for path in Path(directory).iterdir() for line in path.read_text().splitlines()])


def one_caller(setting, phase, count):
    """One request at a time: Share, and from Share to the values on the recipient's stream."""
    return {
        "pgbench": pgbench_waits(setting, 1, 2),
        "share": phase("share", count=count, in_flight=1)["milliseconds"]["share"],
        "received": phase("booking", count=count, in_flight=1)["milliseconds"]["received"],
    }


def with_room(setting, phase, capacity, seconds):
    """Share at a part of its capacity, in an open loop, and pgbench at the same rate."""
    rate = OPEN_LOOP * capacity
    return {
        "rate": rate,
        "pgbench": pgbench_waits(setting, 32, seconds, rate),
        "share": phase("share", count=int(rate * seconds), rate=int(rate))["milliseconds"]["share"],
    }
