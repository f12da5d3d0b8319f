"""Clients in other languages: @grpc/grpc-js, and `buf curl`, which knows nothing but what reflection tells it."""

import base64
import json
import subprocess

import pytest

from needtoknow_testing import protos
from needtoknow_testing.paths import PROTO, SYSTEM


def install(directory):
    """npm ci, once for each lock file."""
    modules = directory / "node_modules" / ".package-lock.json"
    if not modules.exists() or modules.stat().st_mtime < (directory / "package-lock.json").stat().st_mtime:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=directory, check=True, timeout=600)
        modules.touch()
    return directory


def party(pair):
    return {"certificate": str(pair[0]), "key": str(pair[1])}


@pytest.fixture(scope="module")
def javascript(shared_world):
    directory = install(SYSTEM / "js")

    def run(command, **values):
        sandbox = shared_world.sandbox
        values = {"proto": str(PROTO), "ca": str(sandbox.ca), "address": f"localhost:{sandbox.address.rsplit(':', 1)[1]}",
                  "booking": party(sandbox.key_pair("booking")), **values}
        done = subprocess.run(["node", "client.js", command], cwd=directory, input=json.dumps(values), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    return run


def plain(request):
    """A ShareRequest as grpc-js takes it."""
    time = lambda stamp: {"seconds": str(stamp.seconds), "nanos": stamp.nanos}
    return {name: getattr(request, name) for name in ("request_id", "booking_id", "subject_id", "recipient_id", "service")} | {
        "starts_at": time(request.starts_at), "ends_at": time(request.ends_at)}


def test_javascript_shares_receives_and_acknowledges(world, javascript):
    person, recipient = world.person(), world.recipient()
    pair = world.authority.issue(f"spiffe://maison-claire.example/recipient/{recipient.recipient_id}/node")
    result = javascript("receive", recipient=party(pair), share=plain(world.share_request(person, recipient)))
    delivery = result["events"][0]["delivery"]
    assert delivery["disclosure_id"] == result["shared"]["disclosure"]["disclosure_id"]
    assert {field["name"]: field["value"] for field in delivery["fields"]}["client.door_code"] == person.value("client.door_code")
    assert delivery["cause"] == "DELIVERY_CAUSE_NEW"
    assert result["acknowledged"]["acknowledged"] == 1
    assert recipient.drain() == []


def test_javascript_sees_the_reason_of_a_refusal(world, javascript):
    request = plain(world.share_request(world.person(), world.recipient(), "kleaning"))
    result = javascript("call", service="SharingService", method="Share", request=request,
                        caller=party(world.sandbox.key_pair("booking")))
    assert result["code"] == 3
    status = protos.status.Status.FromString(base64.b64decode(result["details"][0]))
    info = protos.error_details.ErrorInfo()
    assert status.details[0].Unpack(info) and info.reason == "UNKNOWN_SERVICE" and info.domain == "needtoknow"
    assert status.message == result["message"]


def test_javascript_refused_for_its_role(world, javascript):
    result = javascript("call", service="AuditService", method="ListEntries", request={},
                        caller=party(world.sandbox.key_pair("sparkle")))
    assert result["code"] == 7


def test_javascript_sends_many_at_once(world, javascript):
    recipient = world.recipient()
    people = [world.person() for _ in range(50)]
    results = javascript("parallel", requests=[plain(world.share_request(person, recipient)) for person in people])
    assert len({result["answer"]["disclosure"]["disclosure_id"] for result in results}) == 50
    got = recipient.drain()
    assert {delivery.booking_id for delivery in got} == {person.booking_id for person in people}


@pytest.fixture(scope="module")
def buf_curl(shared_world):
    directory = install(SYSTEM / "buf")

    def run(method, request, name="booking", *options):
        certificate, key = shared_world.sandbox.key_pair(name)
        port = shared_world.sandbox.address.rsplit(":", 1)[1]
        done = subprocess.run(
            ["./node_modules/.bin/buf", "curl", "--protocol", "grpc", "--cacert",
             str(shared_world.sandbox.ca), "--cert", str(certificate), "--key", str(key), *options,
             "--data", json.dumps(request), f"https://localhost:{port}/{method}"],
            cwd=directory, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        return done.returncode, done.stdout, done.stderr
    return run


@pytest.mark.parametrize("protocol", ["grpc-v1", "grpc-v1alpha"])
def test_buf_curl_needs_no_proto_files(world, buf_curl, protocol):
    shared = world.share(world.person(), world.recipient())
    code, out, err = buf_curl("needtoknow.v1.SharingService/GetDisclosure", {"disclosureId": shared.disclosure_id}, "booking",
                              "--reflect", "--reflect-protocol", protocol)
    assert code == 0, err
    assert json.loads(out)["disclosure"]["disclosureId"] == shared.disclosure_id


def test_buf_curl_prints_the_refusal(world, buf_curl):
    code, _, err = buf_curl("needtoknow.v1.SharingService/GetDisclosure",
                            {"disclosureId": "00000000-0000-4000-8000-000000000000"}, "booking", "--reflect")
    assert code != 0 and "not_found" in err, err
