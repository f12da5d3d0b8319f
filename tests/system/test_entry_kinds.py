"""P9 Every kind of entry is produced by the act that it records."""

from needtoknow_testing import changes, ledger, protos, rights
from needtoknow_testing.paths import ROOT
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until

# By acts that take a policy of their own; in the test of that name.
ELSEWHERE = {"PRUNED": "test_retention.py"}


def kinds_of(world, size=0):
    return [ledger.kind_name(entry) for _, entry in ledger.entries(world.sandbox, size)]


def produce_rights(world, produces):
    """What clients ask for."""
    desk = world.rights.rights
    columns = {"client.given_name": "Ode", "client.family_name": "Sorte", "client.phone": "01 99 00 00 02",
               "client.email": "ode.sorte@courriel.example", "client.home_address": "2 rue Neuve, 44000 Nantes"}
    _, answer = rights.register(world, columns)
    produces("REGISTERED")
    rights.rectify(world, answer.subject_id, "client.given_name", "Odile")
    produces("RECTIFIED")
    rights.record(world, answer.subject_id)
    produces("ACCESSED")
    for method, kind, fields in (
            (desk.Object, "OBJECTION_RAISED", {"purpose": "dpv:CustomerCare"}),
            (desk.LiftObjection, "OBJECTION_LIFTED", {"purpose": "dpv:CustomerCare"}),
            (desk.Object, "CONSENT_WITHDRAWN", {"purpose": "dpv:DirectMarketing"}),
            (desk.Restrict, "RESTRICTION_RAISED", {}),
            (desk.LiftRestriction, "RESTRICTION_LIFTED", {}),
            (desk.Erase, "ERASED", {})):
        request = getattr(protos.rights, method._method.decode().rsplit("/", 1)[1] + "Request")
        method(rights.asked(request, answer.subject_id, **fields), timeout=20)
        produces(kind)


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
    produce_rights(world, produces)

    every = {name[len("ENTRY_KIND_"):] for name in ledger.ENTRY_KIND.keys()} - {"UNSPECIFIED"}
    assert produced | set(ELSEWHERE) == every
    for kind, file in ELSEWHERE.items():
        assert kind in (ROOT / "tests" / "system" / file).read_text()
