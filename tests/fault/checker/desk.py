"""The privacy desk: objects, restricts and erases on clients' behalf while the service is broken, and takes back what may be."""

import time

from needtoknow_testing import protos
from needtoknow_testing.client import unique

from .history import Operation
from .parties import TIMEOUT, Party, receipt

# So many of each in a deck that is shuffled, dealt and shuffled again: no run is without one of them.
ACTIONS = {"object": 4, "restrict": 3, "erase": 2}
PURPOSE = "dpv:CustomerCare"   # of the one service that one may object to


class PrivacyDesk(Party):
    """Of clients with whom something was just shared, so that there is something to end or to hold back."""

    def __init__(self, setting, callers, actions=None):
        super().__init__(setting, "rights", "privacy")
        self.callers = callers
        self.actions = [name for name, times in ACTIONS.items() for _ in range(times) if actions is None or name in actions]
        self.deck, self.objected = [], 0

    def live(self):
        while self.actions and not self.pause(self.dice.uniform(0.3, 1.5)):
            subject = self._subject()
            if subject:
                getattr(self, self._deal())(subject)

    def _deal(self):
        if not self.deck:
            self.deck = self.dice.sample(self.actions, len(self.actions))
        return self.deck.pop()

    def _subject(self):
        booked = [one.booking for caller in self.callers for one in caller.live_ones[-12:]]
        return self.history.bookings[self.dice.choice(booked)].subject if booked else None

    def _ask(self, kind, subject, **fields):
        request = getattr(protos.rights, f"{kind}Request")(
            request_id=unique("p"), subject_id=subject, channel=protos.rights.CHANNEL_EMAIL,
            received_at=protos.timestamp(time.time() - 60), **fields)
        operation = Operation(kind, self.who, time.time(), {"subject": subject, **fields})
        method = getattr(self.client.rights, kind)
        answer = self.pursue(operation, lambda: method(request, timeout=TIMEOUT), 100)
        if answer is not None:
            receipts = [answer.receipt] if "receipt" in answer.DESCRIPTOR.fields_by_name else answer.receipts
            operation.receipts = [receipt(each) for each in receipts]
        return operation

    def object(self, subject):
        purpose = self.dice.choice([PURPOSE, ""])
        self._ask("Object", subject, purpose=purpose)
        self.objected += 1
        if self.objected % 2:
            self.pause(self.dice.uniform(0.2, 2))
            self._ask("LiftObjection", subject, purpose=purpose)

    def restrict(self, subject):
        """Always lifted: what is held back for ever is owed for ever."""
        self._ask("Restrict", subject)
        self.pause(self.dice.uniform(0.2, 4))
        self._ask("LiftRestriction", subject)

    def erase(self, subject):
        self._ask("Erase", subject, cancel_bookings=True)
