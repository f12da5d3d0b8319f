"""`needtoknow recipient suspend`, `resume`, `revoke-device` and `get`."""

import json

import pytest

from needtoknow_testing.cli import Cli


@pytest.fixture
def admin(world):
    return Cli(world.sandbox, "admin")


def test_a_recipient_is_suspended_and_resumed(world, admin):
    recipient = world.recipient()
    world.share(world.person(), recipient)
    assert "SUSPENDED" in admin.text("recipient", "suspend", recipient.recipient_id, "--reason", "clés perdues")
    assert "already" in admin.text("recipient", "suspend", recipient.recipient_id)
    assert json.loads(admin.text("recipient", "get", recipient.recipient_id, "--json"))["recipient"]["suspended"] is True
    assert "SUSPENDED" not in admin.text("recipient", "resume", recipient.recipient_id)
    assert "not suspended" in admin.text("recipient", "resume", recipient.recipient_id)


def test_a_device_is_revoked_and_shown(world, admin):
    recipient = world.recipient()
    recipient.device("phone-2").drain()
    receipt = json.loads(admin.text("recipient", "revoke-device", recipient.recipient_id, "phone-2", "--json"))["receipts"]
    assert len(receipt) == 1
    assert "already" in admin.text("recipient", "revoke-device", recipient.recipient_id, "phone-2")
    shown = admin.text("recipient", "get", recipient.recipient_id).splitlines()
    heading = next(number for number, line in enumerate(shown) if line.startswith("DEVICE"))
    name, first_seen, *revoked = shown[heading + 1].split()
    assert name == "phone-2" and first_seen != "-" and revoked[-1] != "-"


@pytest.mark.parametrize("command", [["suspend", "nobody"], ["resume", "nobody"], ["revoke-device", "nobody", "phone"]],
                         ids=lambda command: command[0])
def test_whom_nobody_knows_is_said(admin, command):
    assert b"no recipient" in admin.run("recipient", *command, code=3).stderr
