"""A new policy takes effect when the data-protection officer's digest is that of the file, at once, for every worker."""

import hashlib
import os
import re
import signal

import pytest

from needtoknow_testing import ledger, policy, protos
from needtoknow_testing.cli import Cli
from needtoknow_testing.refusal import refusal, refused
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

WITH = policy.testing_policy()
GARDENING = WITH[WITH.index("  gardening:"):WITH.index("  newsletter:")]
WITHOUT = WITH.replace(GARDENING, "")
APPROVED_BY = "Claire Martin, DPO, 2026-11-23"


@pytest.fixture(scope="module")
def pair():
    world = World.up(WITH, workers=2)
    yield world
    world.down()


@pytest.fixture(autouse=True)
def the_first_policy_again(pair):
    yield
    write(pair, WITH)
    reload(pair.admin, WITH)


def write(world, text):
    (world.sandbox.directory / "policy.yaml").write_text(text)


def digest(text):
    return hashlib.sha256(text.encode()).digest()


def reload(admin, text, approved_by=APPROVED_BY):
    request = protos.registry.ReloadPolicyRequest(expected_digest=digest(text), approved_by=approved_by)
    return admin.registry.ReloadPolicy(request, timeout=20)


def refused_reload(world, text, approved_by=APPROVED_BY):
    request = protos.registry.ReloadPolicyRequest(expected_digest=digest(text), approved_by=approved_by)
    return refusal(world.admin.registry.ReloadPolicy, request, timeout=20)


def in_force(world):
    return world.admin.registry.GetPolicy(protos.registry.GetPolicyRequest(), timeout=10).digest


def activations(world):
    return ledger.of_kind(ledger.entries(world.sandbox), "POLICY_ACTIVATED")


def test_the_approved_file_is_put_in_force_and_recorded(pair):
    before = len(activations(pair))
    write(pair, WITHOUT)
    answer = reload(pair.admin, WITHOUT)
    assert answer.digest == digest(WITHOUT) and in_force(pair) == digest(WITHOUT)
    index, entry = activations(pair)[-1]
    assert len(activations(pair)) == before + 1
    assert (answer.receipt.ledger_index, entry.policy_digest) == (index, digest(WITHOUT))
    assert entry.actor.endswith("/admin/admin"), "who asked stands in the ledger"
    assert pair.sandbox.query("SELECT activated_by FROM needtoknow.policy_activation WHERE ledger_index = %s", index) == [
        (APPROVED_BY,)], "who approved it stands beside it"
    assert bytes(pair.sandbox.query("SELECT text FROM needtoknow.policy WHERE digest = %s", digest(WITHOUT))[0][0].encode()) == (
        WITHOUT.encode()), "and the text is kept"


def test_another_file_than_the_approved_one_is_not(pair):
    write(pair, WITHOUT)
    before = len(activations(pair))
    why = refused_reload(pair, WITH.replace("delete_within: 24h", "delete_within: 23h"))
    assert (why.code.name, why.reason) == ("FAILED_PRECONDITION", "DIGEST_MISMATCH")
    assert why.metadata["digest"] == digest(WITHOUT).hex(), "what the file is instead"
    assert in_force(pair) == digest(WITH) and len(activations(pair)) == before


@pytest.mark.parametrize("broken, expected", [
    (WITH.replace("legal_basis: contract", "legal_basis: contrct", 1), "did you mean `contract`"),
    (WITH.replace("client.district", "client.distict"), "does not fit the company's database"),
    ("", "policy.yaml"),
], ids=["misspelt", "unknown column", "empty"])
def test_a_broken_file_is_refused_and_the_policy_in_force_stays(pair, broken, expected):
    write(pair, broken)
    before = len(activations(pair))
    why = refused_reload(pair, broken)
    assert (why.code.name, why.reason) == ("FAILED_PRECONDITION", "POLICY_REFUSED")
    assert expected in why.message
    assert in_force(pair) == digest(WITH) and len(activations(pair)) == before
    person, recipient = pair.person(), pair.recipient()
    assert pair.share(person, recipient).state == protos.common.DISCLOSURE_STATE_ACTIVE


def test_what_is_in_force_already_is_not_recorded_again(pair):
    before = len(activations(pair))
    answer = reload(pair.admin, WITH)
    assert answer.digest == digest(WITH) and not answer.HasField("receipt")
    assert len(activations(pair)) == before


def test_a_request_must_name_a_digest_and_who_approved(pair):
    with refused("INVALID_ARGUMENT", "BAD_DIGEST"):
        pair.admin.registry.ReloadPolicy(protos.registry.ReloadPolicyRequest(expected_digest=b"short", approved_by="x"), timeout=10)
    assert refused_reload(pair, WITH, approved_by="").reason == "BAD_TEXT"
    with refused("PERMISSION_DENIED", "ROLE_NOT_ALLOWED"):
        reload(pair.booking, WITH)


def test_after_the_answer_no_worker_decides_by_the_policy_before(pair):
    """Callers on connections of their own land on both workers; the answer to the reload is the moment for all of them."""
    person, recipient = pair.person(), pair.recipient(services=("gardening",))
    callers = [pair.sandbox.new_client("booking") for _ in range(8)]
    admins = [pair.sandbox.new_client("admin") for _ in range(4)]
    for turn in range(12):
        text = WITHOUT if turn % 2 == 0 else WITH
        write(pair, text)
        reload(admins[turn % 4], text)
        requests = [pair.share_request(person, recipient, "gardening") for _ in range(24)]
        calls = [callers[number % 8].sharing.Share.future(request, timeout=20) for number, request in enumerate(requests)]
        refusals = [call.exception(20) for call in calls]
        if text is WITHOUT:
            assert all(error is not None and "UNKNOWN_SERVICE" in str(error.trailing_metadata()) for error in refusals), turn
        else:
            assert not any(refusals), (turn, [error for error in refusals if error])
    for client in callers + admins:
        client.close()
    recipient.drain()


