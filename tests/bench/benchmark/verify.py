"""The end of every run: what the client received against what the ledger says. No figure counts without it."""

import sys

import psycopg2

from .setting import ROOT

sys.path.insert(0, str(ROOT / "tests" / "system"))

from needtoknow_testing.ledger import Checker, kind_name  # noqa: E402


class Disagreement(Exception):
    """Rows and counts do not agree."""


class Connections:
    """What the checker asks of a sandbox."""

    def __init__(self, setting):
        self.uri = setting.values["PGURI"]

    def connect(self, autocommit=True):
        connection = psycopg2.connect(self.uri)
        connection.autocommit = autocommit
        return connection


def demand(held, words):
    if not held:
        raise Disagreement(words)


def received_of(path):
    """[(delivery id, ledger index, leaf hash)] as the client kept them."""
    rows = [line.split() for line in path.read_text().splitlines()]
    return [(delivery, int(index), bytes.fromhex(leaf)) for delivery, index, leaf in rows]


def verify(setting, client_counts):
    """
    Indices without a gap, leaves that add up to the head (the system tests' checker, which is not built on our code); each delivery
    received once, and named by the entry that its receipt points to; as many rows of what was sent as entries.
    client_counts: {shares, deliveries, acknowledgements}, as the client counted them.
    """
    checker = Checker(Connections(setting))
    try:
        checker.check()
    except AssertionError as error:
        raise Disagreement(f"the ledger: {error}") from error
    kinds = {}
    for entry in checker.entries:
        kinds[kind_name(entry)] = kinds.get(kind_name(entry), 0) + 1
    received = received_of(setting.directory / "deliveries")
    demand(len(received) == client_counts["deliveries"], f"{len(received)} deliveries kept, {client_counts['deliveries']} counted")
    demand(len({delivery for delivery, _, _ in received}) == len(received), "a delivery was received twice")
    for delivery, index, leaf in received:
        demand(index < len(checker.entries), f"{delivery} came with entry {index}, beyond the ledger")
        entry = checker.entries[index]
        demand(kind_name(entry) == "DELIVERED" and entry.delivery_id == delivery, f"entry {index} does not name {delivery}")
        demand(checker.leaves[index] == leaf, f"the receipt of {delivery} has another leaf than entry {index}")
    rows = int(setting.psql("-c", "SELECT count(*) FROM needtoknow.sent"))
    demand(rows == kinds["DELIVERED"], f"{rows} rows sent, {kinds['DELIVERED']} entries DELIVERED")
    demand(kinds["DELIVERED"] >= len(received), f"{len(received)} deliveries received, {kinds['DELIVERED']} entries")
    demand(kinds["SHARED"] == client_counts["shares"], f"{client_counts['shares']} shares answered, {kinds['SHARED']} entries")
    demand(kinds["ACKNOWLEDGED"] == client_counts["acknowledgements"],
           f"{client_counts['acknowledgements']} acknowledged, {kinds['ACKNOWLEDGED']} entries")
    return {"entries": len(checker.entries), "received": len(received), "delivered_entries": kinds["DELIVERED"]}
