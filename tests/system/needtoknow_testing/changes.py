"""What a booking system does to a disclosure that it has shared."""

import time

from . import ledger, protos
from .client import unique


def get(world, disclosure_id, client=None):
    request = protos.sharing.GetDisclosureRequest(disclosure_id=disclosure_id)
    return (client or world.booking).sharing.GetDisclosure(request, timeout=10).disclosure


def revoke_request(disclosure_id=None, booking_id=None, reason="", request_id=None):
    request = protos.sharing.RevokeRequest(request_id=request_id or unique("q"), reason=reason)
    if booking_id is not None:
        request.booking_id = booking_id
    elif disclosure_id is not None:
        request.disclosure_id = disclosure_id
    return request


def revoke(world, disclosure_id=None, client=None, timeout=10, **fields):
    return (client or world.booking).sharing.Revoke(revoke_request(disclosure_id, **fields), timeout=timeout)


def window(starts_in, lasts):
    now = time.time()
    return {"starts_at": protos.timestamp(now + starts_in), "ends_at": protos.timestamp(now + starts_in + lasts)}


def reschedule_request(disclosure_id, starts_in=7200.0, lasts=3600.0, request_id=None):
    return protos.sharing.RescheduleRequest(request_id=request_id or unique("q"), disclosure_id=disclosure_id,
                                            **window(starts_in, lasts))


def reschedule(world, disclosure_id, *arguments, client=None, **fields):
    return (client or world.booking).sharing.Reschedule(reschedule_request(disclosure_id, *arguments, **fields), timeout=10)


def reassign_request(disclosure_id, recipient, reason="", request_id=None):
    return protos.sharing.ReassignRequest(request_id=request_id or unique("q"), disclosure_id=disclosure_id,
                                          recipient_id=getattr(recipient, "recipient_id", recipient), reason=reason)


def reassign(world, disclosure_id, recipient, client=None, **fields):
    return (client or world.booking).sharing.Reassign(reassign_request(disclosure_id, recipient, **fields), timeout=10)


def kinds(world, disclosure_id):
    """Of the disclosure's entries, in order."""
    return [ledger.kind_name(entry) for _, entry in ledger.of_disclosure(ledger.entries(world.sandbox), disclosure_id)]


def states(disclosure):
    """{release: state}"""
    name = protos.common.ReleaseState.Name
    return {release.name: name(release.state)[len("RELEASE_STATE_"):] for release in disclosure.releases}


def nothing_after(world, indices):
    """`indices`: {disclosure_id: index of the entry that ended it}. No DELIVERED entry of it has a later one."""
    for index, entry in ledger.of_kind(ledger.entries(world.sandbox), "DELIVERED"):
        ended = indices.get(entry.disclosure_id)
        assert ended is None or index < ended, f"{entry.disclosure_id} ended at {ended} and was delivered at {index}"
