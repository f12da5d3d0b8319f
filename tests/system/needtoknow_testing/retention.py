"""A ledger whose bodies are kept for a second."""

from . import ledger, policy, protos
from .owner import TILE
from .waiting import until


def forgetful_policy():
    """Bodies are kept for a second, and so is whom a disclosure was about."""
    text = policy.testing_policy()
    for line, other in (
            ("ledger_bodies: { keep: 5y, because: \"limitation period of contract claims (Code civil 2224)\" }", "ledger_bodies: { keep: 1s }"),
            ("disclosures: 1y", "disclosures: 1s")):
        assert text.count(line) == 1
        text = text.replace(line, other)
    return text


def fill(world, count):
    """That many entries about nobody."""
    put = lambda number: world.admin.registry.PutRecipient.future(protos.registry.PutRecipientRequest(recipient=protos.registry.Recipient(
        recipient_id=f"filler-{number}", kind=protos.registry.RECIPIENT_KIND_PROVIDER, display_name="Remplissage", agreement_ref="DPA-2026-2",
        agreement_from=protos.timestamp(1), deliver_to=protos.registry.DELIVER_TO_ANY_DEVICE)), timeout=60)
    for call in [put(number) for number in range(count)]:
        call.result()


def tiled(world):
    return TILE * world.sandbox.query("SELECT coalesce(max(number) + 1, 0) FROM needtoknow.tile WHERE level = 0")[0][0]


def pruned(world):
    return world.sandbox.query("SELECT coalesce(max(until), 0) FROM needtoknow.pruned")[0][0]


def whole_tiles(count):
    return count // TILE * TILE


def await_tiles(world):
    """Until what is in the ledger now is signed; how many of its leaves are in full tiles."""
    size = ledger.size(world.sandbox)
    until(lambda: world.sandbox.query("SELECT coalesce(max(size), 0) FROM needtoknow.checkpoint")[0][0] >= size, 20, "a checkpoint")
    assert tiled(world) >= whole_tiles(size)
    return whole_tiles(size)


def await_pruned(world, at_least):
    """Until bodies up to there may go, by an entry that is signed; how many may."""
    signed = ("SELECT coalesce(max(until), 0) FROM needtoknow.pruned"
              " WHERE ledger_index < (SELECT max(size) FROM needtoknow.checkpoint) AND until >= %s")
    return until(lambda: world.sandbox.query(signed, at_least)[0][0], 20, f"PRUNED until {at_least} (is {pruned(world)})")


def expire(world, disclosure_id):
    """Lets its time pass."""
    world.sandbox.query("UPDATE needtoknow.disclosure SET expires_at = clock_timestamp() WHERE disclosure_id = %s", disclosure_id)
    until(lambda: world.sandbox.query("SELECT state FROM needtoknow.disclosure WHERE disclosure_id = %s", disclosure_id) != [(1,)],
          20, "the end of a disclosure")
