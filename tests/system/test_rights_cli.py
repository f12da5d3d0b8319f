"""`needtoknow rights`: what the privacy desk types, and what it sends the client: text, JSON, CSV, a page."""

import csv
import io
import json
import os
import stat
import time

import pytest

from needtoknow_testing import ledger, protos
from needtoknow_testing.cli import Cli, as_json
from needtoknow_testing.page import Page
from needtoknow_testing.refusal import refused
from needtoknow_testing.rights import record

rights = protos.rights
ASKED = ("--channel", "letter", "--received", "-1m")
MARKUP = "<b onclick=\"x()\">Ninon</b> & =fille"
PHONE = "06 99 01 02 03"


@pytest.fixture
def desk(world):
    return Cli(world.sandbox, "rights")


def columns_file(directory, **changes):
    columns = {"client.given_name": MARKUP, "client.family_name": "Sentinelle", "client.phone": PHONE,
               "client.email": f"n{time.time_ns()}@courriel.example", "client.home_address": "3, rue Neuve, 44000 Nantes",
               "client.door_code": "A12, \"B\""}
    columns.update(changes)
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(["column", "value"])
    writer.writerows(columns.items())
    path = directory / "client.csv"
    path.write_text(out.getvalue())
    return path, columns


@pytest.fixture
def client(desk, tmp_path):
    """Registered from a file; the number and what was written."""
    path, columns = columns_file(tmp_path)
    answer = json.loads(desk.text("rights", "register", "--columns", str(path), "--origin", "direct", "--notice", "2026-05", *ASKED, "--json"))
    assert answer["request_id"] and answer["receipt"]["ledger_index"] >= 0 and answer["carried_over"] == []
    return answer["subject_id"], columns


def test_art20_the_record_is_machine_readable(world, desk, client):
    """The JSON is the contract's message, field by field; the CSV has the same columns."""
    subject, columns = client
    found = json.loads(desk.text("rights", "record", subject, *ASKED, "--format", "json"))
    values = {each["column"]: each["value"] for each in found["columns"]}
    assert {name: values[name] for name in columns} == columns
    assert {each["origin"] for each in found["columns"] if each["column"] in columns} == {"DIRECT"}
    assert found["subject_id"] == subject and found["notice"]["version"] == "2026-05"
    # Nothing was ever shared of them; who answers for it is said all the same (art. 13(1)(a), (b)).
    assert found["report"] is None and found["controller"].startswith("Maison Claire")
    assert found["data_protection_officer"] == "dpo@maison-claire.example"
    _, answer = record(world, subject)
    expected = as_json(answer)
    for name in ("columns", "notice", "notifications"):
        assert found[name] == expected[name], name
    assert set(found) == {*expected, "subject_id", "request_id"}
    table = desk.table("rights", "record", subject, *ASKED)
    assert [row["column"] for row in table] == [each["column"] for each in found["columns"]]
    assert {row["column"]: row["held"] for row in table} == {each["column"]: str(each["held"]).lower() for each in found["columns"]}


@pytest.mark.parametrize("language, title", [("fr", "Les données personnelles que nous détenons sur vous"),
                                             ("en", "The personal data that we have about you")])
def test_art15_the_page_says_it_word_for_word(world, desk, client, tmp_path, language, title):
    subject, columns = client
    out = tmp_path / "page.html"
    desk.run("rights", "record", subject, *ASKED, "--format", "html", "--language", language, "--out", str(out))
    assert stat.S_IMODE(os.stat(out).st_mode) == 0o600
    source = out.read_text()
    assert "<b onclick" not in source and "{1}" not in source
    page = Page(source)
    assert page.language == language and page.headings[0] == (1, title)
    cells = [row[1]["text"].strip() for row in page.grid(0)]
    assert all(value in cells for value in columns.values()), cells
    assert subject in page.text and "dpo@maison-claire.example" in page.text


def test_art16_a_value_is_rectified_from_standard_input(world, desk, client):
    subject, _ = client
    words = ("rights", "rectify", subject, "--column", "client.phone", *ASKED)
    assert b"Rectified" in desk.run(*words, "--value-file", "-", input=b"07 99 04 05 06\n").stdout
    assert b"so already" in desk.run(*words, "--value-file", "-", input=b"07 99 04 05 06").stdout
    text = desk.text("rights", "record", subject, *ASKED)
    assert "07 99 04 05 06" in text and PHONE not in text
    assert b"UNKNOWN_COLUMN" in desk.run("rights", "rectify", subject, "--column", "client.shoes", *ASKED, "--null", code=2).stderr


def test_art21_an_objection_is_raised_and_lifted(world, desk):
    person = world.person()
    words = ("rights", "object", person.subject_id, "--purpose", "dpv:DirectMarketing", *ASKED)
    assert "art. 21(2)" in desk.text(*words) or "art. 7(3)" in desk.text(*words)
    assert desk.run(*words, "--lift").stderr == b""
    assert b"NOT_OBJECTED" in desk.run(*words, "--lift", code=1).stderr
    assert b"UNKNOWN_PURPOSE" in desk.run("rights", "object", person.subject_id, "--purpose", "dpv:Nonsense", *ASKED, code=1).stderr


