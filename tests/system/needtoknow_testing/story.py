"""A ledger in which something of everything has happened, and what a filter should find there, looked up naively."""

import hashlib
import hmac
from dataclasses import dataclass, field

import grpc
import pytest

from . import company, ledger, protos
from .client import unique
from .waiting import until
from .world import World

ENTRY_KIND = protos.ledger.EntryKind


def kind(name):
    return ENTRY_KIND.Value(f"ENTRY_KIND_{name}")


@dataclass
class Story:
    world: object
    people: list = field(default_factory=list)
    recipients: list = field(default_factory=list)
    shared: list = field(default_factory=list)  # disclosures

    def share_many(self, amount, service="at-once", **keywords):
        """So many at once that they travel in few trains."""
        requests = [self.world.share_request(self.people[number % len(self.people)],
                                             self.recipients[number // 3 % len(self.recipients)], service, **keywords)
                    for number in range(amount)]
        calls = [self.world.booking.sharing.Share.future(request, timeout=60) for request in requests]
        self.shared += [call.result().disclosure for call in calls]
        return self.shared[-amount:]

    def refuse(self, person, recipient, service):
        try:
            self.world.share(person, recipient, service)
        except grpc.RpcError as error:
            return error
        raise AssertionError("it was not refused")


def tell(world):
    """Shared, delivered, acknowledged, fetched, refused, expired, withdrawn, confirmed, listed; recipients changed."""
    story = Story(world)
    story.people = [world.person(consent=number > 0) for number in range(5)]
    story.people.append(company.another_booking(world.sandbox, story.people[1]))
    story.recipients = [world.recipient() for _ in range(4)]
    ending = story.share_many(6, "staged", starts_in=4, lasts=1)
    story.shared.clear()
    sent = {delivery.disclosure_id for recipient in story.recipients[:2] for delivery in recipient.drain()}
    assert sent == {disclosure.disclosure_id for disclosure in ending}, "sent before its end"
    story.share_many(240)
    for recipient in story.recipients[:3]:
        recipient.acknowledge(*recipient.drain()[:20])
    story.recipients[0].fetch(story.shared[0].disclosure_id)
    for _ in range(3):
        story.refuse(story.people[0], story.recipients[3], "strict")
    story.refuse(story.people[2], unique("nobody"), "at-once")
    world.auditor.audit.ListEntries(protos.audit.ListEntriesRequest(
        filter=protos.audit.EntryFilter(subject_id=story.people[1].subject_id), page_size=1), timeout=20)
    world.put_recipient(story.recipients[3].recipient_id, ["at-once"])
    # Not by its state, which the clock alone changes: the order is recorded a moment later.
    ordered = "SELECT count(DISTINCT disclosure_id) FROM needtoknow.withdrawal WHERE disclosure_id = ANY (%s::uuid[])"
    until(lambda: world.sandbox.query(ordered, list(sent)) == [(len(sent),)], 20, "the orders to delete it")
    items = [protos.delivery.DeletionItem(disclosure_id=disclosure.disclosure_id, outcome=protos.delivery.DELETION_OUTCOME_DELETED)
             for disclosure in ending if disclosure.recipient_id == story.recipients[0].recipient_id]
    story.recipients[0].client.delivery.ConfirmDeletion(protos.delivery.ConfirmDeletionRequest(items=items), timeout=10)
    story.shared += ending
    return story


class Naive:
    """Every entry of the ledger, asked one after the other."""

    def __init__(self, sandbox):
        self.entries = ledger.entries(sandbox)
        self.keys = {subject: (bytes(pseudonym), bytes(key)) for subject, pseudonym, key in sandbox.query(
            "SELECT subject_id, pseudonym, key FROM needtoknow.subject_key")}

    def find(self, newest_first=False, below=None, **filters):
        """Indices."""
        found = [index for index, entry in self.entries if (below is None or index < below) and self._matches(entry, filters)]
        return found[::-1] if newest_first else found

    def _matches(self, entry, filters):
        return all(getattr(self, f"_{name}", self._same)(entry, name, wanted) for name, wanted in filters.items())

    def _same(self, entry, name, wanted):
        return getattr(entry, name) == wanted

    def _kinds(self, entry, _, wanted):
        return entry.kind in wanted

    def _subject_id(self, entry, _, wanted):
        return wanted in self.keys and entry.subject_pseudonym == self.keys[wanted][0]

    def _booking_id(self, entry, _, wanted):
        return any(entry.subject_pseudonym == pseudonym and
                   entry.booking_ref == hmac.new(key, wanted.encode(), hashlib.sha256).digest()
                   for pseudonym, key in self.keys.values())

    def _recorded_from(self, entry, _, wanted):
        return protos.microseconds(entry.recorded_at) >= protos.microseconds(wanted)

    def _recorded_until(self, entry, _, wanted):
        return protos.microseconds(entry.recorded_at) < protos.microseconds(wanted)


@pytest.fixture(scope="module")
def own_world():
    world = World.up()
    yield world
    world.down()


@pytest.fixture(scope="module")
def story(own_world):
    return tell(own_world)
