"""The stages of tests/run: each prints its name and how long it took; what it says goes to build/test-logs/STAGE.log."""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / "build" / "test-logs"
CORES = os.cpu_count()
TAIL, WIDTH = 60, 400  # lines of a failed stage's log that are shown, and how much of each
BUF = ROOT / "tests" / "system" / "buf" / "node_modules" / ".bin" / "buf"
# Lines of src/pure, and of everything else in src, that unit and system tests together must reach.
COVERAGE = {"src/pure": 95.0, "src": 85.0}


class Failed(Exception):
    """A stage cannot go on."""


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)


class Stage:
    """Where a stage's commands write, and how they are run."""

    def __init__(self, name, quick):
        self.name, self.quick = name, quick
        self.log_path = LOGS / f"{name}.log"
        self.log_path.write_text("")

    def say(self, text):
        with self.log_path.open("a") as log:
            log.write(f"{text}\n")

    def start(self, *command, cwd=ROOT, env=None, timeout=1500):
        """Runs a command with all that it starts, and returns its exit status. What outlives the timeout is killed."""
        self.say(f"$ {' '.join(map(str, command))}")
        with self.log_path.open("a") as log:
            process = subprocess.Popen([str(word) for word in command], cwd=cwd, env={**os.environ, **(env or {})},
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
            try:
                return process.wait(timeout)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
        self.say(f"still running after {timeout} s: killed")
        return -signal.SIGKILL

    def run(self, *command, **keywords):
        if self.start(*command, **keywords) != 0:
            raise Failed

    def each(self, commands):
        """Independent checks: all are run, each counts as one."""
        statuses = [self.start(*command) for command in commands]
        return Counts(statuses.count(0), len(statuses) - statuses.count(0))

    def build(self, preset, *targets):
        directory = ROOT / "build" / preset
        if not (directory / "build.ninja").exists():
            self.run("cmake", "--preset", preset)
        self.run("ninja", "-C", directory, f"-j{CORES}", *targets)
        return directory

    def pytest(self, *directories, env=None):
        """Directories of pytest tests. Sandboxes that a killed test left are ended."""
        report = LOGS / f"{self.name}.xml"
        report.unlink(missing_ok=True)
        around = Path(tempfile.mkdtemp(prefix="needtoknow-"))
        around.chmod(0o755)
        try:
            # Most tests wait for a clock or another process: as many files at once as there are cores. A file's own stay together.
            status = self.start(sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", "-n", CORES, "--dist", "loadfile",
                                f"--junitxml={report}", *directories,
                                env={"TMPDIR": str(around), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}, timeout=2400)
        finally:
            for marker in around.rglob(".needtoknow-sandbox"):
                self.start(ROOT / "deploy" / "sandbox", "down", "--dir", marker.parent)
            shutil.rmtree(around, ignore_errors=True)
        counts = count_pytest(report)
        if status != 0 and counts.failed == 0:
            counts.failed = 1  # it did not come so far as to fail a test
        return counts


def count_pytest(report):
    if not report.exists():
        return Counts()
    counts = Counts()
    for suite in xml.etree.ElementTree.parse(report).getroot().iter("testsuite"):
        total, failures, errors, skipped = (int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped"))
        counts += Counts(total - failures - errors - skipped, failures + errors, skipped)
    return counts


def count_cmocka(output, succeeded):
    """The tests of one program, by cmocka's closing lines; one that has none of these is one test."""
    passed, failed = (sum(map(int, re.findall(rf"\[  {word}  \] (\d+) test", output))) for word in ("PASSED", "FAILED"))
    if succeeded:
        return Counts(passed or 1, failed)
    return Counts(passed, failed or 1)


def count_ctest(report):
    counts = Counts()
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        counts += count_cmocka(case.findtext("system-out") or "", case.get("status") == "run")
    return counts


def run_ctest(stage, directory):
    report = LOGS / f"{stage.name}.xml"
    report.unlink(missing_ok=True)
    status = stage.start("ctest", "--test-dir", directory, "-j", CORES, "--output-on-failure", "--no-tests=error", "--timeout", "300",
                         "--test-output-size-passed", "10000000", "--test-output-size-failed", "10000000", "--output-junit", report)
    counts = count_ctest(report) if report.exists() else Counts()
    if status != 0 and counts.failed == 0:
        counts.failed = 1
    return counts


def npm_packages(stage):
    """The clients that we did not write, as their lock files pin them."""
    for lock in sorted((ROOT / "tests" / "system").glob("*/package-lock.json")):
        installed = lock.parent / "node_modules" / ".package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            # Not `npm ci`, which wants binaries of every platform to be in the lock file and in the registry.
            stage.run("npm", "install", "--no-save", "--no-audit", "--no-fund", cwd=lock.parent)
            installed.touch()


def scripts():
    """Our shell scripts, by their first line."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "deploy", "tests", "tools", ".ci"], check=True, capture_output=True)
    for name in sorted(listed.stdout.decode().split("\0")):
        path = ROOT / name
        if path.is_file() and path.suffix in ("", ".sh"):
            first = path.read_bytes().split(b"\n", 1)[0]
            if first in (b"#!/bin/bash", b"#!/bin/sh") or path.suffix == ".sh":
                yield path


def build(stage):
    stage.build("debug")
    return Counts()


def lint(stage):
    directory = stage.build("debug")
    npm_packages(stage)
    counts = stage.each([
        ["tools/check_layers"],
        ["tools/check_headers", directory],
        ["tools/check_banned"],
        ["tools/check_format"],
        ["shellcheck", "-x", *scripts()],
        [BUF, "lint", "proto"],
    ])
    return counts + stage.pytest("tests/tools")


def unit(stage):
    return run_ctest(stage, stage.build("debug"))


def system(stage):
    npm_packages(stage)
    return stage.pytest("tests/system", env={"NEEDTOKNOW_BUILD": str(stage.build("debug"))})


def deploy(stage):
    """The sandbox and the demo."""
    return stage.pytest("tests/deploy", env={"NEEDTOKNOW_BUILD": str(stage.build("debug"))})


def fault(stage):
    return stage.pytest("tests/fault", env={"NEEDTOKNOW_BUILD": str(stage.build("debug"))})


def fuzz(stage):
    """Every target for a short time, from its corpus; what breaks it is kept beside the logs."""
    seconds = 5 if stage.quick else 15
    targets = sorted(path.stem for path in (ROOT / "tests" / "fuzz").glob("fuzz_*.c"))
    directory = stage.build("fuzz", *targets)

    def run(target):
        with tempfile.TemporaryDirectory(prefix="needtoknow-") as fresh:
            corpus = ROOT / "tests" / "fuzz" / "corpus" / target
            return stage.start(directory / "bin" / target, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
                               "-print_final_stats=1", f"-artifact_prefix={LOGS}/{target}-", fresh, *([corpus] if corpus.is_dir() else []))

    with ThreadPoolExecutor(CORES) as pool:
        statuses = list(pool.map(run, targets))
    for target, status in zip(targets, statuses):
        stage.say(f"{target}: {'ok' if status == 0 else f'exit {status}'}")
    return Counts(statuses.count(0), len(statuses) - statuses.count(0))


def valgrind(stage):
    """The unit tests once more, for what the sanitizers do not see: memory that was never written."""
    directory = stage.build("plain")
    listed = subprocess.run(["ctest", "--test-dir", directory, "--show-only=json-v1"], check=True, capture_output=True, text=True).stdout

    def run(test):
        folder = next((entry["value"] for entry in test["properties"] if entry["name"] == "WORKING_DIRECTORY"), directory)
        return subprocess.run(["valgrind", "-q", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite",
                               "--child-silent-after-fork=yes", *test["command"]], cwd=folder, stdin=subprocess.DEVNULL,
                              env={**os.environ, "NEEDTOKNOW_PATIENCE": "20"},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=900)

    programs = [test for test in json.loads(listed)["tests"] if Path(test["command"][0]).is_relative_to(directory)]
    counts = Counts()
    with ThreadPoolExecutor(CORES) as pool:
        for test, done in zip(programs, pool.map(run, programs)):
            stage.say(f"--- {test['name']}: exit {done.returncode}\n{done.stdout}")
            counts += count_cmocka(done.stdout, done.returncode == 0)
    return counts


def tidy(stage):
    return stage.each([["tools/check_tidy", stage.build("debug")]])


def coverage(stage):
    """Lines that the unit and system tests reach. The daemon runs as whoever may write the counters."""
    directory = stage.build("coverage")
    for counters in directory.rglob("*.gcda"):
        counters.unlink()
    npm_packages(stage)
    counts = run_ctest(stage, directory)
    account = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
    counts += stage.pytest("tests/system", "tests/deploy", env={"NEEDTOKNOW_BUILD": str(directory), "SANDBOX_DAEMON_ACCOUNT": account})
    summary = LOGS / "coverage.json"
    stage.run("gcovr", "--root", ROOT, "--filter", "src/", "--exclude-throw-branches", "--object-directory", directory, "-j", CORES,
              "--json-summary", summary, "--txt", LOGS / "coverage.txt", directory)
    files = json.loads(summary.read_text())["files"]
    for prefix, least in COVERAGE.items():
        chosen = [entry for entry in files if entry["filename"].startswith("src/pure/") == (prefix == "src/pure")]
        covered, total = (sum(entry[name] for entry in chosen) for name in ("line_covered", "line_total"))
        percent = 100 * covered / max(total, 1)
        name = prefix if prefix == "src/pure" else "the rest of src"
        stage.say(f"{name}: {percent:.1f} % of {total} lines (wanted: more than {least:.0f} %)")
        counts += Counts(1, 0) if percent > least else Counts(0, 1)
    return counts


STAGES = [build, lint, unit, system, deploy, fault, fuzz, valgrind, tidy, coverage]
LONG = [valgrind, tidy, coverage]  # left out by --quick


def run_stage(function, quick):
    """(Counts, seconds). A stage that cannot go on is one failure."""
    stage = Stage(function.__name__, quick)
    print(f"== {stage.name} ...", flush=True)
    started = time.monotonic()
    try:
        counts = function(stage)
    except Failed:
        counts = Counts(0, 1)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        stage.say(f"{type(error).__name__}: {error}")
        counts = Counts(0, 1)
    took = time.monotonic() - started
    print(f"== {stage.name}: {'ok' if counts.failed == 0 else 'FAILED'} in {took:.0f} s", flush=True)
    if counts.failed:
        lines = stage.log_path.read_text(errors="replace").splitlines()
        print("\n".join(line[:WIDTH] for line in lines[-TAIL:]))
        print(f"== the whole log: {stage.log_path}", flush=True)
    return counts, took


def main():
    names = [function.__name__ for function in STAGES]
    parser = argparse.ArgumentParser(prog="tests/run", description="Builds and tests everything, or the stages named.")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"of: {' '.join(names)} [all]")
    parser.add_argument("--quick", action="store_true", help=f"leave out {', '.join(f.__name__ for f in LONG)}; fuzz for 5 s")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.stages if name not in names]
    if unknown:
        parser.error(f"{unknown[0]} is no stage: {' '.join(names)}")
    chosen = [function for function in STAGES
              if (function.__name__ in arguments.stages if arguments.stages else not (arguments.quick and function in LONG))]
    LOGS.mkdir(parents=True, exist_ok=True)
    rows, total = [], Counts()
    for function in chosen:
        counts, took = run_stage(function, arguments.quick)
        rows.append((function.__name__, counts, took))
        total += counts
        if function is build and counts.failed:
            break
    print(f"\n{'stage':<12}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for name, counts, took in rows:
        print(f"{name:<12}{counts.passed:>8}{counts.failed:>8}{counts.skipped:>9}{took:>9.0f}")
    print(f"\n{total.passed} passed, {total.failed} failed")
    sys.exit(1 if total.failed else 0)


main()
