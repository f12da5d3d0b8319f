"""What clients' rights forbid, in histories made by hand: each breach is seen, and by the words that are for it."""

import pytest

from checker.checks import breaches
from test_checks_see import CARE, PSEUDONYMS, good, with_line


def against(right):
    """Something of a client's is shared, delivered or ended while a right of theirs says no."""
    def told():
        story = good()
        story.share("late", purpose=CARE)
        first = story.deliver("late", purpose=CARE)
        story.acknowledge(first)
        if right == "objected":
            story.line("OBJECTION_RAISED", pseudonym=PSEUDONYMS["C1"], purpose=CARE)
            story.now += 1
            story.deliver("late", reason="REPEATED", delivery=first.delivery, purpose=CARE)
        elif right == "shared":
            story.line("OBJECTION_RAISED", pseudonym=PSEUDONYMS["C3"], purpose="")
            story.share("later", booking="B3", purpose=CARE)
        elif right == "erased":
            story.share("later", booking="B3")
        else:
            for device in ("one", "two"):
                story.line("RESTRICTION_RAISED", "told", pseudonym=PSEUDONYMS["C1"],
                           **({} if device == "one" else {"disclosure": "late", "recipient": "any", "device": "one"}))
            if right == "restricted":
                story.deliver("late", reason="REPEATED", delivery=first.delivery, purpose=CARE)
            else:
                story.now += 2000
                story.line("EXPIRED", disclosure="late", recipient="any", reason="EXPIRED", pseudonym=PSEUDONYMS["C1"])
        return story
    return told


def breach_of(story):
    """The sentences of `possible` alone."""
    return [each for each in breaches(story.finish()) if each.startswith("possible:")]


# By a word of the sentence that each must be found with, so that no other check of the model stands in for it.
RIGHTS = {
    "a delivery after an objection": (against("objected"), "its client is objected to dpv:CustomerCare"),
    "an objection that ends nothing": (against("objected"), "late goes on"),
    "a share after an objection to everything": (against("shared"), "its client is objected"),
    "a share after an erasure": (against("erased"), "its client is erased"),
    "a delivery of what is restricted": (against("restricted"), "its client is restricted"),
    "an expiry of what is restricted": (against("expired"), "ordered to be deleted while it is restricted"),
    "a restriction of which a device is not told": (
        with_line("RESTRICTION_RAISED", pseudonym="01" * 16), "which holds something of kept, is not told"),
    "a restriction told to who holds nothing": (
        with_line("RESTRICTION_RAISED", pseudonym="01" * 16, disclosure="cancelled", recipient="any", device="one"), "holds nothing"),
    "a lifting of no restriction": (with_line("RESTRICTION_LIFTED", pseudonym="03" * 16), "nothing was restricted"),
    "a lifting of no objection": (with_line("OBJECTION_LIFTED", pseudonym="01" * 16, purpose=CARE), "nobody had objected"),
    "an erasure that ends nothing": (with_line("ERASED", pseudonym="01" * 16), "kept goes on"),
    "a deletion that nobody recorded before": (with_line("ERASED", pseudonym="01" * 16, reason="DELETED"), "before the erasure was recorded"),
    "a refusal by a right that nobody has": (
        with_line("REFUSED", recipient="any", reason="RESTRICTED", pseudonym="01" * 16), "its client is not restricted"),
}


@pytest.mark.parametrize("what", RIGHTS)
def test_it_sees_what_a_clients_right_forbids(what):
    story, words = RIGHTS[what]
    found = breach_of(story())
    assert any(words in each for each in found), found
