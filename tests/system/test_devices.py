"""Several devices of one recipient: who gets what, who acknowledges, who is ordered to delete, and who may not be served."""

import contextlib

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.changes import get, reschedule, revoke, states
from needtoknow_testing.client import unique
from needtoknow_testing.refusal import refused
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

delivery_pb2, registry_pb2 = protos.delivery, protos.registry
NEW, REPEATED = delivery_pb2.DELIVERY_CAUSE_NEW, delivery_pb2.DELIVERY_CAUSE_REPEATED
CORRECTED, FETCHED = delivery_pb2.DELIVERY_CAUSE_CORRECTED, delivery_pb2.DELIVERY_CAUSE_FETCHED
ANY, EVERY = registry_pb2.DELIVER_TO_ANY_DEVICE, registry_pb2.DELIVER_TO_EVERY_DEVICE


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def crowd(request):
    """Streams and callers have connections of their own, so that with two workers they land on either."""
    world = World.up(workers=request.param)
    yield world
    world.down()


def devices_of(world, *names, **fields):
    recipient = world.recipient(**fields)
    return recipient, [recipient.device(name) for name in names]


def ids(deliveries):
    return [delivery.delivery_id for delivery in deliveries]


def confirm(party, *disclosure_ids):
    items = [delivery_pb2.DeletionItem(disclosure_id=each, outcome=delivery_pb2.DELETION_OUTCOME_DELETED) for each in disclosure_ids]
    return party.client.delivery.ConfirmDeletion(delivery_pb2.ConfirmDeletionRequest(items=items), timeout=10).confirmed


def withdrawn(party):
    """What an app is ordered to delete when it comes, by until_empty."""
    with party.receive(until_empty=True) as stream:
        assert stream.wait_end() is None
        return [event.withdrawal.disclosure_id for event in stream.events if event.HasField("withdrawal")]


def suspend(world, recipient):
    return world.admin.registry.SuspendRecipient(
        registry_pb2.SuspendRecipientRequest(recipient_id=recipient.recipient_id, reason="test"), timeout=20)


def resume(world, recipient):
    return world.admin.registry.ResumeRecipient(registry_pb2.ResumeRecipientRequest(recipient_id=recipient.recipient_id), timeout=20)


def revoke_device(world, recipient, device):
    return world.admin.registry.RevokeDevice(
        registry_pb2.RevokeDeviceRequest(recipient_id=recipient.recipient_id, device=device), timeout=20)


def known(world, recipient):
    answer = world.admin.registry.GetRecipient(registry_pb2.GetRecipientRequest(recipient_id=recipient.recipient_id), timeout=10)
    return {device.device for device in answer.devices}


# ---- each device gets all ----


def test_p6_each_device_gets_and_acknowledges_each(crowd):
    recipient, (phone, tablet) = devices_of(crowd, "phone", "tablet", deliver_to=EVERY)
    with phone.receive() as one, tablet.receive() as two:
        shared = [crowd.share(crowd.person(), recipient).disclosure_id for _ in range(10)]
        for stream in (one, two):
            until(lambda: len(stream.deliveries()) == 10, what="ten deliveries")
            assert [delivery.disclosure_id for delivery in stream.deliveries()] == shared, "in the order in which they became due"
            assert {delivery.cause for delivery in stream.deliveries()} == {NEW}
        assert ids(one.deliveries()) == ids(two.deliveries()), "the same values under the same id"
        assert one.acknowledge(*one.deliveries()) == 10
    again = tablet.drain()
    assert sorted(ids(again)) == sorted(ids(one.deliveries())) and {delivery.cause for delivery in again} == {REPEATED}
    assert phone.drain() == []
    assert tablet.acknowledge(*again) == 10
    assert tablet.drain() == []
    entries = ledger.entries(crowd.sandbox)
    for disclosure_id in shared:
        acknowledged = [entry.device for _, entry in ledger.of_disclosure(entries, disclosure_id, "ACKNOWLEDGED")]
        assert sorted(acknowledged) == ["phone", "tablet"]


