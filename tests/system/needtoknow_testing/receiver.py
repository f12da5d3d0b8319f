"""A recipient's app: a Receive stream that a thread reads."""

import threading
import time

import grpc

from . import protos


class Receiver:
    """Keeps every event in order; `error` is the status with which the stream ended, or None."""

    def __init__(self, client, max_unacknowledged=0, until_empty=False):
        self.client = client
        self.events = []
        self.error = None
        self.ended = False
        self._condition = threading.Condition()
        request = protos.delivery.ReceiveRequest(max_unacknowledged=max_unacknowledged, until_empty=until_empty)
        self._call = client.delivery.Receive(request, wait_for_ready=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        error = None
        try:
            for event in self._call:
                with self._condition:
                    self.events.append(event)
                    self._condition.notify_all()
        except grpc.RpcError as failure:
            error = failure
        with self._condition:
            self.error, self.ended = error, True
            self._condition.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Cancels the stream, and waits until the reader has seen it."""
        self._call.cancel()
        self._thread.join(10)

    def wait(self, predicate, timeout=10, what="event"):
        """The first event, past or to come, for which the predicate is true."""
        deadline = time.monotonic() + timeout
        seen = 0
        with self._condition:
            while True:
                for event in self.events[seen:]:
                    if predicate(event):
                        return event
                seen = len(self.events)
                left = deadline - time.monotonic()
                if left <= 0 or self.ended:
                    kinds = [describe(event) for event in self.events]
                    raise AssertionError(f"no {what} (ended: {self.ended}, {self.error}); came: {kinds}")
                self._condition.wait(left)

    def wait_end(self, timeout=10):
        """Until the stream has ended. Returns its error, None after OK."""
        with self._condition:
            if not self._condition.wait_for(lambda: self.ended, timeout):
                raise AssertionError("the stream did not end")
            return self.error

    def delivery(self, disclosure_id, release=None, timeout=10, skip=0):
        """The (skip+1)th delivery of a disclosure, or of one release of it."""
        matching = lambda event: (event.HasField("delivery") and event.delivery.disclosure_id == disclosure_id
                                  and release in (None, event.delivery.release))
        counter = {"left": skip}

        def nth(event):
            if not matching(event):
                return False
            counter["left"] -= 1
            return counter["left"] < 0
        return self.wait(nth, timeout, f"delivery {release} of {disclosure_id}").delivery

    def withdrawal(self, disclosure_id, timeout=10):
        return self.wait(lambda event: event.HasField("withdrawal") and event.withdrawal.disclosure_id == disclosure_id,
                         timeout, f"withdrawal of {disclosure_id}").withdrawal

    def deliveries(self, disclosure_id=None):
        """Those that have come so far."""
        with self._condition:
            return [event.delivery for event in self.events
                    if event.HasField("delivery") and disclosure_id in (None, event.delivery.disclosure_id)]

    def acknowledge(self, *deliveries):
        return acknowledge(self.client, *deliveries)


def acknowledge(client, *deliveries):
    request = protos.delivery.AcknowledgeRequest(delivery_ids=[delivery.delivery_id for delivery in deliveries])
    return client.delivery.Acknowledge(request, timeout=10).acknowledged


def values(delivery):
    """{field: value}, None for NULL."""
    return {field.name: None if field.is_null else field.value for field in delivery.fields}


def describe(event):
    kind = event.WhichOneof("event")
    inner = getattr(event, kind) if kind else None
    return f"{kind} {getattr(inner, 'release', '')} {getattr(inner, 'disclosure_id', '')}"
