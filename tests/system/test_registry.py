"""RegistryService: who may receive."""

import time

import pytest

from needtoknow_testing import protos
from needtoknow_testing.client import unique
from needtoknow_testing.refusal import refused

registry = protos.registry


def recipient(**changes):
    found = registry.Recipient(
        recipient_id=unique("r"), kind=registry.RECIPIENT_KIND_PROVIDER, display_name="Atelier Ménage", services=["gardening"],
        agreement_ref="DPA-7", agreement_from=protos.timestamp(1_700_000_000), deliver_to=registry.DELIVER_TO_ANY_DEVICE)
    for name, value in changes.items():
        if name.endswith("_from") or name.endswith("_until"):
            getattr(found, name).CopyFrom(value)
        elif name == "services":
            del found.services[:]
            found.services.extend(value)
        else:
            setattr(found, name, value)
    return found


def put(world, what):
    return world.admin.registry.PutRecipient(registry.PutRecipientRequest(recipient=what), timeout=10)


def get(world, recipient_id):
    return world.admin.registry.GetRecipient(registry.GetRecipientRequest(recipient_id=recipient_id), timeout=10).recipient


def test_what_was_put_is_got_and_replaced(world):
    mine = recipient()
    assert put(world, mine).recipient == mine
    assert get(world, mine.recipient_id) == mine
    other = recipient(recipient_id=mine.recipient_id, display_name="Autre", services=["home-cleaning", "gardening"],
                      kind=registry.RECIPIENT_KIND_STAFF, agreement_until=protos.timestamp(time.time() + 10))
    put(world, other)
    assert get(world, mine.recipient_id) == other


def test_suspended_is_output_only(world):
    mine = recipient(suspended=True)
    put(world, mine)
    assert not get(world, mine.recipient_id).suspended


def test_an_unknown_recipient_is_not_found(world):
    with refused("NOT_FOUND"):
        get(world, unique("r"))


@pytest.mark.parametrize("changes", [
    {"kind": 0}, {"kind": 99}, {"deliver_to": 99}, {"display_name": "x" * 201}, {"agreement_ref": "x" * 129},
    {"services": ["x" * 129]}, {"services": [""]}, {"recipient_id": ""}, {"recipient_id": "x" * 129}, {"recipient_id": "a\nb"},
    {"agreement_until": protos.timestamp(1_600_000_000)},
], ids=str)
def test_what_is_wrong_is_refused(world, changes):
    with refused("INVALID_ARGUMENT"):
        put(world, recipient(**changes))


def test_a_recipient_without_anything_is_refused(world):
    with refused("INVALID_ARGUMENT"):
        world.admin.registry.PutRecipient(registry.PutRecipientRequest(), timeout=10)


def test_lists_have_everyone_once(world):
    mine = [unique(f"list-{number:02d}") for number in range(7)]
    for recipient_id in mine:
        put(world, recipient(recipient_id=recipient_id))
    found, token = [], ""
    while True:
        request = registry.ListRecipientsRequest(page_size=3, page_token=token)
        answer = world.admin.registry.ListRecipients(request, timeout=10)
        assert len(answer.recipients) <= 3
        found += [each.recipient_id for each in answer.recipients]
        token = answer.next_page_token
        if not token:
            break
    assert len(found) == len(set(found))
    assert set(mine) | {"sparkle", "greenthumb", "mailhouse"} <= set(found)
    with refused("INVALID_ARGUMENT"):
        world.admin.registry.ListRecipients(registry.ListRecipientsRequest(page_size=-1), timeout=10)
    with refused("INVALID_ARGUMENT"):
        world.admin.registry.ListRecipients(registry.ListRecipientsRequest(page_token="nonsense"), timeout=10)


def test_a_change_holds_for_the_next_share(world):
    person, party = world.person(), world.recipient()
    world.share(person, party)
    world.put_recipient(party.recipient_id, services=[])
    with refused("PERMISSION_DENIED", "SERVICE_NOT_AUTHORISED"):
        world.share(person, party)
    world.put_recipient(party.recipient_id)
    world.share(person, party)