def test_p6_a_release_is_acknowledged_when_each_device_that_was_sent_it_has(crowd):
    recipient, (phone, tablet) = devices_of(crowd, "phone", "tablet", deliver_to=EVERY)
    assert phone.drain() == tablet.drain() == []
    shared = crowd.share(crowd.person(), recipient)
    (on_phone,), = [phone.drain()]
    assert phone.acknowledge(on_phone) == 1
    assert states(get(crowd, shared.disclosure_id)) == {"all": "ACKNOWLEDGED"}, "the tablet was not sent it yet"
    (on_tablet,) = tablet.drain()
    assert states(get(crowd, shared.disclosure_id)) == {"all": "DELIVERED"}
    assert tablet.acknowledge(on_tablet) == 1
    assert states(get(crowd, shared.disclosure_id)) == {"all": "ACKNOWLEDGED"}


def test_p6_an_acknowledgement_is_of_what_the_device_itself_was_sent(crowd):
    recipient, (phone, tablet) = devices_of(crowd, "phone", "tablet", deliver_to=EVERY)
    assert phone.drain() == tablet.drain() == []
    shared = crowd.share(crowd.person(), recipient)
    (got,) = phone.drain()
    assert tablet.acknowledge(got) == 0, "it was not sent it"
    assert [delivery.cause for delivery in phone.drain()] == [REPEATED]
    assert phone.acknowledge(got) == 1
    assert [delivery.cause for delivery in tablet.drain()] == [NEW]
    assert not [entry for _, entry in ledger.of_disclosure(ledger.entries(crowd.sandbox), shared.disclosure_id, "ACKNOWLEDGED")
                if entry.device == "tablet"]


def test_a_device_that_is_new_gets_what_the_others_have_got(crowd):
    recipient, (phone, tablet) = devices_of(crowd, "phone", "tablet", deliver_to=EVERY)
    before = [crowd.share(crowd.person(), recipient).disclosure_id for _ in range(5)]
    assert known(crowd, recipient) == set(), "a share makes no device known"
    first = phone.drain()
    assert [delivery.disclosure_id for delivery in first] == before
    phone.acknowledge(*first)
    assert known(crowd, recipient) == {"phone"}
    with tablet.receive() as stream:
        until(lambda: len(stream.deliveries()) == 5, what="what the phone has got")
        after = crowd.share(crowd.person(), recipient).disclosure_id
        stream.delivery(after)
        assert [delivery.disclosure_id for delivery in stream.deliveries()] == before + [after]
        assert {delivery.cause for delivery in stream.deliveries()} == {NEW}
        stream.acknowledge(*stream.deliveries())
    assert known(crowd, recipient) == {"phone", "tablet"}
    assert [delivery.disclosure_id for delivery in phone.drain()] == [after]


def test_p6_a_repeat_goes_to_the_device_that_has_not_acknowledged(crowd):
    recipient, (phone, tablet) = devices_of(crowd, "phone", "tablet", deliver_to=EVERY)
    with tablet.receive() as steady:
        with phone.receive() as stream:
            shared = crowd.share(crowd.person(), recipient)
            first = stream.delivery(shared.disclosure_id)
            steady.acknowledge(steady.delivery(shared.disclosure_id))
        later = crowd.share(crowd.person(), recipient)
        steady.delivery(later.disclosure_id)
        assert len(steady.deliveries(shared.disclosure_id)) == 1, "what the phone had is not the tablet's"
        again = phone.drain()
        assert [(delivery.delivery_id, delivery.cause) for delivery in again if delivery.disclosure_id == shared.disclosure_id] == [
            (first.delivery_id, REPEATED)]
        phone.acknowledge(*again)
        steady.acknowledge(*steady.deliveries(later.disclosure_id))


def test_two_streams_of_one_device_share_what_is_its(crowd):
    recipient, (phone, tablet) = devices_of(crowd, "phone", "tablet", deliver_to=EVERY)
    with phone.receive() as one, recipient.device("phone").receive() as two, tablet.receive() as whole:
        shared = {crowd.share(crowd.person(), recipient).disclosure_id for _ in range(12)}
        until(lambda: len(one.deliveries()) + len(two.deliveries()) >= 12 and len(whole.deliveries()) >= 12, what="all")
        got = [delivery.disclosure_id for delivery in one.deliveries() + two.deliveries()]
        assert len(got) == 12 and set(got) == shared
        assert {delivery.disclosure_id for delivery in whole.deliveries()} == shared
        one.acknowledge(*one.deliveries(), *two.deliveries())
        whole.acknowledge(*whole.deliveries())


