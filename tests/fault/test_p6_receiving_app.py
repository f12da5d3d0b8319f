"""P6, P4: `needtoknow receive` (libneedtoknow) loses nothing and keeps nothing too long, whatever its connections and the daemon do."""

import os
import random
import threading
import time
from collections import Counter

import pytest

from checker.proxy import DOWN, UP, Proxy
from needtoknow_testing import changes, ledger, protos
from needtoknow_testing.cli import Cli
from needtoknow_testing.waiting import until

CUTS = 15
TRUST = "spiffe://maison-claire.example/recipient"


class App:
    """`needtoknow receive --json` behind a proxy. As a context."""

    def __init__(self, world, recipient_id):
        certificate, key = world.authority.issue(f"{TRUST}/{recipient_id}")
        key.chmod(0o600)
        host, port = world.sandbox.address.rsplit(":", 1)
        self.proxy = Proxy(lambda: (host, int(port)))
        cli = Cli(world.sandbox)
        cli.environment |= {"NEEDTOKNOW_ADDRESS": f"localhost:{self.proxy.port}", "NEEDTOKNOW_CERT": str(certificate),
                            "NEEDTOKNOW_KEY": str(key)}
        self.following = cli.follow("receive", "--json")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        code, said = self.following.end()
        self.proxy.close()
        assert "Sanitizer" not in said, said
        if kind is None:
            assert code == 0, said

    def events(self, event, disclosure_id=None):
        return [line for line in list(self.following.lines)
                if line["event"] == event and disclosure_id in (None, line["disclosure_id"])]

    def wait(self, event, disclosure_id, count=1, timeout=60):
        """The last of so many."""
        assert self.following.process.poll() is None, "the app has ended"
        return until(lambda: len(found := self.events(event, disclosure_id)) >= count and found, timeout, f"{event} of {disclosure_id}")[-1]


class Cutting:
    """Cuts the app's connections at random bytes, up and down, until it is left. As a context."""

    def __init__(self, proxy, chance):
        self.proxy, self.chance, self.stopping = proxy, chance, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join(10)

    def _run(self):
        while not self.stopping.is_set():
            # A handshake is some 3,000 bytes, so that some cuts come within one and some long after it.
            self.proxy.cut_after(self.chance.choice((UP, DOWN)), self.chance.choice((1, 500, 3_000, 6_000, 12_000)) + self.chance.randrange(500),
                                 self.chance.uniform(0.2, 1.5))


@pytest.fixture
def seed():
    number = int(os.environ.get("NEEDTOKNOW_SEED", time.time_ns() % 1_000_000))
    print(f"NEEDTOKNOW_SEED={number} plays this again")
    return number


def entries_of(world, *kinds):
    return Counter(entry.disclosure_id for _, entry in ledger.of_kind(ledger.entries(world.sandbox), *kinds))


def test_p6_an_app_whose_connections_are_cut_loses_nothing_and_confirms_every_deletion(world, seed):
    chance = random.Random(seed)
    recipient = world.recipient()
    shared, revoked = [], []
    with App(world, recipient.recipient_id) as app:
        with Cutting(app.proxy, chance):
            number = 0
            while number < 24 or app.proxy.cuts < CUTS:
                assert number < 40 * CUTS, "the connections are not cut"
                number += 1
                shared.append(world.share(world.person(), recipient).disclosure_id)
                if chance.random() < 0.4:
                    disclosure_id = chance.choice([one for one in shared if one not in revoked])
                    if chance.random() < 0.7:
                        app.wait("delivery", disclosure_id)
                    changes.revoke(world, disclosure_id)
                    revoked.append(disclosure_id)
                if number in (8, 16):
                    world.sandbox.restart()  # SIGKILL to all of the daemon
                live = [one for one in shared if one not in revoked]
                if live and chance.random() < 0.8:
                    app.wait("delivery", chance.choice(live))
            print(f"{app.proxy.cuts} connections were cut, {len(revoked)} of {len(shared)} disclosures revoked")
        kept = [one for one in shared if one not in revoked]
        for disclosure_id in kept:
            app.wait("delivery", disclosure_id)
        sent = set(entries_of(world, "DELIVERED"))
        gone = [one for one in revoked if one in sent]
        for disclosure_id in gone:
            app.wait("confirmed", disclosure_id)
        until(lambda: set(kept) <= set(entries_of(world, "ACKNOWLEDGED")), 30, "every acknowledgement")
        assert set(entries_of(world, "DELETION_CONFIRMED")) >= set(gone)
        seen = [(line["event"], line["disclosure_id"]) for line in app.following.lines]
        for disclosure_id in gone:
            mine = [event for event, of in seen if of == disclosure_id]
            assert mine.index("withdrawal") < mine.index("confirmed")
            assert "delivery" not in mine[mine.index("withdrawal"):], "nothing is given after its withdrawal"
            wiped = sum(line["wiped"] for line in app.events("withdrawal", disclosure_id))
            assert wiped == mine.count("delivery"), "what was held is gone, once"
        again = Counter(line["delivery_id"] for line in app.events("delivery"))
        assert set(again.values()) == {1}, "a repeat is not given twice"
        for line in app.events("delivery"):
            assert {field["name"] for field in line["fields"]} == {
                "client.district", "client.home_address", "client.door_code", "booking.tasks"}


