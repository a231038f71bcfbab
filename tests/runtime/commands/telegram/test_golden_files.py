import json

import pytest
from fixtures.telegram_core import TELEGRAMS
from mydata_sandbox.checks.conformance import find_strict_violations

from relay.runtime.commands.telegram.golden_files import check_golden, find_golden_files, iter_lines
from relay.runtime.commands.telegram.layouts import open_layouts
from relay.runtime.commands.telegram.telegram_input import parse_hex

FILES = find_golden_files(TELEGRAMS)
CALL = b'{"org_code": "ZBAC000001", "parameters": {"account_num": "110200300400", "seqno": "001"}, '
ANSWERS = {file.name: json.loads(file.with_suffix(".json").read_text()) for file in FILES}


def check(telegrams, name, **options):
    flags = {"write": False, "update": False} | options
    layouts = open_layouts(str(telegrams), telegrams / "none.yaml")
    return check_golden(layouts, telegrams / "golden" / name, **flags)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_golden_files_of_the_example_agree(layouts, file):
    report = check_golden(layouts, file, write=False, update=False)
    assert list(iter_lines(report))[1:] == []
    assert report.is_ok


def test_each_api_of_banks_has_a_golden_file(layouts):
    assert {answer["api"] for answer in ANSWERS.values()} == set(layouts.institution.conversions)


@pytest.mark.parametrize("name", [name for name, answer in ANSWERS.items() if "answer" in answer])
def test_golden_answers_are_true_to_the_standard(layouts, name):
    api = layouts.get(ANSWERS[name]["api"]).api
    assert find_strict_violations(api, ANSWERS[name]["answer"]) == []


