"""`needtoknow rights ... --file`: many requests, once each, gone on with after whatever stopped it."""

import csv
import json
import os
import pty
import signal
import stat
import subprocess
import threading
import time

import grpc
import pytest

from needtoknow_testing import protos
from needtoknow_testing.cli import Cli
from needtoknow_testing.rights_desk import Desk, Refusal
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

rights = protos.rights

RECEIVED = ("--channel", "email", "--received", "2024-11-20T09:00:00+01:00")
MARKETING = "dpv:DirectMarketing"


def clients(directory, count, heading="subject", line="C{:06}"):
    path = directory / "requests.csv"
    path.write_text("\n".join([heading, *(line.format(number) for number in range(count))]) + "\n")
    return path


def results_of(path):
    with open(f"{path}.results.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


def test_p6_ten_thousand_objections_are_made_once_each(tmp_path):
    path = clients(tmp_path, 10_000)
    words = ("rights", "object", "--file", str(path), "--purpose", MARKETING, *RECEIVED, "--json")
    with Desk(tmp_path) as desk:
        done = json.loads(desk.run(*words)[0])
        assert done == {"lines": 10_000, "done": 10_000, "done_before": 0, "same": 0, "refused": 0, "failed": 0, "left": 0,
                        "results": f"{path}.results.csv"}
        assert {request.subject_id for request in desk.asked} == {f"C{number:06}" for number in range(10_000)}
        assert {(request.purpose, request.received_at.seconds) for request in desk.asked} == {(MARKETING, 1_732_089_600)}
        results = results_of(path)
        assert stat.S_IMODE(os.stat(f"{path}.results.csv").st_mode) == 0o600
        assert sorted(int(row["line"]) for row in results) == list(range(2, 10_002))
        assert {row["request_id"]: int(row["ledger_index"]) for row in results} == {name: index for name, (index, _) in desk.done.items()}
        again = json.loads(desk.run(*words)[0])
        assert (again["done"], again["done_before"], len(desk.asked)) == (0, 10_000, 10_000), "what was done is not asked again"
        os.unlink(f"{path}.results.csv")
        desk.run(*words)
        assert len(desk.asked) == 20_000 and len(desk.done) == 10_000, "without its results the requests are the same ones"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_p6_erasures_go_on_where_they_were_stopped(tmp_path, number):
    path = clients(tmp_path, 1_000)
    words = ("rights", "erase", "--file", str(path), *RECEIVED)
    gate = threading.Semaphore(400)
    with Desk(tmp_path, lambda request: gate.acquire(timeout=60)) as desk:
        running = desk.start(*words, "--json")
        until(lambda: len(desk.asked) > 400, 60, "the four hundred and first erasure")
        running.send_signal(number)
        gate.release(10_000)
        assert running.wait(60) == (-signal.SIGKILL if number == signal.SIGKILL else 1)
        stopped_at = len(desk.done)
        assert 400 <= stopped_at < 1_000
        summary = json.loads(desk.run(*words, "--json")[0])
        assert summary["done"] + summary["done_before"] == 1_000 and 0 < summary["done_before"] <= stopped_at
        assert {request.subject_id for _, request in desk.done.values()} == {f"C{number:06}" for number in range(1_000)}
        assert len(desk.done) == 1_000 and len(desk.asked) < 1_100, "nearly nothing is asked twice"
    assert len(results_of(path)) == 1_000 and {row["outcome"] for row in results_of(path)} == {"DONE"}


def test_what_failed_is_said_at_the_end_with_its_line(tmp_path):
    path = clients(tmp_path, 50)

    def judge(request):
        if request.subject_id.endswith("7"):
            raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, "ACTIVE_BOOKINGS")
        if request.subject_id == "C000030" and known["unknown"]:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "UNKNOWN_SUBJECT")

    known = {"unknown": True}
    words = ("rights", "erase", "--file", str(path), *RECEIVED)
    with Desk(tmp_path, judge) as desk:
        printed, said = desk.run(*words, code=1)
        assert printed.startswith("44 of 50 lines erased")
        assert [line.split(":")[1] for line in said.splitlines()] == ["9", "19", "29", "32", "39", "49"]
        assert f"{path}:32: C000030: UNKNOWN_SUBJECT: no: UNKNOWN_SUBJECT" in said
        assert {row["outcome"] for row in results_of(path)} == {"DONE", "REFUSED", "FAILED"}
        known["unknown"] = False
        printed, said = desk.run(*words, code=3)
        assert printed.startswith("1 of 50 lines erased") and "; 44 were before." in printed and said.count("ACTIVE_BOOKINGS:") == 5
        assert len(results_of(path)) == 50


def test_what_cannot_be_done_now_is_tried_again(tmp_path):
    path = clients(tmp_path, 40)
    failures = iter(range(60))

    def judge(request):
        if next(failures, None) is not None:
            raise Refusal(grpc.StatusCode.UNAVAILABLE, "SOURCE_UNAVAILABLE")

    with Desk(tmp_path, judge) as desk:
        printed, said = desk.run("rights", "restrict", "--file", str(path), *RECEIVED)
        assert printed.startswith("40 of 40 lines restricted") and said == ""
        assert len(desk.asked) == 100 and len(desk.done) == 40


