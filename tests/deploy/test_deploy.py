"""deploy/: the sandbox leaves nothing behind, whatever happens to it, and the demo's story holds."""

import os
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509

ROOT = Path(__file__).resolve().parents[2]
SANDBOX, DEMO = ROOT / "deploy" / "sandbox", ROOT / "deploy" / "demo"
BUILD = os.environ.get("NEEDTOKNOW_BUILD", str(ROOT / "build" / "debug"))


def run(*command, **environment):
    environment = {**os.environ, "NEEDTOKNOW_BUILD": BUILD, "NO_COLOR": "1", **environment}
    return subprocess.run([str(word) for word in command], env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)


def read_values(text):
    return dict(line.split("=", 1) for line in text.splitlines())


def uris_of(path):
    names = x509.load_pem_x509_certificate(Path(path).read_bytes()).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return names.value.get_values_for_type(x509.UniformResourceIdentifier)


def kill_all(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # went with another
            pass


def shared_memory():
    """Ids of the System V segments that there are."""
    return {line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}


@pytest.fixture
def around():
    """An empty directory that the sandbox's account may enter; a test ends with it empty."""
    with tempfile.TemporaryDirectory(prefix="needtoknow-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
        assert list(Path(name).iterdir()) == []


@contextmanager
def up(around, *options):
    done = run(SANDBOX, "up", "--dir", around / "sandbox", "--clients", 20, *options)
    assert done.returncode == 0, done.stderr
    try:
        yield read_values(done.stdout)
    finally:
        done = run(SANDBOX, "down", "--dir", around / "sandbox")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert processes_in(around) == []


def processes_in(directory):
    """Pids of what is executed from the directory or works in it."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            for link in ("exe", "cwd"):
                try:
                    if os.readlink(process / link).startswith(f"{directory}/"):
                        found.append(int(process.name))
                        break
                except OSError:
                    pass
    return found


def test_a_sandbox_prints_where_it_is_and_goes(around):
    with up(around) as values:
        assert sorted(values) == ["ADDRESS", "CA", "CERTS", "CONFIG", "DIR", "LOG", "METRICS", "PGURI", "PID", "VKEY"]
        assert int(values["PID"]) in processes_in(around)
        assert uris_of(f"{values['CERTS']}/sparkle.crt") == ["spiffe://maison-claire.example/recipient/sparkle"]


def test_a_sandbox_whose_every_process_was_killed_goes(around):
    with up(around) as values:
        segment = (Path(values["DIR"]) / "data" / "postmaster.pid").read_text().splitlines()[6].split()[1]
        assert segment in shared_memory()
        kill_all(processes_in(around))
        assert segment in shared_memory(), "nothing to be cleaned up"
    assert segment not in shared_memory()


def test_a_killed_sandbox_starts_again(around):
    with up(around) as values:
        kill_all(processes_in(around))
        done = run(SANDBOX, "restart", "--dir", values["DIR"])
        assert done.returncode == 0, done.stderr
        again = read_values(done.stdout)
        assert again["PID"] != values["PID"]
        assert {**again, "PID": values["PID"]} == values


def test_a_directory_that_was_removed_leaves_no_process(around):
    with up(around):
        subprocess.run(["rm", "-rf", str(around / "sandbox")], check=True)
        assert processes_in(around) != []


def test_an_up_that_fails_midway_leaves_nothing(around):
    bad = around / "policy.yaml"
    bad.write_text((ROOT / "deploy" / "policy.yaml").read_text().replace("client.district", "client.distrikt"))
    done = run(SANDBOX, "up", "--dir", around / "sandbox", "--policy", bad)
    bad.unlink()
    assert done.returncode != 0
    assert "distrikt" in done.stderr
    assert processes_in(around) == []


def test_certificates_are_added_and_none_is_taken_over(around):
    with up(around) as values:
        done = run(SANDBOX, "cert", "--dir", values["DIR"], "recipient", "sparkle", "phone")
        assert done.returncode == 0, done.stderr
        paths = read_values(done.stdout)
        assert uris_of(paths["CERT"]) == ["spiffe://maison-claire.example/recipient/sparkle/phone"]
        assert Path(paths["KEY"]).stat().st_mode & 0o077 == 0
        done = run(SANDBOX, "cert", "--dir", values["DIR"], "auditor", "booking")
        assert done.returncode != 0 and "booking/booking" in done.stderr
        done = run(SANDBOX, "cert", "--dir", values["DIR"], "boss", "me")
        assert done.returncode != 0 and "a role is" in done.stderr


@pytest.mark.parametrize("arguments, said", [
    (["up", "--port", "http"], "--port http: a number"),
    (["up", "--clients"], "--clients needs a value"),
    (["up", "--policy", "/nowhere.yaml"], "/nowhere.yaml cannot be read"),
    (["up", "--colour"], "--colour is no option"),
    (["up", "--dir", "/usr"], "/usr is there and is not an empty directory"),
    (["up", "--dir", "/tmp/a b"], "only letters"),
    (["up", "--dir", "/tmp/" + "x" * 90], "too long for a unix socket"),
    (["down"], "--dir is missing"),
    (["down", "--dir", "/usr"], "/usr is not a sandbox"),
    (["cert", "--dir", "/usr", "booking", "x"], "/usr is not a sandbox"),
    (["start"], "start is no subcommand"),
])
def test_a_wrong_call_says_what_is_wrong(arguments, said):
    done = run(SANDBOX, *arguments)
    assert done.returncode != 0 and done.stdout == ""
    assert said in done.stderr


def test_the_demo_keeps_its_promises(around):
    done = run(DEMO, TMPDIR=str(around))
    assert done.returncode == 0, done.stdout
    assert "promises of this story held" in done.stdout
    assert "not so" not in done.stdout
    assert processes_in(around) == []


def test_the_demo_fails_when_the_phone_number_is_sent(around):
    """The demo's own checks can fail: with a policy that sends too much they do."""
    copy = around / "tree"
    copy.mkdir()
    subprocess.run(["cp", "-r", "deploy", str(copy)], cwd=ROOT, check=True)
    policy = copy / "deploy" / "policy-demo.yaml"
    text = policy.read_text()
    assert "[client.district, booking.tasks]" in text
    policy.write_text(text.replace("[client.district, booking.tasks]", "[client.district, client.phone, booking.tasks]", 1))
    try:
        done = run(copy / "deploy" / "demo", TMPDIR=str(around))
    finally:
        subprocess.run(["rm", "-rf", str(copy)], check=True)
    assert done.returncode == 1, done.stdout
    assert "✗ not so: the phone number was never sent" in done.stdout
