"""The harness of the system tests: sandboxes, clients that we did not write, and what checks the ledger afterwards."""