def test_what_fails_for_all_is_not_asked_of_all(tmp_path):
    path = clients(tmp_path, 5_000)

    def judge(request):
        raise Refusal(grpc.StatusCode.PERMISSION_DENIED, "ROLE_NOT_ALLOWED")

    with Desk(tmp_path, judge) as desk:
        said = desk.run("rights", "restrict", "--file", str(path), *RECEIVED, code=5)[1]
        assert "5000 lines were not begun" in said and "ROLE_NOT_ALLOWED" in said
        assert len(desk.asked) <= 16
    said = desk.run("rights", "restrict", "--file", str(path), *RECEIVED, code=4)[1]
    assert "CONNECTION_FAILED" in said and "run it again to go on" in said


def test_p3_a_value_is_in_no_request_id_and_in_no_result(tmp_path):
    path = clients(tmp_path, 3, "subject;column;value", 'C{0};client.phone;"+33 1;23 {0}"')
    with Desk(tmp_path) as desk:
        desk.run("rights", "rectify", "--file", str(path), *RECEIVED)
        ids = {request.request_id for request in desk.asked}
        assert sorted(request.value.value for request in desk.asked) == ["+33 1;23 0", "+33 1;23 1", "+33 1;23 2"]
        os.unlink(f"{path}.results.csv")
        path.write_text(path.read_text().replace("+33 1;23", "0123"))
        desk.done.clear()
        desk.run("rights", "rectify", "--file", str(path), *RECEIVED)
        assert {request.request_id for request in desk.asked} == ids and len(desk.asked) == 6
    assert "0123" not in open(f"{path}.results.csv", encoding="utf-8").read()
    path.write_text("subject,column,value\nC1,client.phone,\nC2,client.phone,\"\"\n")
    with Desk(tmp_path) as desk:
        desk.run("rights", "rectify", "--file", str(path), *RECEIVED)
        assert {(request.subject_id, request.value.is_null) for request in desk.asked} == {("C1", True), ("C2", False)}


def test_a_terminal_shows_how_far_it_is(tmp_path):
    path = clients(tmp_path, 300)
    gate = threading.Semaphore(0)
    with Desk(tmp_path, lambda request: gate.acquire(timeout=60)) as desk:
        leader, follower = pty.openpty()
        running = desk.start("rights", "restrict", "--file", str(path), *RECEIVED, stderr=follower)
        os.close(follower)
        shown = ""
        while "#" not in shown:
            gate.release(3)
            os.set_blocking(leader, False)
            try:
                shown += os.read(leader, 4096).decode()
            except BlockingIOError:
                time.sleep(0.02)
        gate.release(1_000)
        assert running.wait(60) == 0
        os.close(leader)
    assert "restricted [#" in shown and "of 300 lines" in shown


def test_art21_art17_ten_thousand_objections_and_a_thousand_erasures_hold(tmp_path):
    """By the real service, killed in between: the ledger has an entry for each and the register a line, no more."""
    world = World.up(clients=10_000)
    try:
        desk = Cli(world.sandbox, "rights")
        subjects = [subject for (subject,) in world.sandbox.query("SELECT subject_id FROM company.client ORDER BY subject_id LIMIT 10000")]
        objections = tmp_path / "objections.csv"
        objections.write_text("\n".join(["subject", *subjects]) + "\n")
        words = ("rights", "object", "--file", str(objections), "--purpose", MARKETING, *RECEIVED)
        running = subprocess.Popen([desk.binary, *words], env=desk.environment)
        until(lambda: os.path.exists(f"{objections}.results.csv") and len(results_of(objections)) > 1_000, 60, "a thousand objections")
        running.kill()
        running.wait()
        summary = json.loads(subprocess.run([desk.binary, *words, "--json"], env=desk.environment, stdout=subprocess.PIPE, check=True,
                                            timeout=280).stdout)
        assert summary["done"] + summary["done_before"] == len(subjects) and summary["done_before"] > 1_000
        count = "SELECT count(*), count(DISTINCT subject_id) FROM needtoknow.{} WHERE kind = {}"
        assert world.sandbox.query(count.format("rights_request", rights.RIGHTS_REQUEST_KIND_OBJECT)) == [(len(subjects),) * 2]
        assert world.sandbox.query("SELECT count(DISTINCT subject_id) FROM needtoknow.right_in_force WHERE kind = 3") == [(len(subjects),)]

        erasures = tmp_path / "erasures.csv"
        erasures.write_text("\n".join(["subject", *subjects[:1_000]]) + "\n")
        words = ("rights", "erase", "--file", str(erasures), "--cancel-bookings", *RECEIVED, "--json")
        summary = json.loads(subprocess.run([desk.binary, *words], env=desk.environment, stdout=subprocess.PIPE, check=True,
                                            timeout=280).stdout)
        assert summary["done"] == 1_000
        assert world.sandbox.query(count.format("right_in_force", 1)) == [(1_000, 1_000)]
    finally:
        world.down()
