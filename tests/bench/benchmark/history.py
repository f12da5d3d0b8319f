"""
A made-up past of a company, in the order in which it happened: bookings that are shared, delivered, acknowledged and expire, orders to
delete and their confirmations, and now and then a refusal or a new recipient. What a ledger of ten million entries looks like.
"""

import heapq
import random
from dataclasses import dataclass

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 24 * 3600 * SECOND
# What happens to a booking, in this order.
SHARE, DELIVER, ACKNOWLEDGE, END, CONFIRM = range(5)
# What happens beside them.
REFUSE, REGISTER = 5, 6
ENTRIES_A_BOOKING = 6  # END is two: EXPIRED and WITHDRAWN


@dataclass
class Shape:
    """What kind of company it is."""
    clients: int = 1_000_000
    recipients: int = 10_000
    entries_a_day: int = 27_400  # ten million a year
    train: int = 1024  # entries aboard at most; as many trains of 1 to 2 as of 2 to 4, of 4 to 8, and so on
    refused: float = 0.01  # of bookings: more than a page of them in a hundred thousand entries
    unconfirmed: float = 0.02  # of orders to delete
    retained: float = 0.01


class Booking:
    """One disclosure and what became of it; indices are filled in as its entries are written."""
    __slots__ = ("number", "client", "recipient", "disclosure", "shared_at", "starts_at", "ends_at", "expires_at", "shared_index",
                 "sent_at", "sent_index", "acknowledged_index", "ended_at", "ended_index", "withdrawal_index", "withdrawal_leaf",
                 "confirmed_at", "confirmed_index", "retained", "commitment", "parts")

    def __init__(self, number, client, recipient, shared_at, draw):
        self.number, self.client, self.recipient = number, client, recipient
        self.disclosure, self.commitment = draw.randbytes(16), draw.randbytes(32)
        self.starts_at = shared_at + 6 * HOUR + draw.randrange(30) * HOUR
        self.ends_at = self.starts_at + 2 * HOUR
        self.expires_at = self.ends_at + 2 * HOUR
        self.shared_at = self.sent_at = self.ended_at = self.confirmed_at = None
        self.shared_index = self.sent_index = self.acknowledged_index = self.ended_index = self.withdrawal_index = None
        self.withdrawal_leaf = self.confirmed_index = self.parts = None
        self.retained = False


class History:
    """
    Iterates over (moment, act, booking) of a past that ends at `until` and comes to about `entries` entries. Moments are microseconds
    since 1970. The same shape and seed give the same past, but for its end.
    """

    def __init__(self, shape, entries, until, seed=1):
        self.shape, self.until = shape, until
        self.draw = random.Random(seed)
        self.begins = until - int(entries * DAY / shape.entries_a_day) - DAY // 3  # what has begun has not yet all its entries
        self.between = DAY * ENTRIES_A_BOOKING / shape.entries_a_day  # bookings

    def _next(self, at, act, booking):
        """When what follows an act happens, and what it is; None after the last."""
        draw = self.draw
        if act == SHARE:
            return at + min(int(draw.expovariate(1 / (10 * MINUTE))), HOUR), DELIVER
        if act == DELIVER:
            return at + draw.randrange(1, 60) * SECOND, ACKNOWLEDGE
        if act == ACKNOWLEDGE:
            return booking.expires_at, END
        if act == END and draw.random() >= self.shape.unconfirmed:
            booking.retained = draw.random() < self.shape.retained
            return at + min(int(draw.expovariate(1 / (3 * HOUR))), 20 * HOUR), CONFIRM
        return None

    def __iter__(self):
        shape, draw, coming = self.shape, self.draw, []
        known = bytearray(shape.recipients)
        number, moment = 0, self.begins
        while moment < self.until or (coming and coming[0][0] < self.until):
            if coming and coming[0][0] <= moment:
                at, _, act, booking = heapq.heappop(coming)
                yield at, act, booking
                following = self._next(at, act, booking)
                if following is not None:
                    heapq.heappush(coming, (following[0], booking.number, following[1], booking))
                continue
            # Some clients book often and some recipients are big.
            client = int(shape.clients * draw.random() ** 2)
            recipient = int(shape.recipients * draw.random() ** 3)
            booking = Booking(number, client, recipient, int(moment), draw)
            if not known[recipient]:
                known[recipient] = 1
                yield moment, REGISTER, booking
            if draw.random() < shape.refused:
                yield moment, REFUSE, booking
            else:
                heapq.heappush(coming, (int(moment), number, SHARE, booking))
            number += 1
            moment += draw.expovariate(1 / self.between)
