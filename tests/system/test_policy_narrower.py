"""What was shared keeps its rule, unless a narrower policy is put in force: that applies at once to what is still to be sent."""

import hashlib

import pytest

from needtoknow_testing import ledger, policy, protos
from needtoknow_testing.receiver import values
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

POLICY = policy.testing_policy()
AT_ONCE = "fields: [client.district, client.home_address, client.door_code, booking.tasks]"


@pytest.fixture(scope="module")
def world_of_two():
    world = World.up(POLICY, workers=2)
    yield world
    world.down()


@pytest.fixture(name="world")
def first_policy(world_of_two):
    put_in_force(world_of_two, POLICY)
    yield world_of_two
    put_in_force(world_of_two, POLICY)
    world_of_two.check()


def put_in_force(world, text):
    (world.sandbox.directory / "policy.yaml").write_text(text)
    request = protos.registry.ReloadPolicyRequest(expected_digest=hashlib.sha256(text.encode()).digest(), approved_by="DPO")
    world.admin.registry.ReloadPolicy(request, timeout=20)


def without(service):
    start = POLICY.index(f"  {service}:")
    return POLICY[:start] + POLICY[POLICY.index("\n  ", POLICY.index("delete_within", start)) + 1:]


def refusals(world, disclosure_id):
    return [ledger.reason_name(entry) for _, entry in
            ledger.of_disclosure(ledger.entries(world.sandbox), disclosure_id, "REFUSED")]


def test_a_field_that_is_taken_away_is_not_sent_any_more(world):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient)
    put_in_force(world, POLICY.replace(AT_ONCE, "fields: [client.district, booking.tasks]"))
    with recipient.receive() as stream:
        delivery = stream.delivery(shared.disclosure_id)
        assert set(values(delivery)) == {"client.district", "booking.tasks"}
        stream.acknowledge(delivery)
    assert {field.name for field in recipient.fetch(shared.disclosure_id)[0].fields} == {"client.district", "booking.tasks"}
    for _, entry in ledger.of_disclosure(ledger.entries(world.sandbox), shared.disclosure_id, "DELIVERED"):
        assert list(entry.fields) == ["client.district", "booking.tasks"], "the entry names what left, and no more"
    report = world.auditor.audit.GetSubjectReport(protos.audit.GetSubjectReportRequest(subject_id=person.subject_id), timeout=10)
    [release] = report.recipients[0].disclosures[0].releases
    assert list(release.fields) == ["client.district", "booking.tasks"], "and so does the client's report"


def test_a_repeat_is_what_may_be_sent_now(world):
    """What was sent and not acknowledged is sent again as another delivery, with less in it."""
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    with recipient.receive() as stream:
        first = stream.delivery(shared.disclosure_id)
    put_in_force(world, POLICY.replace(AT_ONCE, "fields: [client.district]"))
    with recipient.receive() as stream:
        again = stream.delivery(shared.disclosure_id)
        assert (again.cause, set(values(again))) == (protos.delivery.DELIVERY_CAUSE_CORRECTED, {"client.district"})
        assert again.delivery_id != first.delivery_id
        stream.acknowledge(again)


def test_what_is_due_later_now_is_sent_later(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient, starts_in=4, lasts=60)
    put_in_force(world, POLICY.replace("name: all, at: booked", "name: all, at: start"))
    with recipient.receive() as stream:
        delivery = stream.delivery(shared.disclosure_id, timeout=15)
        assert protos.seconds(delivery.receipt.recorded_at) >= protos.seconds(shared.starts_at)
        stream.acknowledge(delivery)


def test_before_its_later_time_it_is_not_fetched_either(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient, starts_in=600, lasts=60)
    put_in_force(world, POLICY.replace("name: all, at: booked", "name: all, at: start"))
    with refused("FAILED_PRECONDITION", "NOT_DUE"):
        recipient.fetch(shared.disclosure_id)
    assert recipient.drain() == []


def test_a_service_that_is_gone_sends_nothing_any_more(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    put_in_force(world, without("at-once"))
    assert recipient.drain() == []
    until(lambda: refusals(world, shared.disclosure_id) == ["SERVICE_NOT_AUTHORISED"], what="the refusal, recorded")
    with refused("FAILED_PRECONDITION"):
        recipient.fetch(shared.disclosure_id)


def test_an_earlier_end_is_the_end(world):
    """`expires: end` becomes `expires: start`, which has passed."""
    recipient = world.recipient()
    shared = world.share(world.person(), recipient, starts_in=-30, lasts=600)
    put_in_force(world, POLICY.replace("    expires: end\n", "    expires: start\n", 1))
    assert recipient.drain() == []
    with refused("FAILED_PRECONDITION", "EXPIRED"):
        recipient.fetch(shared.disclosure_id)


def test_a_condition_that_is_added_is_asked_of_what_was_shared(world):
    agrees, refuses = world.person(newsletter_consent=True), world.person(newsletter_consent=False)
    recipient = world.recipient()
    yes, no = world.share(agrees, recipient), world.share(refuses, recipient)
    put_in_force(world, POLICY.replace("    recipients: provider\n    max_duration: 30d\n",
                                       "    recipients: provider\n    requires: client.newsletter_consent\n    max_duration: 30d\n", 1))
    with recipient.receive() as stream:
        stream.acknowledge(stream.delivery(yes.disclosure_id))
        until(lambda: refusals(world, no.disclosure_id) == ["CONSENT_MISSING"], what="the refusal, recorded")
        assert [delivery.disclosure_id for delivery in stream.deliveries()] == [yes.disclosure_id]


def test_a_wider_policy_changes_nothing_of_what_was_shared(world):
    recipient = world.recipient()
    before = world.share(world.person(), recipient)
    put_in_force(world, POLICY.replace(AT_ONCE, AT_ONCE.replace("]", ", client.phone]")))
    after = world.share(world.person(), recipient)
    with recipient.receive() as stream:
        for shared, phone in ((before, False), (after, True)):
            delivery = stream.delivery(shared.disclosure_id)
            assert ("client.phone" in values(delivery)) == phone
            stream.acknowledge(delivery)


def test_the_first_policy_again_is_the_first_rule_again(world):
    recipient = world.recipient()
    shared = world.share(world.person(), recipient)
    put_in_force(world, POLICY.replace(AT_ONCE, "fields: [client.district]"))
    put_in_force(world, POLICY)
    with recipient.receive() as stream:
        delivery = stream.delivery(shared.disclosure_id)
        assert len(delivery.fields) == 4
        stream.acknowledge(delivery)
