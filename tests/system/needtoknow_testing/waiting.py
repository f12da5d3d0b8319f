"""Waiting for a condition, instead of sleeping."""

import time


def until(condition, timeout=10.0, what=None, every=0.02):
    """What the condition gives, once it is true. Fails loudly when it does not become so in time."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or condition} did not come within {timeout} s")
        time.sleep(every)