def test_a_device_fetches_what_is_its_own(crowd):
    recipient, (phone, tablet, watch) = devices_of(crowd, "phone", "tablet", "watch", deliver_to=EVERY)
    assert phone.drain() == tablet.drain() == []
    shared = crowd.share(crowd.person(), recipient)
    (got,) = phone.fetch(shared.disclosure_id)
    assert got.cause == FETCHED and phone.acknowledge(got) == 1
    assert phone.drain() == [], "it has it"
    assert [delivery.cause for delivery in tablet.drain()] == [NEW]
    # A device that nobody has seen is known by its fetching, and is not sent the same again.
    (fetched,) = watch.fetch(shared.disclosure_id)
    assert known(crowd, recipient) == {"phone", "tablet", "watch"}
    assert watch.acknowledge(fetched) == 1
    assert watch.drain() == []
    (again,) = phone.fetch(shared.disclosure_id)
    assert again.delivery_id != got.delivery_id
    assert phone.drain() == []


def test_what_is_withheld_from_one_device_is_withheld_from_all(crowd):
    recipient, (phone, tablet) = devices_of(crowd, "phone", "tablet", deliver_to=EVERY)
    assert phone.drain() == tablet.drain() == []
    person = crowd.person()
    shared = crowd.share(person, recipient, "strict", starts_in=1, lasts=600)
    crowd.sandbox.query("UPDATE company.client SET newsletter_consent = false WHERE subject_id = %s", person.subject_id)
    crowd.sandbox.wait_until(protos.seconds(shared.releases[0].due_at))
    assert phone.drain() == tablet.drain() == []
    assert states(get(crowd, shared.disclosure_id)) == {"offer": "WITHDRAWN"}
    assert crowd.sandbox.query("SELECT count(*) FROM needtoknow.due WHERE disclosure_id = %s", shared.disclosure_id) == [(0,)]


def test_p4_each_device_that_was_sent_something_is_ordered_to_delete_and_confirms(crowd):
    recipient, (phone, tablet, watch) = devices_of(crowd, "phone", "tablet", "watch", deliver_to=EVERY)
    assert phone.drain() == tablet.drain() == watch.drain() == []
    shared = crowd.share(crowd.person(), recipient)
    phone.acknowledge(*phone.drain())
    with tablet.receive() as stream:
        stream.delivery(shared.disclosure_id)
        revoke(crowd, shared.disclosure_id)
        assert stream.withdrawal(shared.disclosure_id).cause == delivery_pb2.WITHDRAWAL_CAUSE_REVOKED
    assert withdrawn(phone) == [shared.disclosure_id], "kept for a device that is away"
    assert withdrawn(watch) == [], "it was sent nothing"
    with refused("FAILED_PRECONDITION", "NOT_WITHDRAWN"):
        confirm(watch, shared.disclosure_id)
    assert confirm(phone, shared.disclosure_id) == 1
    assert withdrawn(phone) == [] and withdrawn(tablet) == [shared.disclosure_id]
    assert confirm(tablet, shared.disclosure_id) == 1
    assert withdrawn(tablet) == []
    entries = ledger.entries(crowd.sandbox)
    for kind in ("WITHDRAWN", "DELETION_CONFIRMED"):
        devices = [entry.device for _, entry in ledger.of_disclosure(entries, shared.disclosure_id, kind)]
        assert sorted(devices) == ["phone", "tablet"]
    assert crowd.sandbox.query("SELECT count(*) FROM needtoknow.due WHERE disclosure_id = %s", shared.disclosure_id) == [(0,)]


def test_a_rescheduled_disclosure_moves_for_each_device(crowd):
    recipient, (phone, tablet) = devices_of(crowd, "phone", "tablet", deliver_to=EVERY)
    assert phone.drain() == tablet.drain() == []
    shared = crowd.share(crowd.person(), recipient, "staged", starts_in=1800, lasts=600)
    (planning,) = phone.drain()
    phone.acknowledge(planning)
    reschedule(crowd, shared.disclosure_id, 1.0, 600.0)
    for device in (phone, tablet):
        with device.receive() as stream:
            for release in ("planning", "visit", "entry"):
                got = stream.delivery(shared.disclosure_id, release)
                assert got.cause == (REPEATED if device is phone and release == "planning" else NEW)
                stream.acknowledge(got)
            assert len(stream.deliveries()) == 3
    assert states(get(crowd, shared.disclosure_id)) == {"planning": "ACKNOWLEDGED", "visit": "ACKNOWLEDGED", "entry": "ACKNOWLEDGED"}


