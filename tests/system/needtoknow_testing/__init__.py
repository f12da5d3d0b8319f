"""The harness of the system tests: sandboxes, clients that we did not write, and what checks the ledger afterwards."""

import os

# Before grpc is imported: its handler before a fork waits for its own threads, now and then for ever. What is forked here executes another
# program at once and has no use for it.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it would say so at each fork
