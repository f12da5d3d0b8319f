"""Erase (GDPR art. 17, 19): what the client, each recipient, the company and the auditor see; P4 in two workers."""

import threading

import pytest

from needtoknow_testing import changes, ledger, policy, protos, rights
from needtoknow_testing.client import unique
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World
from test_corrections import metric
from test_forgetting import everywhere

ERASED = protos.common.DISCLOSURE_STATE_ERASED
CAUSE = protos.delivery.WITHDRAWAL_CAUSE_ERASED
DELETED = protos.delivery.DELETION_OUTCOME_DELETED
HELD_OUTCOME = rights.rights.ERASURE_OUTCOME_HELD


@pytest.fixture(scope="module")
def pair():
    world = World.up(workers=2)
    yield world
    world.down()


def request_of(person, **fields):
    return rights.asked(rights.rights.EraseRequest, person.subject_id, **fields)


def erase(world, person, timeout=30, **fields):
    return world.rights.rights.Erase(request_of(person, **fields), timeout=timeout)


def entries_about(world, person):
    """(kind, reason) of the entries of the erasure and of what it ended, in order."""
    found = dict(ledger.entries(world.sandbox))
    indices = world.sandbox.query("SELECT ledger_index FROM needtoknow.entry_reference WHERE subject_id = %s ORDER BY 1", person.subject_id)
    return [found[index] for index, in indices]


def erasure_entries(world, person):
    return [entry for entry in entries_about(world, person) if ledger.kind_name(entry) == "ERASED"]


def outcomes(answer):
    return {each.column: each.outcome == HELD_OUTCOME for each in answer.columns}


def request_state(world, request):
    return world.sandbox.query("SELECT state, answered_at IS NOT NULL FROM needtoknow.rights_request WHERE request_id = %s",
                               request.request_id)


def confirm(recipient, *disclosures):
    items = [protos.delivery.DeletionItem(disclosure_id=each.disclosure_id, outcome=DELETED) for each in disclosures]
    recipient.client.delivery.ConfirmDeletion(protos.delivery.ConfirmDeletionRequest(items=items), timeout=10)


def test_art_17_who_is_erased_is_gone_from_the_sources_and_withdrawn_from_everybody_but_the_law(world):
    person, recipient = world.person(), world.recipient()
    with recipient.receive() as stream:
        # For the same booking, which is nobody's to ask about because of a newsletter alone.
        letter = world.share(person, recipient, "newsletter")
        stream.acknowledge(stream.delivery(letter.disclosure_id))
        visit = world.share(person, recipient)
        stream.acknowledge(stream.delivery(visit.disclosure_id))
        before = totals(world, recipient)

        plan = erase(world, person, dry_run=True, cancel_bookings=True)
        assert not plan.HasField("receipt") and not erasure_entries(world, person)
        assert {each.disclosure_id for each in plan.withdrawn} == {visit.disclosure_id, letter.disclosure_id}
        asked = request_of(person)
        with refused("FAILED_PRECONDITION", "ACTIVE_BOOKINGS") as refusal:
            world.rights.rights.Erase(asked, timeout=20)
        assert refusal.metadata["bookings"] == "1"
        assert request_state(world, asked) == [(3, True)]

        request = request_of(person, cancel_bookings=True)
        answer = world.rights.rights.Erase(request, timeout=20)
        assert outcomes(answer) == outcomes(plan) and answer.columns
        assert {each.disclosure_id for each in answer.withdrawn} == {visit.disclosure_id, letter.disclosure_id}
        assert {each.state for each in answer.withdrawn} == {ERASED}
        for shared in (visit, letter):
            assert stream.withdrawal(shared.disclosure_id).cause == CAUSE
        confirm(recipient, visit, letter)
    held = {column for column, is_held in outcomes(answer).items() if is_held}
    assert held, "the company's accounting law keeps something"
    for column in (each for each in answer.columns if each.outcome == HELD_OUTCOME):
        assert column.law and protos.seconds(column.until) > protos.seconds(column.since)
    first, deleted, retained = erasure_entries(world, person)
    assert [ledger.reason_name(each) for each in (first, deleted, retained)] == ["UNSPECIFIED", "DELETED", "RETAINED"]
    assert set(retained.fields) == held and set(deleted.fields) == set(outcomes(answer)) - held
    assert first.actor.startswith("spiffe://") and deleted.actor == retained.actor == "system"
    assert len({each.subject_pseudonym for each in (first, deleted, retained)}) == 1 and len(first.subject_pseudonym) == 16
    assert request_state(world, request) == [(2, True)]
    again = world.rights.rights.Erase(request, timeout=20)
    assert again == answer and len(erasure_entries(world, person)) == 3
    with refused("FAILED_PRECONDITION", "ERASED"):
        world.share(person, recipient)
    assert totals(world, recipient) == before, "what was shared stays recorded as it was"
    world.check()


