"""P6 Nothing lost, nothing twice: what was answered OK is there after any kill, and a repeat finds it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.waiting import until


def get(world, disclosure_id):
    return world.booking.sharing.GetDisclosure(
        protos.sharing.GetDisclosureRequest(disclosure_id=disclosure_id), timeout=10).disclosure


@pytest.mark.parametrize("also_postgresql", [False, True], ids=["the daemon", "the daemon and PostgreSQL"])
def test_p6_what_was_answered_ok_survives_a_kill(world, also_postgresql):
    sandbox, recipient = world.sandbox, world.recipient()
    acknowledged = world.share(world.person(), recipient)
    recipient.acknowledge(*recipient.drain())
    request = world.share_request(world.person(), recipient)
    answer = world.booking.sharing.Share(request, timeout=10)
    sandbox.kill()
    if also_postgresql:
        sandbox.stop_postgres("immediate")
        sandbox.start_postgres()
    sandbox.start()
    assert get(world, answer.disclosure.disclosure_id).state == protos.common.DISCLOSURE_STATE_ACTIVE
    again = world.booking.sharing.Share(request, timeout=10)
    assert again.receipt == answer.receipt and again.disclosure.disclosure_id == answer.disclosure.disclosure_id
    assert get(world, acknowledged.disclosure_id).releases[0].state == protos.common.RELEASE_STATE_ACKNOWLEDGED
    got = recipient.drain()
    assert [delivery.disclosure_id for delivery in got] == [answer.disclosure.disclosure_id]
    recipient.acknowledge(*got)


def test_p6_a_request_repeated_until_it_is_answered_has_one_effect(world):
    """200 callers repeat their Share, with its id, through three kills of the daemon."""
    sandbox, recipient = world.sandbox, world.recipient()
    people = [world.person() for _ in range(20)]
    requests = [world.share_request(people[number % 20], recipient) for number in range(200)]
    clients = [sandbox.new_client("booking") for _ in range(4)]
    answered = threading.Semaphore(0)
    kills = []

    def share(number):
        for _ in range(200):
            try:
                answer = clients[number % 4].sharing.Share(requests[number], timeout=5, wait_for_ready=True)
                answered.release()
                return answer
            except grpc.RpcError as error:
                assert error.code().name in ("UNAVAILABLE", "DEADLINE_EXCEEDED"), error
        raise AssertionError("never answered")

    with ThreadPoolExecutor(50) as pool:
        futures = [pool.submit(share, number) for number in range(200)]
        for _ in range(3):
            for _ in range(20):
                answered.acquire(timeout=20)
            sandbox.restart()
            kills.append(sandbox.pid)
        answers = [future.result(60) for future in futures]
    for client in clients:
        client.close()
    assert len(kills) == 3
    ids = {answer.disclosure.disclosure_id for answer in answers}
    assert len(ids) == 200
    shared = [entry.disclosure_id for _, entry in ledger.of_kind(ledger.entries(sandbox), "SHARED")
              if entry.recipient_id == recipient.recipient_id]
    assert sorted(shared) == sorted(ids), "each once"
    by_index = dict(ledger.entries(sandbox))
    for answer in answers:
        assert by_index[answer.receipt.ledger_index].disclosure_id == answer.disclosure.disclosure_id


def test_p6_an_app_that_crashed_gets_again_what_it_did_not_acknowledge(world):
    """A stream that dies without a word frees its deliveries in the time that the policy gives (2 s here)."""
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    with recipient.receive() as first:
        one = first.delivery(shared.disclosure_id)
        with recipient.device("phone").receive() as second:
            again = second.delivery(shared.disclosure_id, timeout=10)
            assert again.delivery_id == one.delivery_id
            assert again.cause == protos.delivery.DELIVERY_CAUSE_REPEATED
            second.acknowledge(again)
            passed = protos.seconds(again.receipt.recorded_at) - protos.seconds(one.receipt.recorded_at)
            assert 1.9 <= passed < 8
            size = ledger.size(world.sandbox)
            until(lambda: world.sandbox.database_now() > protos.seconds(again.receipt.recorded_at) + 2.5, 10)
            assert not ledger.of_kind(ledger.entries(world.sandbox, size), "DELIVERED"), "acknowledged, it does not come again"


def test_p6_an_ok_survives_a_role_whose_commits_do_not_wait(world):
    """synchronous_commit off for the role would let a crash take back what was answered; the train does not have it."""
    sandbox, recipient = world.sandbox, world.recipient()
    sandbox.query("ALTER ROLE needtoknow_state SET synchronous_commit = off")
    sandbox.query("ALTER SYSTEM SET wal_writer_delay = '10s'")
    sandbox.query("SELECT pg_reload_conf()")
    try:
        sandbox.restart()
        for _ in range(3):
            shared = world.share(world.person(), recipient)
            sandbox.stop_postgres("immediate")
            sandbox.start_postgres()
            sandbox.wait_serving()
            assert get(world, shared.disclosure_id).state == protos.common.DISCLOSURE_STATE_ACTIVE
        assert "synchronous_commit was off" in sandbox.log()
    finally:
        sandbox.query("ALTER ROLE needtoknow_state RESET synchronous_commit")
        sandbox.query("ALTER SYSTEM RESET wal_writer_delay")
        sandbox.query("SELECT pg_reload_conf()")
        sandbox.restart()
