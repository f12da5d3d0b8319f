"""More than can be recorded in time: new requests are told at once when to try again, and nothing else waits for them."""

import re
import threading
import time

import grpc
import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.client import Client
from needtoknow_testing.refusal import refusal_of
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

PUSHBACK = "grpc-retry-pushback-ms"
# Backoffs of an hour: whoever is answered soon has heeded the pushback.
RETRY = """{ "methodConfig": [{ "name": [{}], "retryPolicy": { "maxAttempts": 5, "initialBackoff": "3600s", "maxBackoff": "3600s",
    "backoffMultiplier": 1, "retryableStatusCodes": ["RESOURCE_EXHAUSTED"] } }] }"""


@pytest.fixture(scope="module")
def world():
    """Transactions of one call each, so that a few hundred are a queue."""
    world = World.up(config=lambda text: re.sub(r"max_wait_ms: \d+", "max_wait_ms: 1\n  train_max_calls: 1", text))
    yield world
    world.down()


class Burst:
    """Shares all at once, again as soon as they are answered. As a context: the queue that they make lasts until it ends."""

    def __init__(self, world, recipient, amount=300):
        self.world, self.recipient, self.amount = world, recipient, amount
        self.client = Client(world.sandbox.address, world.sandbox.ca, *world.sandbox.key_pair("booking"))
        self.person = world.person()
        self.accepted, self.refused, self.failed = 0, [], []
        self._lock, self._stopped, self._left = threading.Lock(), False, threading.Semaphore(0)

    def _ask(self):
        future = self.client.sharing.Share.future(self.world.share_request(self.person, self.recipient), timeout=60)
        future.add_done_callback(self._answered)

    def _answered(self, future):
        error = future.exception()
        with self._lock:
            if error is None:
                self.accepted += 1
            elif error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
                self.refused.append(error)
            else:
                self.failed.append(error)
            again = not self._stopped
        if again:
            self._ask()
        else:
            self._left.release()

    def __enter__(self):
        for _ in range(self.amount):
            self._ask()
        return self

    def __exit__(self, *_):
        with self._lock:
            self._stopped = True
        for _ in range(self.amount):
            assert self._left.acquire(timeout=60)
        self.client.close()
        assert not self.failed, self.failed


def shed(world):
    return sum(int(number) for number in re.findall(r'^needtoknow_requests_shed_total{worker="\d+"} (\d+)$', world.sandbox.metrics(), re.M))


def test_p8_what_cannot_be_recorded_in_time_is_refused_at_once_and_told_when_to_come_again(world):
    recipient = world.recipient()
    before, size = shed(world), ledger.size(world.sandbox)
    with Burst(world, recipient) as burst:
        until(lambda: len(burst.refused) >= 50, 60, "requests that are refused")
    assert burst.accepted, "those who are let in are answered"
    for error in burst.refused:
        found = refusal_of(error)
        assert found.reason == "OVERLOADED", found
        told = [value for key, value in error.trailing_metadata() if key == PUSHBACK]
        assert len(told) == 1 and 1 <= int(told[0]) <= 60_000, told
    assert len({dict(error.trailing_metadata())[PUSHBACK] for error in burst.refused}) > 1, "not all at the same moment"
    until(lambda: shed(world) - before == len(burst.refused), 10, "the worker's figures")
    shared = [entry for _, entry in ledger.of_kind(ledger.entries(world.sandbox, size), "SHARED")]
    assert len(shared) == burst.accepted, "nothing was begun of what was refused"
    assert "overloaded: new requests wait" in world.sandbox.log()
    world.share(world.person(), recipient)  # it is as before


def test_deliveries_acknowledgements_and_ends_do_not_wait_for_new_requests(world):
    other, recipient = world.recipient(), world.recipient()
    ending = world.share(world.person(), recipient)
    waiting = world.share(world.person(), recipient)
    with Burst(world, other) as burst:
        until(lambda: len(burst.refused) >= 50, 60, "requests that are refused")
        with recipient.receive() as stream:
            stream.acknowledge(stream.delivery(waiting.disclosure_id, timeout=30))
        world.booking.sharing.Revoke(
            protos.sharing.RevokeRequest(disclosure_id=ending.disclosure_id, request_id="overload-ends"), timeout=30)
        refused = len(burst.refused)
        until(lambda: len(burst.refused) > refused, 60, "it lasted until then")
    for drained in iter(other.drain, []):
        other.acknowledge(*drained)


def test_a_client_of_another_maker_comes_again_when_it_was_told_to(world):
    recipient = world.recipient()
    person = world.person()
    client = Client(world.sandbox.address, world.sandbox.ca, *world.sandbox.key_pair("booking"),
                    (("grpc.service_config", RETRY), ("grpc.enable_retries", 1)))
    with Burst(world, recipient) as burst:
        until(lambda: len(burst.refused) >= 50, 60, "requests that are refused")
        future = client.sharing.Share.future(world.share_request(person, recipient), timeout=60)
        begun = time.monotonic()
        time.sleep(0.05)
    try:
        assert future.result().disclosure.disclosure_id
    except grpc.RpcError as error:
        # All five attempts came while it lasted.
        assert refusal_of(error).reason == "OVERLOADED", error
    assert time.monotonic() - begun < 50, "it did not wait for its own backoff"
    client.close()
