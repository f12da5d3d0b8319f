"""The command line of the booking system: what becomes of a disclosure, and a request that is repeated."""

import json

import pytest

from needtoknow_testing import changes, protos
from needtoknow_testing.cli import Cli
from needtoknow_testing.client import unique

ACTIVE, REVOKED = protos.common.DISCLOSURE_STATE_ACTIVE, protos.common.DISCLOSURE_STATE_REVOKED


@pytest.fixture
def booking(world):
    return Cli(world.sandbox, "booking")


def test_a_disclosure_moves_goes_to_another_and_is_revoked(world, booking):
    first, second = world.recipient(), world.recipient()
    shared = world.share(world.person(), first)
    answer = json.loads(booking.text("disclosure", "reschedule", shared.disclosure_id, "--from", "+5h", "--to", "now+6h", "--json"))
    assert answer["disclosure"]["starts_at"] > shared.starts_at.ToJsonString() and answer["receipt"]["leaf_hash"]
    moved = changes.get(world, shared.disclosure_id)
    assert moved.starts_at.ToJsonString() == answer["disclosure"]["starts_at"]

    answer = json.loads(booking.text("disclosure", "reassign", shared.disclosure_id, "--recipient", second.recipient_id,
                                     "--reason", "ill", "--json"))
    assert answer["withdrawn"]["state"] == "REVOKED" and len(answer["receipts"]) == 2
    made = answer["disclosure"]["disclosure_id"]
    assert changes.get(world, made).recipient_id == second.recipient_id

    text = booking.text("disclosure", "revoke", made, "--reason", "cancelled")
    assert made in text and "REVOKED" in text and "live" not in text
    assert "Nothing of it was live any more." in booking.text("disclosure", "revoke", made)


def test_a_booking_is_revoked_whole(world, booking):
    person = world.person()
    shared = [world.share(person, world.recipient()).disclosure_id for _ in range(2)]
    answer = json.loads(booking.text("disclosure", "revoke", person.booking_id, "--booking", "--json"))
    assert {each["disclosure_id"] for each in answer["disclosures"]} == set(shared)
    assert {changes.get(world, disclosure_id).state for disclosure_id in shared} == {REVOKED}


def test_p6_a_repeat_with_the_same_request_id_does_it_once(world, booking):
    shared = world.share(world.person(), world.recipient())
    again = ("disclosure", "revoke", shared.disclosure_id, "--request-id", unique("q"), "--json")
    assert booking.text(*again) == booking.text(*again)
    assert changes.kinds(world, shared.disclosure_id).count("REVOKED") == 1


def test_a_refusal_ends_with_3_and_says_why(world, booking):
    shared = world.share(world.person(), world.recipient())
    done = booking.run("disclosure", "reassign", shared.disclosure_id, "--recipient", "nobody", code=3)
    assert b"UNKNOWN_RECIPIENT" in done.stderr
    changes.revoke(world, shared.disclosure_id)
    done = booking.run("disclosure", "reschedule", shared.disclosure_id, "--from", "+1h", "--to", "now+2h", code=1)
    assert b"REVOKED" in done.stderr
    booking.run("disclosure", "reschedule", shared.disclosure_id, code=2)
    booking.run("disclosure", "revoke", code=2)
