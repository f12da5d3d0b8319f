"""P6 The same request, sent several times at once to two workers: one effect, and the same answer to each."""

import secrets
from concurrent import futures

import pytest

from needtoknow_testing import ledger, rights
from needtoknow_testing.rights import asked, column
from needtoknow_testing.world import TRUST_DOMAIN, World

DESKS = 6
ROUNDS = 10
CARE = "dpv:CustomerCare"


@pytest.fixture(scope="module")
def pair():
    world = World.up(workers=2)
    yield world
    world.down()


def sign_up():
    columns = {"client.given_name": "Zoé", "client.family_name": "Quenouille", "client.email": f"{secrets.token_hex(8)}@courriel.example",
               "client.phone": "01 99 00 00 03", "client.home_address": "1 rue Neuve, 44000 Nantes"}
    return asked(rights.rights.RegisterRequest, origin=rights.rights.ORIGIN_WEBSITE, notice_version="2026-05",
                 columns=[column(*each) for each in columns.items()])


def told_of(answer):
    """What a repeat is told as well: not how far something is by now."""
    told = type(answer)()
    told.CopyFrom(answer)
    if "told" in told.DESCRIPTOR.fields_by_name:
        told.told = 0
    return told


def entries_since(world, subject_id, before):
    indices = {index for (index,) in world.sandbox.query(
        "SELECT ledger_index FROM needtoknow.entry_reference WHERE subject_id = %s", subject_id)} - before
    before |= indices
    return [ledger.kind_name(entry) for index, entry in ledger.entries(world.sandbox) if index in indices]


def test_p6_a_right_that_is_asked_for_many_times_at_once_is_exercised_once(pair):
    # A connection each, so that both workers have some.
    desks = [pair.client_of(f"spiffe://{TRUST_DOMAIN}/rights/desk", options=[("grpc.use_local_subchannel_pool", 1)])
             for _ in range(DESKS)]
    recipient = pair.recipient()
    kinds = rights.rights
    with futures.ThreadPoolExecutor(DESKS) as pool:

        def send(method, request):
            answers = [pool.submit(getattr(desk.rights, method), request, timeout=60) for desk in desks]
            first, *others = [told_of(each.result()) for each in answers]
            assert all(each == first for each in others), (method, first, others)
            return first

        for _ in range(ROUNDS):
            registered = send("Register", sign_up())
            assert entries_since(pair, registered.subject_id, set()) == ["REGISTERED"]
            person, before = pair.person(), set()
            pair.share(person, recipient, "contact")
            entries_since(pair, person.subject_id, before)
            for method, request, recorded in (
                    ("Rectify", asked(kinds.RectifyRequest, person.subject_id, value=column("client.door_code", secrets.token_hex(4))),
                     ["RECTIFIED"]),
                    ("Restrict", asked(kinds.RestrictRequest, person.subject_id), ["RESTRICTION_RAISED"]),
                    ("LiftRestriction", asked(kinds.LiftRestrictionRequest, person.subject_id), ["RESTRICTION_LIFTED"]),
                    ("Object", asked(kinds.ObjectRequest, person.subject_id, purpose=CARE), ["OBJECTION_RAISED"]),
                    ("Object", asked(kinds.ObjectRequest, person.subject_id, purpose=CARE, upheld=True), ["OBJECTION_RAISED"]),
                    ("LiftObjection", asked(kinds.LiftObjectionRequest, person.subject_id, purpose=CARE), ["OBJECTION_LIFTED"]),
                    ("Erase", asked(kinds.EraseRequest, person.subject_id, cancel_bookings=True), ["ERASED"] * 3)):
                send(method, request)
                assert entries_since(pair, person.subject_id, before) == recorded, method
    pair.check()
