"""System tests: a real PostgreSQL, the real daemon, clients that we did not write."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from needtoknow_testing.fixtures import shared_world, the_ledger_holds, world  # noqa: E402,F401