def test_shares_under_way_end_under_one_policy_or_the_other(pair):
    """Each entry of a share names the policy that was in force at its index."""
    person, recipient = pair.person(), pair.recipient(services=("gardening",))
    callers = [pair.sandbox.new_client("booking") for _ in range(4)]
    start = len(ledger.entries(pair.sandbox))
    calls = []
    for turn in range(6):
        text = WITHOUT if turn % 2 == 0 else WITH
        calls += [callers[n % 4].sharing.Share.future(pair.share_request(person, recipient, "gardening"), timeout=20) for n in range(40)]
        write(pair, text)
        reload(pair.admin, text)
        callers[turn % 4].sharing.Share.future(pair.share_request(person, recipient, "gardening"), timeout=20).exception(20)
    for call in calls:
        call.exception(20)
    current = None
    seen = set()
    for index, entry in ledger.entries(pair.sandbox):
        kind = ledger.kind_name(entry)
        if kind == "POLICY_ACTIVATED":
            current = entry.policy_digest
        elif index >= start and kind in ("SHARED", "REFUSED"):
            assert entry.policy_digest == current, (index, kind)
            assert (kind == "SHARED") == (current == digest(WITH)), (index, kind)
            seen.add(kind)
    assert seen == {"SHARED", "REFUSED"}
    for client in callers:
        client.close()
    recipient.drain()


def test_an_operator_reloads_from_the_command_line(pair, tmp_path):
    """The approved copy need not lie where the service's file does: it is what the service's file must be."""
    cli = Cli(pair.sandbox, "admin")
    approved = tmp_path / "approved.yaml"
    approved.write_text(WITHOUT)
    done = cli.run("policy", "reload", str(approved), "--approved-by", APPROVED_BY, code=1)
    assert digest(WITH).hex() in done.stderr.decode(), "the service's file is still the other"
    write(pair, WITHOUT)
    assert f"In force now: SHA-256 {digest(WITHOUT).hex()}" in cli.text("policy", "reload", str(approved), "--approved-by", APPROVED_BY)
    assert "Was in force already" in cli.text("policy", "reload", str(approved), "--approved-by", APPROVED_BY)
    assert "--approved-by" in cli.run("policy", "reload", str(approved), code=2).stderr.decode()


def test_news_that_came_while_our_database_was_away_is_looked_up_when_it_is_back(pair):
    """Whoever waits to know which policy is in force is not forgotten, whichever connection is back first."""
    person, recipient = pair.person(), pair.recipient()
    pair.sandbox.wait_until(pair.sandbox.database_now() + 1.5)  # what a worker looks up once a second of itself is over
    pair.sandbox.query("ALTER ROLE needtoknow_state CONNECTION LIMIT 0")
    try:
        pair.sandbox.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'needtoknow state'")
        pair.sandbox.wait_not_serving()
        pair.sandbox.query("NOTIFY needtoknow, '1 another policy'")
    finally:
        pair.sandbox.query("ALTER ROLE needtoknow_state CONNECTION LIMIT -1")
    pair.sandbox.wait_serving()
    assert pair.share(person, recipient).state == protos.common.DISCLOSURE_STATE_ACTIVE
    recipient.drain()


def test_deliveries_wait_for_an_unknown_policy_without_asking_all_the_time():
    """Another machine's policy that cannot be looked at, since the company's database is away: hours, perhaps."""
    world = World.up(WITH)
    sandbox = world.sandbox
    attempts = lambda: int(re.search(r'deliveries_abandoned_total\{worker="1"\} (\d+)', sandbox.metrics())[1])
    try:
        recipient = world.recipient()
        shared = world.share(world.person(), recipient)
        sandbox.query("ALTER ROLE needtoknow_source CONNECTION LIMIT 0")
        sandbox.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'needtoknow_source'")
        sandbox.query("INSERT INTO needtoknow.policy VALUES (1000, sha256('x'), %s)", WITH + "# another machine's\n")
        sandbox.query("INSERT INTO needtoknow.policy_activation VALUES (1000000, 1000, now(), 'somebody')")
        sandbox.query("NOTIFY needtoknow, '1 another policy'")
        until(lambda: "cannot be checked" in sandbox.log(), 20, "the look that fails")
        with recipient.receive() as stream:
            until(attempts, 10, "the first attempt")
            before = attempts()
            sandbox.wait_until(sandbox.database_now() + 2)
            assert attempts() - before <= 4, "about one a second"
            sandbox.query("ALTER ROLE needtoknow_source CONNECTION LIMIT -1")
            stream.delivery(shared.disclosure_id, timeout=20)
    finally:
        world.down()


def test_sighup_takes_the_file_as_it_is_and_keeps_what_is_in_force_when_it_is_broken(pair):
    write(pair, WITHOUT)
    os.kill(pair.sandbox.pid, signal.SIGHUP)
    until(lambda: in_force(pair) == digest(WITHOUT), 20, "the new policy")
    index, entry = activations(pair)[-1]
    assert entry.policy_digest == digest(WITHOUT) and entry.actor == "system"
    mark = len(pair.sandbox.log())
    write(pair, WITH.replace("legal_basis: contract", "legal_basis: contrct", 1))
    os.kill(pair.sandbox.pid, signal.SIGHUP)
    until(lambda: "did you mean `contract`" in pair.sandbox.log()[mark:], 20, "why not, with file, line and column")
    assert in_force(pair) == digest(WITHOUT) and activations(pair)[-1][0] == index