def totals(world, recipient):
    """What the auditor counts of a recipient: deliveries by kind of entry and fields."""
    request = protos.audit.ListEntriesRequest(
        filter=protos.audit.EntryFilter(recipient_id=recipient.recipient_id, kinds=[ledger.ENTRY_KIND.Value("ENTRY_KIND_DELIVERED")]),
        page_size=1000)
    listed = world.auditor.audit.ListEntries(request, timeout=20).entries
    return [(each.index, each.leaf_hash, each.body) for each in listed]


def broken(world):
    """The company's function raises: its database is there, and does not do what it is asked."""
    world.sandbox.query("ALTER FUNCTION company.remove(text, text[]) RENAME TO removed")


def mended(world):
    world.sandbox.query("ALTER FUNCTION company.removed(text, text[]) RENAME TO remove")


def test_art_17_an_erasure_holds_at_once_and_the_company_is_asked_until_it_answers(world):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient)
    recipient.acknowledge(*recipient.drain())
    request = request_of(person, cancel_bookings=True)
    resumed = metric(world, "erasures_resumed_total")
    broken(world)
    try:
        with refused("UNAVAILABLE", "SOURCE_UNAVAILABLE"):
            world.rights.rights.Erase(request, timeout=30)
        assert changes.get(world, shared.disclosure_id).state == ERASED
        with refused("FAILED_PRECONDITION", "ERASED"):
            world.share(person, recipient)
        assert request_state(world, request) == [(1, False)] and len(erasure_entries(world, person)) == 1
        until(lambda: metric(world, "erasures_waiting") == 1 and metric(world, "erasures_stopped") == 1, 30, "what the operator is told")
    finally:
        mended(world)
    until(lambda: request_state(world, request) == [(2, True)], 30, "the company's answer, which nobody waits for")
    until(lambda: metric(world, "erasures_resumed_total") > resumed, 10, "the count of what was gone on with")
    until(lambda: metric(world, "erasures_waiting") == metric(world, "erasures_stopped") == 0, 30, "what the operator is told now")
    answer = world.rights.rights.Erase(request, timeout=20)
    assert [each.disclosure_id for each in answer.withdrawn] == [shared.disclosure_id] and answer.columns
    assert len(erasure_entries(world, person)) == 3, "and each was said once"
    world.check()


def test_art_17_a_request_id_of_something_else_and_an_unknown_client(world):
    person = world.person()
    request = request_of(person)
    world.rights.rights.Erase(request, timeout=20)
    request.cancel_bookings = True
    with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED"):
        world.rights.rights.Erase(request, timeout=20)
    stranger = rights.asked(rights.rights.EraseRequest, unique("nobody"))
    for stranger.dry_run in (True, False):
        with refused("NOT_FOUND", "UNKNOWN_SUBJECT"):
            world.rights.rights.Erase(stranger, timeout=20)


def test_art_17_more_than_one_train_takes(world):
    """400 disclosures of one client: all of them end, and the answer names them."""
    person, recipient = world.person(), world.recipient()
    shared = [world.booking.sharing.Share.future(world.share_request(person, recipient, "contact"), timeout=60) for _ in range(400)]
    ids = {each.result().disclosure.disclosure_id for each in shared}
    answer = erase(world, person, timeout=60)
    assert {each.disclosure_id for each in answer.withdrawn} == ids
    assert world.sandbox.query("SELECT count(*) FROM needtoknow.disclosure WHERE subject_id = %s AND state <> %s",
                               person.subject_id, ERASED) == [(0,)]


def key_of(world, person):
    return world.sandbox.query("SELECT 1 FROM needtoknow.subject_key WHERE subject_id = %s", person.subject_id)


def in_the_sources(world, sentinels):
    """[(view, value)] of what the daemon's source role can still read."""
    found = []
    for view in ("share.client", "share.booking"):
        text = " ".join(row for row, in world.sandbox.query(f"SELECT v::text FROM {view} AS v"))
        found += [(view, value) for value in sentinels if value in text]
    return found