def test_p4_an_app_without_a_connection_wipes_at_expiry_and_confirms_when_it_is_back(world):
    recipient = world.recipient()
    with App(world, recipient.recipient_id) as app:
        disclosure = world.share(world.person(), recipient, starts_in=1, lasts=3)
        app.wait("delivery", disclosure.disclosure_id)
        with Unplugged(app.proxy):
            expiry = app.wait("expiry", disclosure.disclosure_id)
            assert expiry["wiped"] == 1
            world.sandbox.wait_until(protos.seconds(disclosure.expires_at))
            assert not app.events("withdrawal")
        assert app.wait("withdrawal", disclosure.disclosure_id)["cause"] == "EXPIRED"
        app.wait("confirmed", disclosure.disclosure_id)
    assert disclosure.disclosure_id in entries_of(world, "DELETION_CONFIRMED")


def test_p6_an_app_learns_new_times_and_what_it_wiped_too_early_comes_again(world):
    recipient = world.recipient()
    with App(world, recipient.recipient_id) as app:
        disclosure = world.share(world.person(), recipient, starts_in=1, lasts=4)
        first = app.wait("delivery", disclosure.disclosure_id)
        with Unplugged(app.proxy):
            changes.reschedule(world, disclosure.disclosure_id, 3600, 3600)
            app.wait("expiry", disclosure.disclosure_id)  # it could not know
        again = app.wait("delivery", disclosure.disclosure_id, count=2)
        assert (again["cause"], again["delivery_id"]) == ("REPEATED", first["delivery_id"])
        assert again["fields"] == first["fields"] and again["ends_at"] > first["ends_at"]
        # Held as it is, without a loss in between, the new times come too.
        changes.reschedule(world, disclosure.disclosure_id, 3600, 7200)
        assert app.wait("delivery", disclosure.disclosure_id, count=3)["ends_at"] > again["ends_at"]
        changes.revoke(world, disclosure.disclosure_id)
        assert app.wait("withdrawal", disclosure.disclosure_id)["wiped"] == 1
        app.wait("confirmed", disclosure.disclosure_id)


def test_p4_a_suspended_app_deletes_and_confirms_and_serves_again_when_resumed(world):
    recipient = world.recipient()
    with App(world, recipient.recipient_id) as app:
        held = world.share(world.person(), recipient).disclosure_id
        app.wait("delivery", held)
        world.admin.registry.SuspendRecipient(protos.registry.SuspendRecipientRequest(recipient_id=recipient.recipient_id), timeout=20)
        withdrawal = app.wait("withdrawal", held)
        assert (withdrawal["cause"], withdrawal["wiped"]) == ("SUSPENDED", 1)
        app.wait("confirmed", held)
        world.admin.registry.ResumeRecipient(protos.registry.ResumeRecipientRequest(recipient_id=recipient.recipient_id), timeout=20)
        anew = world.share(world.person(), recipient).disclosure_id
        app.wait("delivery", anew)
        until(lambda: anew in entries_of(world, "ACKNOWLEDGED"), 30, "its acknowledgement")


def test_p4_a_revoked_devices_app_deletes_and_confirms_and_gets_nothing_more(world):
    recipient = world.recipient()
    with App(world, recipient.recipient_id) as app:
        held = world.share(world.person(), recipient).disclosure_id
        app.wait("delivery", held)
        until(lambda: held in entries_of(world, "ACKNOWLEDGED"), 30, "its acknowledgement")
        world.admin.registry.RevokeDevice(
            protos.registry.RevokeDeviceRequest(recipient_id=recipient.recipient_id, device="default"), timeout=20)
        assert app.wait("withdrawal", held)["wiped"] == 1
        app.wait("confirmed", held)
        other = recipient.device("phone-2")
        with other.receive() as stream:
            anew = world.share(world.person(), recipient).disclosure_id
            stream.acknowledge(stream.delivery(anew))
        assert not app.events("delivery", anew)


class Unplugged:
    """No connection, old or new, while it lasts. As a context."""

    def __init__(self, proxy):
        self.proxy, self.target = proxy, proxy.target

    def __enter__(self):
        self.proxy.target = lambda: ("127.0.0.1", 1)  # where nobody listens
        self.proxy.cut_all()
        return self

    def __exit__(self, *_):
        self.proxy.target = self.target
