"""P9 Every kind of entry is produced by the act that it records."""

import re

from needtoknow_testing import changes, ledger, protos
from needtoknow_testing.paths import ROOT
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until

# By a method that is not served yet: the issue that will.
LATER = {
    "OBJECTION_RAISED": 6, "OBJECTION_LIFTED": 6, "CONSENT_WITHDRAWN": 6, "RESTRICTION_RAISED": 6, "RESTRICTION_LIFTED": 6,
    "REGISTERED": 6, "RECTIFIED": 6, "ERASED": 6, "ACCESSED": 6,
}
# By acts that take a policy of their own; in the test of that name.
ELSEWHERE = {"PRUNED": "test_retention.py"}


def kinds_of(world, size=0):
    return [ledger.kind_name(entry) for _, entry in ledger.entries(world.sandbox, size)]


def test_p9_each_act_is_an_entry_of_its_kind(world):
    produced = set()

    def produces(*kinds, timeout=0.1):
        nonlocal size
        until(lambda: set(kinds) <= set(kinds_of(world, size)), timeout, kinds)
        produced.update(kinds)
        size = ledger.size(world.sandbox)

    size = 0
    produces("POLICY_ACTIVATED", "KEY_ROTATED", timeout=10)  # by the first start
    person, recipient = world.person(), world.recipient()
    produces("RECIPIENT_CHANGED")
    shared = world.share(person, recipient, starts_in=0, lasts=3)
    produces("SHARED")
    with refused("NOT_FOUND", "UNKNOWN_RECIPIENT"):
        world.share(person, "nobody")
    produces("REFUSED")
    (got,) = recipient.drain()
    produces("DELIVERED")
    recipient.acknowledge(got)
    produces("ACKNOWLEDGED")
    produces("EXPIRED", "WITHDRAWN", timeout=20)
    item = protos.delivery.DeletionItem(disclosure_id=shared.disclosure_id, outcome=protos.delivery.DELETION_OUTCOME_DELETED)
    recipient.client.delivery.ConfirmDeletion(protos.delivery.ConfirmDeletionRequest(items=[item]), timeout=10)
    produces("DELETION_CONFIRMED")
    moving = world.share(world.person(), recipient)
    size = ledger.size(world.sandbox)
    changes.reschedule(world, moving.disclosure_id)
    produces("RESCHEDULED")
    moving = changes.reassign(world, moving.disclosure_id, world.recipient()).disclosure
    produces("REASSIGNED")
    changes.revoke(world, moving.disclosure_id)
    produces("REVOKED")
    world.auditor.audit.GetRegister(protos.audit.GetRegisterRequest(), timeout=10)
    produces("AUDITED")

    every = {name[len("ENTRY_KIND_"):] for name in ledger.ENTRY_KIND.keys()} - {"UNSPECIFIED"}
    assert produced | set(LATER) | set(ELSEWHERE) == every
    assert not produced & set(LATER)
    for kind, file in ELSEWHERE.items():
        assert kind in (ROOT / "tests" / "system" / file).read_text()


def test_p9_no_kind_is_called_later_that_is_produced_already():
    source = "".join(file.read_text() for layer in ("rpc", "service") for file in (ROOT / "src" / layer).glob("*.c"))
    written = set(re.findall(r"ENTRY_KIND__ENTRY_KIND_(\w+)", source))
    assert not written & set(LATER), "it is produced: try it above"
