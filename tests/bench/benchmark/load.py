"""What puts load on: pgbench as the limit, and needtoknow_load as a booking system and its recipients."""

import json
import os
import re
import subprocess
import tempfile

from .setting import BENCH


def measure(setting, run):
    """What run() answers, with the CPU that the daemon and PostgreSQL used meanwhile."""
    before = setting.cpu()
    report = run()
    after = setting.cpu()
    report["cpu"] = {name: after[name] - before[name] for name in after} | {"client": report.pop("cpu_seconds")}
    return report


def pgbench(setting, connections, seconds):
    """The CTE statement by so many connections: {count, seconds, per_second, milliseconds, cpu}."""

    def run():
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                ["pgbench", "-n", "-M", "prepared", "-f", BENCH / "cte.sql", "-D", f"clients={setting.clients}", "-c", str(connections),
                 "-j", str(min(connections, os.cpu_count())), "-T", str(seconds), setting.values["PGURI"]],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            try:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            finally:
                if process.returncode is None:
                    process.kill()
                    process.wait()
            output.seek(0)
            said = output.read()
        if process.returncode != 0:
            raise RuntimeError(f"pgbench failed:\n{said}")
        number = lambda pattern: float(re.search(pattern, said).group(1))
        return {
            "count": int(number(r"transactions actually processed: (\d+)")),
            "seconds": seconds,
            "per_second": number(r"tps = ([\d.]+)"),
            "milliseconds": {"mean": number(r"latency average = ([\d.]+) ms")},
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
        }

    return measure(setting, run)


class Client:
    """needtoknow_load, which does one phase at a time. As a context."""

    def __init__(self, setting, *options):
        self.setting = setting
        self.deliveries = setting.directory / "deliveries"
        values = setting.values
        self.process = subprocess.Popen(
            [setting.build / "bin" / "needtoknow_load", "--address", values["ADDRESS"], "--ca", values["CA"], "--certificates", values["CERTS"],
             "--clients", str(setting.clients), "--deliveries", self.deliveries, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()

    def phase(self, name, **words):
        """Its report, with everybody's CPU."""

        def run():
            order = " ".join([name, *(f"{word}={value}" for word, value in words.items())])
            try:
                self.process.stdin.write(f"{order}\n")
                self.process.stdin.flush()
            except BrokenPipeError:
                pass
            answer = self.process.stdout.readline()
            if not answer:
                raise RuntimeError(f"needtoknow_load ended in `{order}`")
            return json.loads(answer)

        return measure(self.setting, run)