def test_the_example_has_errors_empty_answers_and_pages():
    assert ANSWERS["BA02.no-account.telegram"]["rsp_code"] == "40402"
    assert ANSWERS["BA03.unknown-code.telegram"]["rsp_code"] == "50005"
    assert ANSWERS["BA04.empty.telegram"]["answer"]["trans_cnt"] == "0"
    pages = ANSWERS["BA04.two-telegrams.telegram"]
    assert (len(pages["telegrams"]), pages["answer"]["trans_cnt"], pages["next"]) == (
        4, "3", {"key": ["20260131", "000000000009"], "skip": 1},
    )  # fmt: skip
    assert "offset 176" in ANSWERS["BA04.half-hangul.telegram"]["error"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_missing_expectation_is_written_again(telegrams, file):
    expectation = telegrams / "golden" / f"{file.stem}.json"
    expectation.unlink()
    assert "has no " in check(telegrams, file.name).problem
    assert check(telegrams, file.name, write=True).written
    former, written = json.loads(file.with_suffix(".json").read_text()), json.loads(expectation.read_text())
    assert written["telegrams"] == former["telegrams"]
    assert written.get("answer") == former.get("answer")
    assert check(telegrams, file.name).is_ok


def test_raw_bytes_and_responses_alone_are_golden_files(telegrams):
    stream = parse_hex((TELEGRAMS / "golden/BA22.answer.telegram").read_text())
    (telegrams / "golden/new.telegram").write_bytes(stream[217:])
    assert check(telegrams, "new.telegram", write=True).is_ok
    written = json.loads((telegrams / "golden/new.json").read_text())
    assert (written["api"], written["parameters"]) == ("BA22", {"account_num": "110200300400"})
    assert [telegram["message"] for telegram in written["telegrams"]] == ["response"]


def test_a_difference_names_telegram_offset_and_field(telegrams):
    file = telegrams / "golden/BA04.answer.json"
    file.write_text(file.read_text().replace('"balance_amt": "-1500.5"', '"balance_amt": "-1500.6"'))
    lines = list(iter_lines(check(telegrams, "BA04.answer.telegram")))
    assert lines[1:] == [
        '        telegram 2: offset 202: trans_list[0].balance_amt: expected "-1500.6", is "-1500.5"',
        '        telegram 2: offset 202: answer.trans_list[0].balance_amt: expected "-1500.6", is "-1500.5"',
    ]


def test_a_changed_layout_is_found_and_updated(telegrams):
    layout = telegrams / "BA04.yaml"
    layout.write_text(layout.read_text().replace("amount(15,2) sign leading", "amount(15,1) sign leading"))
    report = check(telegrams, "BA04.answer.telegram")
    assert {(each.telegram, each.offset, each.field) for each in report.differences} == {
        (2, 202, "trans_list[0].balance_amt"), (2, 202, "answer.trans_list[0].balance_amt"),
    }  # fmt: skip
    assert check(telegrams, "BA04.answer.telegram", update=True).written
    assert check(telegrams, "BA04.answer.telegram").is_ok


def test_a_changed_code_table_has_the_offset_of_its_field(telegrams):
    layout = telegrams / "BA04.yaml"
    layout.write_text(layout.read_text().replace("'10': '03'", "'10': '02'"))
    lines = list(iter_lines(check(telegrams, "BA04.two-telegrams.telegram")))
    assert lines[1:] == [
        '        telegram 2: offset 172: answer.trans_list[0].trans_type: expected "03", is "02"',
        '        telegram 2: offset 299: answer.trans_list[1].trans_type: expected "03", is "02"',
        '        telegram 4: offset 172: answer.trans_list[2].trans_type: expected "03", is "02"',
    ]


def test_a_request_that_the_relay_does_not_send_is_found(telegrams):
    layout = telegrams / "BA02.yaml"
    layout.write_text(
        layout.read_text().replace("- seqno       an(7)\nresponse", "- seqno       an(7) right\nresponse")
    )
    report = check(telegrams, "BA02.answer.telegram")
    assert [(each.telegram, each.offset, each.field) for each in report.differences] == [(1, 210, "seqno")]


def test_write_accepts_nothing_that_the_test_refuses(telegrams):
    layout = telegrams / "BA02.yaml"
    layout.write_text(
        layout.read_text().replace("- seqno       an(7)\nresponse", "- seqno       an(7) right\nresponse")
    )
    (telegrams / "golden/BA02.answer.json").unlink()
    written = check(telegrams, "BA02.answer.telegram", write=True)
    assert (written.written, written.is_ok) == (True, False)
    assert check(telegrams, "BA02.answer.telegram").differences == written.differences


def test_other_padding_is_found_and_may_be_allowed(telegrams):
    file = telegrams / "golden/BA11.answer.telegram"
    stream = bytearray(parse_hex(file.read_text()))
    start = 217 + 102 + 20 + 12 + 2 + 8  # exp_date of the response
    stream[start : start + 8] = b"0" * 8
    file.write_bytes(bytes(stream))
    report = check(telegrams, "BA11.answer.telegram")
    assert [(each.offset, each.field, each.text) for each in report.differences] == [
        (144, "exp_date", "has other bytes when its value is encoded again")
    ]
    expectation = file.with_suffix(".json")
    expectation.unlink()
    assert check(telegrams, "BA11.answer.telegram", write=True).is_ok
    assert json.loads(expectation.read_text())["same_bytes"] is False
    assert check(telegrams, "BA11.answer.telegram").is_ok


@pytest.mark.parametrize(
    ("telegram", "expectation", "text"),
    [
        (b"", None, "golden"),
        (b"garbage", None, "its API is unknown|length: expected 6 digits"),
        (b"000000", None, "length: expected"),
        (None, b"{", "is no JSON ("),
        (None, b"[]", "is no JSON object"),
        (None, b'{"parameters": {"x": "1"}}', "parameters.x: is no parameter of BA22"),
        (None, b'{"parameters": []}', "parameters: expected: an object of texts"),
        (None, b'{"key": "1"}', "key: expected: a list"),
        (None, CALL + b'"telegrams": 5}', "has 2 telegrams, the JSON file 0"),
        (None, CALL + b'"telegrams": [1, "x"]}', "expected 1, is"),
        (None, b'{"api": 7, "org_code": []}', "org_code: the relay sends another value"),
        (b"\xff" * 17_000_000, None, "is too large"),
    ],
    ids=[
        "empty",
        "garbage",
        "length",
        "json",
        "list",
        "parameter",
        "parameters",
        "key",
        "telegrams",
        "types",
        "call",
        "huge",
    ],
)
def test_a_file_that_cannot_be_run_says_why(telegrams, telegram, expectation, text):
    file = telegrams / "golden/BA22.answer.telegram"
    if telegram is not None:
        file.write_bytes(telegram)
        file.with_suffix(".json").unlink()
    if expectation is not None:
        file.with_suffix(".json").write_bytes(expectation)
    report = check(telegrams, file.name, write=True)
    assert any(part in "\n".join(iter_lines(report)) for part in text.split("|"))
    assert not report.is_ok


def test_more_telegrams_than_the_page_needs_are_a_difference(telegrams):
    file = telegrams / "golden/BA22.answer.telegram"
    file.write_text(file.read_text() * 2)
    report = check(telegrams, file.name)
    assert "comes after the last telegram of the page" in "\n".join(iter_lines(report))
