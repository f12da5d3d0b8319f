"""ListEntries finds what a naive look at every entry finds: by each filter, both ways, in pages, while entries arrive."""

import itertools

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.client import unique
from needtoknow_testing.merkle import leaf_hash
from needtoknow_testing.refusal import refused
from needtoknow_testing.story import Naive, kind, own_world, story  # noqa: F401

audit_pb2 = protos.audit


def page(client, newest_first=False, page_size=0, page_token="", **filters):
    request = audit_pb2.ListEntriesRequest(
        filter=audit_pb2.EntryFilter(**filters), page_size=page_size, page_token=page_token, newest_first=newest_first)
    return client.audit.ListEntries(request, timeout=20)


def pages(client, between=lambda: None, **arguments):
    """[[Entry]], a list a page."""
    token, found = "", []
    for number in itertools.count():
        answer = page(client, page_token=token, **arguments)
        assert number < 1000, "it ends"
        found.append(list(answer.entries))
        token = answer.next_page_token
        if not token:
            return found
        between()


def indices(found):
    return [entry.index for each in found for entry in each]


# Each is a function of the story: its people and the like are known only once it was told.
FILTERS = {
    "nothing": lambda story: {},
    "subject": lambda story: {"subject_id": story.people[1].subject_id},
    "booking": lambda story: {"booking_id": story.people[1].booking_id},
    "another booking": lambda story: {"booking_id": story.people[5].booking_id},
    "recipient": lambda story: {"recipient_id": story.recipients[0].recipient_id},
    "disclosure": lambda story: {"disclosure_id": story.shared[0].disclosure_id},
    "ended disclosure": lambda story: {"disclosure_id": story.shared[-1].disclosure_id},
    "service": lambda story: {"service": "staged"},
    "purpose": lambda story: {"purpose": "dpv:ServiceProvision"},
    "actor": lambda story: {"actor": "spiffe://maison-claire.example/booking/booking"},
    "system": lambda story: {"actor": "system"},
    "common kind": lambda story: {"kinds": [kind("DELIVERED")]},
    "sharing": lambda story: {"kinds": [kind("SHARED")]},
    "rare kind": lambda story: {"kinds": [kind("REFUSED")]},
    "rare kinds": lambda story: {"kinds": [kind("REFUSED"), kind("RECIPIENT_CHANGED"), kind("POLICY_ACTIVATED"), kind("KEY_ROTATED")]},
    "rare and common": lambda story: {"kinds": [kind("REFUSED"), kind("EXPIRED"), kind("DELETION_CONFIRMED")]},
    "a kind of which there is none": lambda story: {"kinds": [kind("PRUNED")]},
    "from": lambda story: {"recorded_from": story.shared[150].created_at},
    "until": lambda story: {"recorded_until": story.shared[150].created_at},
    "between": lambda story: {"recorded_from": story.shared[0].created_at, "recorded_until": story.shared[230].created_at},
    "nothing is so late": lambda story: {"recorded_from": protos.timestamp(4e9)},
    "nothing is so early": lambda story: {"recorded_until": protos.timestamp(-1e9)},
    "all is so late": lambda story: {"recorded_from": protos.timestamp(-1e9), "recorded_until": protos.timestamp(4e9)},
    "recipient and kind": lambda story: {"recipient_id": story.recipients[1].recipient_id, "kinds": [kind("ACKNOWLEDGED")]},
    "recipient and rare kind": lambda story: {"recipient_id": story.recipients[3].recipient_id,
                                              "kinds": [kind("REFUSED"), kind("RECIPIENT_CHANGED")]},
    "rare kinds, from": lambda story: {"kinds": [kind("REFUSED"), kind("RECIPIENT_CHANGED")], "recorded_from": story.shared[0].created_at},
    "rare kinds, until": lambda story: {"kinds": [kind("REFUSED"), kind("RECIPIENT_CHANGED")],
                                        "recorded_until": story.shared[230].created_at},
    "recipient and kind, between": lambda story: {"recipient_id": story.recipients[1].recipient_id, "kinds": [kind("SHARED")],
                                                  "recorded_from": story.shared[0].created_at,
                                                  "recorded_until": story.shared[230].created_at},
    "recipient and service": lambda story: {"recipient_id": story.recipients[1].recipient_id, "service": "staged"},
    "recipient, purpose, from": lambda story: {"recipient_id": story.recipients[1].recipient_id, "purpose": "dpv:ServiceProvision",
                                               "recorded_from": story.shared[100].created_at},
    "subject and recipient": lambda story: {"subject_id": story.people[1].subject_id, "recipient_id": story.recipients[1].recipient_id},
    "subject and kinds": lambda story: {"subject_id": story.people[0].subject_id, "kinds": [kind("REFUSED"), kind("SHARED")]},
    "subject and booking": lambda story: {"subject_id": story.people[5].subject_id, "booking_id": story.people[5].booking_id},
    "another's booking": lambda story: {"subject_id": story.people[0].subject_id, "booking_id": story.people[1].booking_id},
    "another's disclosure": lambda story: {"subject_id": story.people[1].subject_id, "disclosure_id": story.shared[0].disclosure_id},
    "booking, recipient, actor": lambda story: {"booking_id": story.people[2].booking_id, "recipient_id": story.recipients[0].recipient_id,
                                                "actor": "spiffe://maison-claire.example/booking/booking"},
    "kind and actor, until": lambda story: {"kinds": [kind("EXPIRED")], "actor": "system", "recorded_until": protos.timestamp(4e9)},
    "everything at once": lambda story: {
        "subject_id": story.people[0].subject_id, "booking_id": story.people[0].booking_id,
        "recipient_id": story.recipients[0].recipient_id, "disclosure_id": story.shared[0].disclosure_id, "service": "at-once",
        "purpose": "dpv:ServiceProvision", "actor": "spiffe://maison-claire.example/booking/booking", "kinds": [kind("SHARED")],
        "recorded_from": protos.timestamp(1e9), "recorded_until": protos.timestamp(4e9)},
}
EMPTY = {"a kind of which there is none", "nothing is so late", "nothing is so early", "another's booking", "another's disclosure"}


