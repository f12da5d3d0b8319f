"""Where things are."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROTO = ROOT / "proto"
SANDBOX = ROOT / "deploy" / "sandbox"
POLICY = ROOT / "deploy" / "policy.yaml"
SYSTEM = ROOT / "tests" / "system"
POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")


def build(preset):
    """The build directory of a preset other than the one under test, brought up to date."""
    given = os.environ.get(f"NEEDTOKNOW_BUILD_{preset.upper()}")
    if given:
        return Path(given)
    script = f"root={ROOT}; for part in terminal build; do source $root/deploy/lib/$part.sh; done; build {preset} needtoknowd needtoknow"
    subprocess.run(["bash", "-euc", script], check=True)
    return ROOT / "build" / preset


def program(name):
    """A program of the build under test, as deploy/sandbox takes it."""
    return Path(os.environ.get("NEEDTOKNOW_BUILD") or ROOT / "build" / "debug") / "bin" / name
