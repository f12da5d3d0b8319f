"""The checker that ends every test, checked: it sees each thing that it is there to see."""

from contextlib import contextmanager

import pytest

from needtoknow_testing import protos
from needtoknow_testing.ledger import Checker


@contextmanager
def changed(world, change, undo):
    """The ledger after a change that only a superuser can make, who first takes the triggers away."""
    run = world.sandbox.query
    run("ALTER TABLE needtoknow.ledger_0 DISABLE TRIGGER ALL")
    try:
        run(change)
        yield
    finally:
        run(undo)
        run("ALTER TABLE needtoknow.ledger_0 ENABLE TRIGGER ALL")


@pytest.fixture
def delivered(world):
    person, recipient = world.person(), world.recipient()
    world.share(person, recipient)
    (got,) = recipient.drain()
    recipient.acknowledge(got)
    return got


LAST = "first_index = (SELECT max(first_index) FROM needtoknow.ledger_0)"


def test_it_sees_a_changed_byte(world, delivered):
    flip = ("UPDATE needtoknow.ledger_0 SET bodies = set_byte(bodies, length(bodies) - 1, get_byte(bodies, length(bodies) - 1) # 1)"
            f" WHERE {LAST}")
    with changed(world, flip, flip):
        with pytest.raises(Exception):
            Checker(world.sandbox).check()
    Checker(world.sandbox).check()


def test_it_sees_a_missing_entry(world, delivered):
    world.sandbox.query(f"CREATE TABLE company.aside AS SELECT * FROM needtoknow.ledger_0 WHERE {LAST}")
    with changed(world, f"DELETE FROM needtoknow.ledger_0 WHERE {LAST}",
                 "INSERT INTO needtoknow.ledger_0 SELECT * FROM company.aside; DROP TABLE company.aside"):
        with pytest.raises(AssertionError, match="head"):
            Checker(world.sandbox).check()
    Checker(world.sandbox).check()


@pytest.mark.parametrize("wrong", ["value", "null", "name", "delivery_id", "receipt", "leaf_hash", "unlogged"])
def test_it_sees_a_delivery_that_the_ledger_does_not_name(world, delivered, wrong):
    fake = protos.delivery.Delivery()
    fake.CopyFrom(delivered)
    if wrong == "value":
        fake.fields[0].value += "x"
    elif wrong == "null":
        fake.fields[0].is_null = True
    elif wrong == "name":
        fake.fields[0].name = "client.iban"
    elif wrong == "delivery_id":
        fake.delivery_id += "x"
    elif wrong == "receipt":
        fake.receipt.ledger_index -= 1
    elif wrong == "leaf_hash":
        fake.receipt.leaf_hash = bytes(32)
    else:
        fake.receipt.ledger_index = 2**40
    with pytest.raises(AssertionError):
        Checker(world.sandbox).check([fake])
    Checker(world.sandbox).check([delivered])
