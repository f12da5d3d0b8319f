"""P6 Nothing lost, nothing twice, through a fail-over to a synchronous standby: what was answered OK is there afterwards."""

import signal
import threading
import time

import grpc
import pytest

from needtoknow_testing import ledger, policy
from needtoknow_testing.standby import Pair
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

RESUMED_WITHIN = 5.0
TRY_AGAIN = ("UNAVAILABLE", "DEADLINE_EXCEEDED")


@pytest.fixture(scope="module")
def replicated():
    world = World.up(policy.testing_policy(acknowledge_within="2s"), workers=2)
    world.pair = Pair.up(world.sandbox)
    yield world
    world.down()


@pytest.fixture
def world(replicated):
    """With a synchronous standby, and serving."""
    if replicated.pair.standby is None:
        replicated.pair.rejoin()
    replicated.sandbox.wait_serving()
    yield replicated
    replicated.sandbox.wait_serving()


class Bookings:
    """Callers that share without a pause, each request repeated with its id until it is answered."""

    def __init__(self, world, recipient, callers=8):
        self.world, self.recipient = world, recipient
        self.people = [world.person() for _ in range(callers)]
        self.clients = [world.sandbox.new_client("booking") for _ in range(2)]
        self.answers = []  # (begun, answered, ShareResponse)
        self.failure = None
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._share, args=(number,), daemon=True) for number in range(callers)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        for client in self.clients:
            client.close()
        assert self.failure is None, self.failure

    def _share(self, number):
        try:
            while not self._stop.is_set():
                request = self.world.share_request(self.people[number], self.recipient)
                begun, answer = time.monotonic(), None
                while answer is None:
                    answer = self._try(self.clients[number % len(self.clients)], request)
                self.answers.append((begun, time.monotonic(), answer))
        except Exception as error:  # kept for the test
            self.failure = error

    def _try(self, client, request):
        try:
            return client.sharing.Share(request, timeout=3, wait_for_ready=True)
        except grpc.RpcError as error:
            if error.code().name not in TRY_AGAIN:
                raise
            return None

    def answered_after(self, moment):
        """How many seconds after it the first call begun since was answered."""
        return until(lambda: min((done for begun, done, _ in list(self.answers) if begun > moment), default=None), 30,
                     "an answer to a call begun since") - moment

    def some(self, amount):
        enough = len(self.answers) + amount
        until(lambda: self.failure or len(self.answers) >= enough, 30, f"{amount} more answers")


def each_is_there(world, recipient, answers):
    """Every answer's entry is where its receipt says, and no request was done twice."""
    entries = dict(ledger.entries(world.sandbox))
    for answer in answers:
        assert entries[answer.receipt.ledger_index].disclosure_id == answer.disclosure.disclosure_id
    shared = [entry.disclosure_id for _, entry in ledger.of_kind(list(entries.items()), "SHARED")
              if entry.recipient_id == recipient.recipient_id]
    assert sorted(shared) == sorted(answer.disclosure.disclosure_id for answer in answers), "each once, and no other"


def test_p6_a_fail_over_under_load_loses_nothing_that_was_answered_and_service_resumes(world):
    """Three times; the second outage is so long that whoever seeks the database has given up hurrying."""
    recipient, pair = world.recipient(), world.pair
    with recipient.receive(max_unacknowledged=1024) as stream, Bookings(world, recipient) as bookings:
        for outage in (0, 12, 0):
            bookings.some(50)
            got = stream.deliveries()[-20:]
            stream.acknowledge(*got)
            pair.kill_primary()
            killed = time.monotonic()
            until(lambda: time.monotonic() > killed + outage, outage + 5)
            pair.promote()
            resumed = bookings.answered_after(pair.promoted)
            print(f"outage of {outage} s: answered {resumed:.2f} s after the promotion")
            assert resumed < RESUMED_WITHIN
            forgotten = world.sandbox.query(
                "SELECT count(*) FROM needtoknow.sent WHERE disclosure_id = ANY (%s::uuid[]) AND acknowledged_index IS NULL",
                list({delivery.disclosure_id for delivery in got}))
            assert got and forgotten == [(0,)], "what was acknowledged is"
            pair.rejoin()
    each_is_there(world, recipient, [answer for *_, answer in bookings.answers])