# ---- to whom deliveries go may change ----


def left(stream):
    error = stream.wait_end()
    return error is not None and error.code().name == "UNAVAILABLE"


def test_from_any_device_to_every_device(crowd):
    recipient, (phone, tablet) = devices_of(crowd, "phone", "tablet", deliver_to=ANY)
    with phone.receive() as one, tablet.receive() as two:
        sent = crowd.share(crowd.person(), recipient)
        until(lambda: len(one.deliveries() + two.deliveries()) == 1, what="a delivery to one of them")
        waiting = crowd.share(crowd.person(), recipient, "staged", starts_in=4, lasts=600)
        until(lambda: len(one.deliveries() + two.deliveries()) == 2, what="its first release")
        crowd.put_recipient(recipient.recipient_id, deliver_to=EVERY)
        assert left(one) and left(two), "each app is told to connect anew"
        had = {"phone": one.deliveries(), "tablet": two.deliveries()}
    for device in (phone, tablet):
        with device.receive() as stream:
            stream.delivery(waiting.disclosure_id, "visit"), stream.delivery(waiting.disclosure_id, "entry")
            again = [delivery.delivery_id for delivery in stream.deliveries() if delivery.cause == REPEATED]
            mine = had["phone" if device is phone else "tablet"]
            assert sorted(again) == sorted(ids(mine)), "what was sent stays its device's"
            stream.acknowledge(*stream.deliveries())
    assert states(get(crowd, sent.disclosure_id)) == {"all": "ACKNOWLEDGED"}
    assert phone.drain() == tablet.drain() == []


def test_from_every_device_to_any_device(crowd):
    recipient, (phone, tablet) = devices_of(crowd, "phone", "tablet", deliver_to=EVERY)
    assert tablet.drain() == []
    with phone.receive() as one:
        sent = crowd.share(crowd.person(), recipient)
        one.acknowledge(one.delivery(sent.disclosure_id))
        waiting = crowd.share(crowd.person(), recipient, "staged", starts_in=4, lasts=600)
        unacknowledged = one.delivery(waiting.disclosure_id, "planning")
        crowd.put_recipient(recipient.recipient_id, deliver_to=ANY)
        assert left(one)
    with tablet.receive() as stream:
        until(lambda: stream.deliveries(), 40, "what the phone has not acknowledged")
        stream.delivery(waiting.disclosure_id, "visit"), stream.delivery(waiting.disclosure_id, "entry")
        assert not stream.deliveries(sent.disclosure_id), "one device was sent it, and that is enough now"
        stream.delivery(waiting.disclosure_id, "planning", 40)
        assert [delivery.delivery_id for delivery in stream.deliveries(waiting.disclosure_id) if delivery.release == "planning"] == [
            unacknowledged.delivery_id]
        stream.acknowledge(*stream.deliveries())
    assert phone.drain() == tablet.drain() == []
    rows = crowd.sandbox.query("SELECT count(*) FROM needtoknow.due WHERE recipient_id = %s", recipient.recipient_id)
    assert rows == [(0,)]


# ---- a lost phone ----


def denied(party, reason, disclosure_id, delivery=None):
    """Everything but Receive and ConfirmDeletion."""
    with refused("PERMISSION_DENIED", reason):
        party.fetch(disclosure_id)
    with refused("PERMISSION_DENIED", reason):
        party.client.delivery.ListAssigned(delivery_pb2.ListAssignedRequest(), timeout=10)
    with refused("PERMISSION_DENIED", reason):
        party.client.delivery.Acknowledge(
            delivery_pb2.AcknowledgeRequest(delivery_ids=[delivery.delivery_id if delivery else unique("d")]), timeout=10)


