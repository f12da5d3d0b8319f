"""Faults: kills, stops, fills and cuts; afterwards what the clients saw is compared with the ledger."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "system"))

from needtoknow_testing.fixtures import the_ledger_holds  # noqa: E402,F401
from needtoknow_testing.policy import testing_policy  # noqa: E402
from needtoknow_testing.sandbox import alive  # noqa: E402
from needtoknow_testing.world import World  # noqa: E402


@pytest.fixture(scope="session")
def fault_world():
    """One sandbox for everything that breaks and is whole again afterwards. What is not acknowledged comes again soon."""
    world = World.up(testing_policy(acknowledge_within="2s"))
    yield world
    world.down()


@pytest.fixture
def world(fault_world):
    """Running, whatever the test before left."""
    sandbox = fault_world.sandbox
    sandbox.revive_postgres()
    if not alive(sandbox.pid) or sandbox.health() is None:
        sandbox.restart()
    sandbox.wait_serving()
    yield fault_world
    sandbox.revive_postgres()  # whatever failed, the checker needs it
