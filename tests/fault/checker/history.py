"""What was done and seen, as plain data: the clients' own records with their times, and the ledger as it lies in the table."""

import dataclasses
import json
import threading
from dataclasses import dataclass, field

NEVER = float("inf")


@dataclass
class Operation:
    """
    One thing that a client wanted, with all the repeats of its request id. It took effect at some moment from `started` to `ended`
    (Unix seconds); one that was never answered may still take effect at any time, or may never.
    """
    kind: str                  # the method
    who: str                   # the caller, as the tests name it
    started: float
    asked: dict = field(default_factory=dict)
    ended: float = NEVER
    outcome: str = "UNKNOWN"   # OK; UNKNOWN; else the status and its reason, e.g. "NOT_FOUND UNKNOWN_BOOKING"
    receipts: list = field(default_factory=list)      # of the first OK: (ledger index, leaf hash in hex)
    disclosures: list = field(default_factory=list)   # of the first OK, as Told
    count: int = 0             # what Acknowledge and ConfirmDeletion count
    again: list = field(default_factory=list)         # further answers to the same request: their receipts
    refused_index: int = -1    # the ledger's entry of a refusal
    error: str = ""            # a refusal's words

    @property
    def ok(self):
        return self.outcome == "OK"


@dataclass
class Told:
    """A disclosure as an answer describes it."""
    disclosure: str
    booking: str
    recipient: str
    service: str
    state: str                                     # ACTIVE, EXPIRED, ...
    expires_at: int                                # microseconds
    due: dict = field(default_factory=dict)        # {release: microseconds}
    releases: dict = field(default_factory=dict)   # {release: WAITING, DUE, ...}


@dataclass
class Arrival:
    """Values that an app holds in its hands."""
    at: float
    recipient: str
    device: str
    stream: int                # which of the app's streams; 0: an answer to Fetch
    delivery: str
    disclosure: str
    booking: str
    release: str
    values: dict               # {field: text, None for NULL}, in their order
    cause: str                 # NEW, CORRECTED, REPEATED, FETCHED
    index: int
    leaf: str
    expires_at: int


@dataclass
class Ordered:
    """A withdrawal that an app got: the order to delete."""
    at: float
    recipient: str
    device: str
    stream: int
    disclosure: str
    cause: str
    index: int
    leaf: str


@dataclass
class Restricted:
    """What an app was told of a restriction (GDPR art. 18): to keep and not to use, or that it may again."""
    at: float
    recipient: str
    device: str
    stream: int
    disclosure: str
    lifted: bool
    index: int
    leaf: str


@dataclass
class Line:
    """An entry of the ledger."""
    index: int
    train: str                 # the transaction that wrote it
    kind: str                  # SHARED, DELIVERED, ...
    at: int                    # microseconds of the database's clock
    leaf: str = ""             # SHA-256(0x00 || body), in hex
    actor: str = ""
    disclosure: str = ""
    recipient: str = ""
    device: str = ""
    service: str = ""
    release: str = ""
    fields: list = field(default_factory=list)
    delivery: str = ""
    reason: str = ""
    expires_at: int = 0
    pseudonym: str = ""
    booking_ref: str = ""
    commitment: str = ""
    purpose: str = ""
    basis: str = ""


@dataclass
class Booking:
    """What the company knows: every value that a field has had since it was there."""
    subject: str
    values: dict               # {field: [text, ...]}


@dataclass
class Proof:
    """Of inclusion, as the service gave it for a receipt."""
    index: int
    leaf: str
    hashes: list
    note: str


@dataclass
class Consistency:
    first: int
    second: int
    hashes: list


@dataclass
class History:
    """Everything that checks.py looks at."""
    seed: int = 0
    operations: list = field(default_factory=list)
    arrivals: list = field(default_factory=list)
    orders: list = field(default_factory=list)
    restrictions: list = field(default_factory=list)
    notes: list = field(default_factory=list)           # checkpoints that an auditor was given, in their order
    every_device: list = field(default_factory=list)    # recipients of which each device gets everything
    bookings: dict = field(default_factory=dict)        # {booking: Booking}
    # What is gathered at the end.
    finished: float = 0.0
    lines: list = field(default_factory=list)
    size: int = 0                                       # the head's
    frontier: str = ""
    published: list = field(default_factory=list)       # every checkpoint's note in the table
    vkey: str = ""
    keys: dict = field(default_factory=dict)            # {subject: [pseudonym, key]}
    proofs: list = field(default_factory=list)
    consistencies: list = field(default_factory=list)

    def __post_init__(self):
        self._lock = threading.Lock()

    def add(self, record):
        """By any thread."""
        with self._lock:
            {Operation: self.operations, Arrival: self.arrivals, Ordered: self.orders, Restricted: self.restrictions,
             str: self.notes}[type(record)].append(record)

    def save(self, path):
        with self._lock:
            path.write_text(json.dumps({each.name: plain(getattr(self, each.name)) for each in dataclasses.fields(self)}))

    @classmethod
    def load(cls, path):
        found = json.loads(path.read_text())
        of = lambda kind, name: [kind(**each) for each in found[name]]
        found["operations"] = of(Operation, "operations")
        for operation in found["operations"]:
            operation.receipts = [tuple(each) for each in operation.receipts]
            operation.again = [[tuple(each) for each in receipts] for receipts in operation.again]
            operation.disclosures = [Told(**each) for each in operation.disclosures]
        for name, kind in (("arrivals", Arrival), ("orders", Ordered), ("restrictions", Restricted), ("lines", Line),
                           ("proofs", Proof), ("consistencies", Consistency)):
            found[name] = of(kind, name)
        found["bookings"] = {name: Booking(**each) for name, each in found["bookings"].items()}
        return cls(**found)


def plain(value):
    if dataclasses.is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value
