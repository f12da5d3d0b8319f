"""The command line in an auditor's hands."""

import os
import subprocess
from dataclasses import dataclass

from .paths import program


@dataclass
class Ran:
    status: int
    out: str
    err: str

    def ok(self):
        assert self.status == 0, self
        return self


def audit(*words, sandbox=None, timeout=60, **environment):
    """`needtoknow audit WORDS`; with a sandbox as its auditor, else without any way to connect."""
    certificate = {}
    if sandbox is not None:
        paths = sandbox.key_pair("auditor")
        certificate = {"NEEDTOKNOW_ADDRESS": sandbox.address, "NEEDTOKNOW_CA": sandbox.ca, "NEEDTOKNOW_CERT": paths[0],
                       "NEEDTOKNOW_KEY": paths[1]}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NEEDTOKNOW_")}
    done = subprocess.run([program("needtoknow"), "audit", *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, env={**clean, **{name: str(value) for name, value in {**certificate, **environment}.items()}})
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)