def test_p3_p5_of_who_was_erased_and_forgotten_nothing_is_left_but_the_proof():
    text = policy.testing_policy()
    assert "subject_key_after_erasure: { keep: 5y" in text
    world = World.up(text.replace("subject_key_after_erasure: { keep: 5y", "subject_key_after_erasure: { keep: 0d"))
    try:
        person, recipient = world.person(), world.recipient()
        shared = world.share(person, recipient)
        recipient.acknowledge(*recipient.drain())
        world.check()  # while the values and the keys are there
        sentinels = [value for value in person.sentinels() if len(value) > 5]
        assert len(sentinels) > 5 and in_the_sources(world, sentinels)
        before = totals(world, recipient)
        answer = erase(world, person, cancel_bookings=True)
        assert in_the_sources(world, sentinels) == []
        assert everywhere(world, *sentinels) == []
        # The provider has not confirmed: until it does, it must be possible to say who it is about. Of somebody else nobody has to.
        other = world.person()
        erase(world, other)
        until(lambda: everywhere(world, other.booking_id, *other.sentinels()) == [] and not key_of(world, other), 30, "the other, forgotten")
        assert key_of(world, person)
        with recipient.receive() as stream:
            assert stream.withdrawal(shared.disclosure_id).cause == CAUSE
        confirm(recipient, shared)
        until(lambda: everywhere(world, person.booking_id) == [], 30, "the client, forgotten")
        # Which client it was stands in one place: that nothing is shared of them.
        assert set(everywhere(world, person.subject_id)) <= {("needtoknow.right_in_force", "subject_id")}
        assert world.sandbox.query("SELECT state, subject_id FROM needtoknow.erasure") == [(3, None)] * 2
        until(lambda: metric(world, "subjects_forgotten_total") >= 2, 10, "the count of those who are forgotten")
        assert world.sandbox.query("SELECT request_id, subject_id FROM needtoknow.rights_request") == [(None, None)] * 2
        assert totals(world, recipient) == before
        log, export = world.sandbox.log(), str(list(world.auditor.audit.ListEntries(
            protos.audit.ListEntriesRequest(page_size=1000), timeout=20).entries))
        for value in (*sentinels, person.subject_id):
            assert value not in log and value not in export, value
        with refused("FAILED_PRECONDITION", "ERASED"):
            world.share(person, recipient)
        assert answer.HasField("key_destroyed_after")
        world.check()
    finally:
        world.down()


ROUNDS = 1000
AT_ONCE = 10


def test_p4_an_erasure_against_deliveries_over_two_workers(pair):
    """1,000 times, ten at once: after the OK no DELIVERED of that subject, in the ledger or on a stream."""
    recipient = pair.recipient()
    indices, failures, lock = {}, [], threading.Lock()
    streams = [recipient.receive(max_unacknowledged=1024) for _ in range(4)]

    def run(rounds):
        try:
            for _ in range(rounds):
                person = pair.person()
                requested = [pair.booking.sharing.Share.future(pair.share_request(person, recipient, service), timeout=60)
                             for service in ("contact", "at-once", "contact")]
                requested[0].result()
                answer = erase(pair, person, timeout=60, cancel_bookings=True)
                with lock:
                    indices.update((each.disclosure_id, answer.receipt.ledger_index) for each in answer.withdrawn)
                for each in requested:
                    error = each.exception()
                    # Erased already, or no longer in the sources.
                    assert error is None or error.code().name in ("FAILED_PRECONDITION", "NOT_FOUND"), error
                    assert error or each.result().disclosure.disclosure_id in indices, "shared before, and ended"
        except Exception as error:  # noqa: BLE001 - shown below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(ROUNDS // AT_ONCE,)) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    assert len(indices) >= ROUNDS
    changes.nothing_after(pair, indices)
    delivered = {entry.disclosure_id for _, entry in ledger.of_kind(ledger.entries(pair.sandbox), "DELIVERED")}
    assert delivered & set(indices), "some were delivered first: there was a race"
    assert pair.sandbox.query("SELECT count(*) FROM needtoknow.disclosure WHERE recipient_id = %s AND state = 1",
                              recipient.recipient_id) == [(0,)]
    for stream in streams:
        stream.close()