def test_art18_a_restriction_is_raised_and_lifted(world, desk):
    person, recipient = world.person(), world.recipient()
    words = ("rights", "restrict", person.subject_id, *ASKED)
    with recipient.receive() as stream:
        shared = world.share(person, recipient)
        stream.acknowledge(stream.delivery(shared.disclosure_id))
        said = desk.text(*words, "--reason", "the address is contested")
        assert shared.disclosure_id in said and "1 devices are told to keep" in said
        told = stream.wait(lambda event: event.HasField("restriction"), what="Restriction").restriction
        assert (told.disclosure_id, told.lifted) == (shared.disclosure_id, False)
        with refused("FAILED_PRECONDITION", "RESTRICTED"):
            recipient.fetch(shared.disclosure_id)
        lifted = json.loads(desk.text(*words, "--lift", "--json"))
        assert [each["disclosure_id"] for each in lifted["disclosures"]] == [shared.disclosure_id]
        assert len(lifted["receipts"]) == 2, "the client's entry, and the device's"
        stream.wait(lambda event: event.HasField("restriction") and event.restriction.lifted, what="its lifting")
    assert recipient.fetch(shared.disclosure_id)
    assert b"NOT_RESTRICTED" in desk.run(*words, "--lift", code=1).stderr


def test_art17_a_dry_run_says_what_an_erasure_would_do_and_does_nothing(world, desk):
    person, recipient = world.person(), world.recipient()
    shared = world.share(person, recipient)
    entries = ledger.size(world.sandbox)
    words = ("rights", "erase", person.subject_id, *ASKED, "--cancel-bookings")
    said = desk.text(*words, "--dry-run")
    assert "Nothing was changed." in said and shared.disclosure_id in said
    foreseen = json.loads(desk.text(*words, "--dry-run", "--json"))
    outcomes = {each["column"]: each["outcome"] for each in foreseen["columns"]}
    assert outcomes["client.door_code"] == "ERASED" and outcomes["client.invoice_identity"] == "HELD"
    assert foreseen["receipt"] is None and [each["disclosure_id"] for each in foreseen["withdrawn"]] == [shared.disclosure_id]
    assert [ledger.kind_name(entry) for _, entry in ledger.entries(world.sandbox, entries)] == []
    assert desk.table("rights", "list", "--subject", person.subject_id) == []
    assert person.fields["client.door_code"] in desk.text("rights", "record", person.subject_id, *ASKED)
    assert [delivery.disclosure_id for delivery in recipient.fetch(shared.disclosure_id)] == [shared.disclosure_id]
    # What it foresaw is what it does.
    done = json.loads(desk.text(*words, "--json"))
    assert {each["column"]: each["outcome"] for each in done["columns"]} == outcomes and done["receipt"]
    assert [each["disclosure_id"] for each in done["withdrawn"]] == [shared.disclosure_id]


def test_art12_an_open_request_is_extended_by_two_months(world, desk):
    """An objection under art. 21(1), that the company has still to weigh."""
    person = world.person()
    desk.text("rights", "object", person.subject_id, "--purpose", "dpv:CustomerCare", *ASKED)
    (line,) = desk.lines("rights", "list", "--subject", person.subject_id, "--open")
    assert (line["kind"], line["state"], line["extended_because"]) == ("OBJECT", "OPEN", "")
    said = desk.text("rights", "extend", line["request_id"], "--reason", "there are many")
    (extended,) = desk.lines("rights", "list", "--subject", person.subject_id, "--open")
    assert extended["extended_because"] == "there are many" and extended["due_at"][:10] in said
    months = [int(extended["due_at"][:4]) * 12 + int(extended["due_at"][5:7]), int(line["due_at"][:4]) * 12 + int(line["due_at"][5:7])]
    assert months[0] - months[1] == 2
    assert b"ALREADY_EXTENDED" in desk.run("rights", "extend", line["request_id"], "--reason", "once more", code=1).stderr


def test_art12_requests_are_listed_and_extended(world, desk, client):
    subject, _ = client
    (line,) = desk.lines("rights", "list", "--subject", subject)
    assert (line["kind"], line["state"], line["channel"], line["subject_id"]) == ("REGISTER", "ANSWERED", "LETTER", subject)
    assert [row["request_id"] for row in desk.table("rights", "list", "--subject", subject)] == [line["request_id"]]
    assert subject in desk.text("rights", "list", "--subject", subject)
    assert desk.lines("rights", "list", "--subject", subject, "--open") == []
    said = desk.run("rights", "extend", line["request_id"], "--reason", "paper files", code=1).stderr
    assert b"ALREADY_ANSWERED" in said
    assert b"UNKNOWN_REQUEST" in desk.run("rights", "extend", "nothing-of-ours", "--reason", "paper files", code=1).stderr


def test_what_is_wrong_is_said_before_anything_is_asked(world, desk, tmp_path):
    assert b"--channel" in desk.run("rights", "object", "C1", code=2).stderr
    assert b"none of account" in desk.run("rights", "restrict", "C1", "--channel", "pigeon", code=2).stderr
    assert b"--overridden goes with --lift" in desk.run("rights", "object", "C1", *ASKED, "--overridden", code=2).stderr
    assert b"--value-file" in desk.run("rights", "rectify", "C1", *ASKED, "--column", "client.phone", code=2).stderr
    path = tmp_path / "bad.csv"
    path.write_text("column,value\nclient.phone,1,2\n")
    register = ("rights", "register", "--columns", str(path), "--origin", "website", "--notice", "1", *ASKED)
    assert b"bad.csv:2: it has not two cells" in desk.run(*register, code=2).stderr
    assert b"UNKNOWN_SUBJECT" in desk.run("rights", "record", "nobody-here", *ASKED, code=1).stderr
    assert b"ROLE_NOT_ALLOWED" in Cli(world.sandbox, "booking").run("rights", "list", code=5).stderr