@pytest.mark.parametrize("newest_first", [False, True], ids=["oldest first", "newest first"])
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_finds_what_a_look_at_every_entry_finds(own_world, story, name, newest_first):
    filters = FILTERS[name](story)
    below = ledger.size(own_world.sandbox)
    for size in (0, 29):
        found = pages(own_world.auditor, newest_first=newest_first, page_size=size, **filters)
        assert all(len(each) <= (size or 100) for each in found)
        expected = Naive(own_world.sandbox).find(newest_first, below, **filters)
        assert [index for index in indices(found) if index < below] == expected, f"pages of {size}"
        assert bool(expected) == (name not in EMPTY), "the story tells something of it"


def test_an_entry_is_its_body_its_hash_and_what_it_says(own_world, story):
    by_index = dict(ledger.entries(own_world.sandbox))
    (found,) = pages(own_world.auditor, page_size=1000, disclosure_id=story.shared[0].disclosure_id)
    for entry in found:
        assert entry.leaf_hash == leaf_hash(entry.body)
        assert entry.entry == by_index[entry.index] == protos.ledger.LedgerEntry.FromString(entry.body)


def test_the_story_is_told_in_rows_of_many(own_world, story):
    """Else it would not be seen that entries in the middle of a row are found."""
    counts = own_world.sandbox.query("SELECT max(count), max(cardinality(marks)) FROM needtoknow.ledger")[0]
    assert counts[0] > 32 and counts[1] > 2, counts


def test_a_row_without_marks_is_read_whole(own_world, story):
    """Of rows from before there were marks."""
    sandbox = own_world.sandbox
    with sandbox.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE needtoknow.ledger SET marks = NULL, rare = NULL WHERE first_index % 2 = 0")
        assert cursor.rowcount
    connection.close()
    for name in ("subject", "recipient", "nothing", "rare kinds", "rare kinds, from", "recipient and kind, between"):
        filters = FILTERS[name](story)
        below = ledger.size(sandbox)
        for newest_first in (False, True):
            found = indices(pages(own_world.auditor, page_size=20, newest_first=newest_first, **filters))
            assert [index for index in found if index < below] == Naive(sandbox).find(newest_first, below, **filters)