@pytest.mark.parametrize("deliver_to", [ANY, EVERY], ids=["any", "every"])
def test_p7_a_revoked_device_gets_withdrawals_and_nothing_else(crowd, deliver_to):
    recipient, (phone, tablet) = devices_of(crowd, "phone", "tablet", deliver_to=deliver_to)
    with phone.receive() as stream:
        shared = crowd.share(crowd.person(), recipient)
        got = stream.delivery(shared.disclosure_id)
        revoke_device(crowd, recipient, "phone")
        assert stream.wait_end() is not None, "its stream is closed"
    with phone.receive() as stream:
        assert stream.withdrawal(shared.disclosure_id).cause == delivery_pb2.WITHDRAWAL_CAUSE_REVOKED
        later = crowd.share(crowd.person(), recipient)
        with tablet.receive() as other:
            # What the phone had not acknowledged is the tablet's; what is new goes nowhere else.
            again, fresh = other.delivery(shared.disclosure_id), other.delivery(later.disclosure_id)
            assert (again.cause, fresh.cause) == (REPEATED if deliver_to == ANY else NEW, NEW)
            other.acknowledge(again, fresh)
            assert states(get(crowd, shared.disclosure_id)) == {"all": "ACKNOWLEDGED"} or deliver_to == EVERY
        assert stream.deliveries() == [] and not stream.ended
    denied(phone, "DEVICE_REVOKED", shared.disclosure_id, got)
    assert confirm(phone, shared.disclosure_id) == 1
    assert withdrawn(phone) == []
    assert tablet.fetch(shared.disclosure_id), "the disclosure goes on for the others"
    revoked = [index for index, entry in ledger.of_kind(ledger.entries(crowd.sandbox), "RECIPIENT_CHANGED")
               if entry.recipient_id == recipient.recipient_id and entry.device == "phone"]
    assert len(revoked) == 1
    for index, entry in ledger.of_kind(ledger.entries(crowd.sandbox), "DELIVERED"):
        assert (entry.recipient_id, entry.device) != (recipient.recipient_id, "phone") or index < revoked[0]


def test_p7_a_device_that_was_revoked_before_it_was_used_gets_nothing(crowd):
    recipient, (phone, tablet) = devices_of(crowd, "phone", "tablet", deliver_to=EVERY)
    revoke_device(crowd, recipient, "phone")
    shared = crowd.share(crowd.person(), recipient)
    assert phone.drain() == []
    denied(phone, "DEVICE_REVOKED", shared.disclosure_id)
    assert [delivery.disclosure_id for delivery in tablet.drain()] == [shared.disclosure_id]
    rows = crowd.sandbox.query("SELECT device FROM needtoknow.due WHERE recipient_id = %s", recipient.recipient_id)
    assert rows == [("",)]


# ---- a suspended recipient ----


def test_p4_a_suspended_recipient_gets_withdrawals_and_nothing_else(crowd):
    recipient, (phone, tablet) = devices_of(crowd, "phone", "tablet", deliver_to=EVERY)
    with contextlib.ExitStack() as streams:
        before = [streams.enter_context(device.receive()) for device in (phone, tablet)]
        shared = [crowd.share(crowd.person(), recipient).disclosure_id for _ in range(3)]
        for stream in before:
            until(lambda: len(stream.deliveries()) == 3, what="three deliveries")
        suspend(crowd, recipient)
        for stream in before:
            assert stream.wait_end() is not None
        after = [streams.enter_context(device.receive()) for device in (phone, tablet)]
        for stream in after:
            for disclosure_id in shared:
                assert stream.withdrawal(disclosure_id).cause == delivery_pb2.WITHDRAWAL_CAUSE_SUSPENDED
        denied(phone, "RECIPIENT_SUSPENDED", shared[0], before[0].deliveries()[0])
        denied(recipient.device("new"), "RECIPIENT_SUSPENDED", shared[0])
        assert confirm(phone, *shared) == confirm(tablet, *shared) == 3
        with refused("PERMISSION_DENIED", "RECIPIENT_SUSPENDED"):
            crowd.share(crowd.person(), recipient)
        # Suspending somebody else closes no stream that has been closed before.
        suspend(crowd, crowd.recipient())
        assert withdrawn(phone) == withdrawn(tablet) == []
        assert not any(stream.ended for stream in after)
        resume(crowd, recipient)
        for stream in after:
            assert left(stream), "it may be served again, and has to connect for that"
        assert not any(stream.deliveries() for stream in after)
    assert phone.drain() == tablet.drain() == [], "it is final: a booking must be shared again"
    again = crowd.share(crowd.person(), recipient).disclosure_id
    for device in (phone, tablet):
        got = device.drain()
        assert [delivery.disclosure_id for delivery in got] == [again]
        device.acknowledge(*got)
