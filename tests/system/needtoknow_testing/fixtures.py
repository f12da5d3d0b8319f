"""Fixtures that tests/system and tests/fault share."""

import pytest

from .world import World


@pytest.fixture(autouse=True)
def the_ledger_holds():
    """Every test ends with the checker, on every sandbox that is up."""
    yield
    for world in World.running:
        try:
            world.check()
        except Exception:
            print(f"--- the end of the daemon's log\n{world.sandbox.log()[-3000:]}")
            raise
        finally:
            world.close_clients()


@pytest.fixture(scope="session")
def shared_world():
    """One sandbox for all tests that leave it running and undamaged."""
    world = World.up()
    yield world
    world.down()


@pytest.fixture
def world(shared_world):
    """The same daemon must be there afterwards: whatever a test sends, nothing restarts."""
    before = shared_world.sandbox.processes()
    yield shared_world
    assert shared_world.sandbox.processes() == before, "the daemon's processes are not those that were there before"