@pytest.mark.parametrize("name", ["nothing", "recipient", "subject", "sharing", "from", "purpose"])
def test_pages_are_stable_while_entries_arrive(own_world, story, name):
    filters = FILTERS[name](story)
    arriving = lambda: story.share_many(12)
    before = ledger.size(own_world.sandbox)
    backward = indices(pages(own_world.auditor, page_size=40, newest_first=True, between=arriving, **filters))
    assert len(set(backward)) == len(backward)
    first = max(index for index in backward)
    assert backward == Naive(own_world.sandbox).find(True, first + 1, **filters), "what came later comes not"
    left = iter(range(6))
    forward = indices(pages(own_world.auditor, page_size=40, between=lambda: arriving() if next(left, None) is not None else None,
                            **filters))
    assert forward == Naive(own_world.sandbox).find(False, forward[-1] + 1, **filters) and forward[-1] >= before


def test_a_token_is_of_use_to_its_caller_filter_and_direction_alone(own_world, story):
    auditor, sparkle = own_world.auditor, {"recipient_id": story.recipients[0].recipient_id}
    token = page(auditor, page_size=3, **sparkle).next_page_token
    assert token
    second = page(auditor, page_size=3, page_token=token, **sparkle)
    assert indices([second.entries]) == indices([page(auditor, page_size=3, page_token=token, **sparkle).entries]), "again"
    other = own_world.client_of(f"spiffe://maison-claire.example/auditor/{unique('a')}")
    for client, arguments in (
            (other, sparkle),
            (auditor, {}),
            (auditor, {**sparkle, "service": "at-once"}),
            (auditor, {**sparkle, "newest_first": True}),
            (auditor, {"recipient_id": story.recipients[1].recipient_id})):
        with refused("INVALID_ARGUMENT", "BAD_PAGE_TOKEN"):
            page(client, page_size=3, page_token=token, **arguments)
    with refused("INVALID_ARGUMENT", "BAD_PAGE_TOKEN"):
        page(auditor, page_size=3, page_token=token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), **sparkle)


def test_what_was_pruned_is_shown_by_its_hash_and_found_by_no_filter(own_world, story):
    """The last test of the file: bodies are gone afterwards."""
    sandbox, auditor = own_world.sandbox, own_world.auditor
    everything = [entry for each in pages(auditor, page_size=1000) for entry in each]
    assert len(everything) > 700
    leaves = [entry.leaf_hash for entry in everything]
    rows = sandbox.query("SELECT first_index, first_index + count FROM needtoknow.ledger ORDER BY first_index")
    gone = max(end for _, end in rows if end <= 512)
    with sandbox.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for number in range(2):
            hashes = b"".join(leaves[number * 256:number * 256 + 256])
            cursor.execute("INSERT INTO needtoknow.tile (level, number, root, hashes) VALUES (0, %s, %s, %s) ON CONFLICT DO NOTHING",
                           (number, hashes[:32], hashes))
        cursor.execute("DELETE FROM needtoknow.ledger WHERE first_index + count <= %s RETURNING first_index, count, recorded_at,"
                       " kinds, train_id, bodies, marks, rare", (gone,))
        kept = cursor.fetchall()
    try:
        for newest_first in (False, True):
            for size in (30, 1000):
                found = [entry for each in pages(auditor, page_size=size, newest_first=newest_first) for entry in each]
                if newest_first:
                    found.reverse()
                assert [entry.index for entry in found] == list(range(len(found)))
                assert [entry.leaf_hash for entry in found][:len(leaves)] == leaves
                assert [entry.index for entry in found if not entry.body] == list(range(gone))
                assert all(entry.HasField("entry") == bool(entry.body) for entry in found)
        for name in ("recipient", "subject", "purpose", "until", "rare kinds"):
            filters = FILTERS[name](story)
            below = ledger.size(sandbox)
            expected = [index for index in Naive(sandbox).find(False, below, **filters) if index >= gone]
            for newest_first in (False, True):
                found = indices(pages(auditor, page_size=30, newest_first=newest_first, **filters))
                assert sorted(index for index in found if index < below) == expected, name
    finally:
        with connection.cursor() as cursor:
            for row in kept:
                cursor.execute("INSERT INTO needtoknow.ledger (first_index, count, recorded_at, kinds, train_id, bodies, marks, rare)"
                               " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", row)
        connection.close()