@pytest.mark.parametrize("setting", ["off", "local", "remote_write"])
def test_p6_a_role_whose_commits_wait_for_no_standby_loses_nothing(world, setting):
    """What the standby's disk does not have is no OK, whatever the role was given."""
    recipient, pair, sandbox = world.recipient(), world.pair, world.sandbox
    request = world.share_request(world.person(), recipient)
    sandbox.query(f"ALTER ROLE needtoknow_state SET synchronous_commit = {setting}")
    try:
        sandbox.restart()
        assert f"synchronous_commit was {setting}" in sandbox.log()
        pair.standby.signal(signal.SIGSTOP)
        call = world.booking.sharing.Share.future(request, timeout=60)
        until(lambda: waits_for_a_standby(pair.primary), 10, "a COMMIT that waits for the standby")
        assert not call.done()
    finally:
        pair.standby.signal(signal.SIGCONT)
        sandbox.query("ALTER ROLE needtoknow_state RESET synchronous_commit")
    each_is_there(world, recipient, [call.result(30)])
    sandbox.restart()


def test_p5_the_ledger_is_signed_on_after_a_fail_over(world):
    """The standby has everything that was signed: its tree goes on where the signed one was."""
    size = lambda: world.sandbox.query("SELECT max(size) FROM needtoknow.checkpoint")[0][0] or 0
    recipient = world.recipient()
    world.share(world.person(), recipient)
    until(lambda: size() == ledger.size(world.sandbox), 10, "a signed ledger")
    before = size()
    world.pair.fail_over()
    world.wait_sharing(world.person(), recipient)
    until(lambda: size() > before and size() == ledger.size(world.sandbox), 20, "a checkpoint from the new primary")


def waits_for_a_standby(primary):
    return [pid for (pid,) in primary.query("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")]


@pytest.mark.parametrize("then", ["the standby comes back", "the standby takes over"])
def test_p6_a_cancelled_wait_for_the_standby_is_no_ok(world, then):
    """PostgreSQL calls such a COMMIT a success, with a WARNING: it would be gone after a fail-over."""
    recipient, pair, sandbox = world.recipient(), world.pair, world.sandbox
    person = world.person()
    request = world.share_request(person, recipient)
    client = sandbox.new_client("booking")
    pair.standby.signal(signal.SIGSTOP)
    try:
        call = client.sharing.Share.future(request, timeout=60)
        for _ in range(2):
            waiting = until(lambda: waits_for_a_standby(pair.primary), 10, "a COMMIT that waits for the standby")
            pair.primary.query("SELECT pg_cancel_backend(%s)", waiting[0])
            until(lambda: waiting[0] not in waits_for_a_standby(pair.primary), 10, "the wait's end")
        sandbox.wait_not_serving()
        assert not call.done(), "answered, though the standby does not have it"
        if then == "the standby takes over":
            pair.kill_primary()
    finally:
        pair.standby.signal(signal.SIGCONT)
    if then == "the standby takes over":
        pair.promote()
    answer = call.result(30)
    client.close()
    sandbox.wait_serving()
    again = world.booking.sharing.Share(request, timeout=10)
    assert again.receipt == answer.receipt
    each_is_there(world, recipient, [answer])
    recipient.acknowledge(*recipient.drain())


def test_p6_a_primary_that_hangs_is_left_for_the_one_that_answers(world):
    """Its machine takes connections and says nothing; the standby is promoted once its lease is over, 12 s here."""
    recipient, pair = world.recipient(), world.pair
    old = pair.primary
    with recipient.receive(max_unacknowledged=1024), Bookings(world, recipient) as bookings:
        bookings.some(20)
        old.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            until(lambda: time.monotonic() > stopped + 12, 20)
            pair.promote(fenced=False)
            assert bookings.answered_after(pair.promoted) < RESUMED_WITHIN
            bookings.some(20)
        finally:
            old.kill()
    each_is_there(world, recipient, [answer for *_, answer in bookings.answers])


def test_p6_an_old_primary_that_still_lives_answers_nobody(world):
    """Promoted without a fence: the old primary takes writes, but nobody waits with it, so that nothing becomes an OK."""
    recipient, pair, sandbox = world.recipient(), world.pair, world.sandbox
    old = pair.primary
    with Bookings(world, recipient) as bookings:
        bookings.some(20)
        pair.promote(fenced=False)
        until(lambda: waits_for_a_standby(old), 10, "a COMMIT that waits in vain")
        moment = time.monotonic()
        sandbox.wait_not_serving()
        assert not [done for begun, done, _ in list(bookings.answers) if begun > moment]
        old.kill()
        killed = time.monotonic()
        assert bookings.answered_after(killed) < 2 * RESUMED_WITHIN
        bookings.some(20)
    each_is_there(world, recipient, [answer for *_, answer in bookings.answers])
