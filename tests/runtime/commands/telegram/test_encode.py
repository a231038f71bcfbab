import json

import pytest
from fixtures.telegram_core import TELEGRAMS

from relay.runtime.commands.telegram.telegram_input import parse_hex

BA02 = ("account_num=110200300400", "seqno=001")


def test_a_request_is_encoded_from_parameters(run):
    answer = run("encode", TELEGRAMS / "BA02.yaml", *BA02, "--number", "42", "--now", "20270115170000")
    assert parse_hex(answer.output) == (
        b"0002110200A002099ZBAC00000120270115170000000000000042"
        + b" " * 49
        + b"C" * 88
        + b"110200300400        001    "
    )


def test_a_later_request_has_the_continuation_key(run):
    values = ["account_num=1", "from_date=20260101", "to_date=20260131", "rows=20", "page=next"]
    answer = run("encode", TELEGRAMS, "BA04", *values, "key.next_date=20260102", "key.next_no=12")
    assert parse_hex(answer.output)[-23:] == b"20260102000000000012020"


def test_a_response_is_encoded_from_json(run, tmp_path):
    rows = [{"currency": "KRW", "balance": "-1.25", "available": "2", "rate": "3"}]
    (tmp_path / "values.json").write_text(json.dumps({"account_num": "110", "balances": rows}))
    answer = run("encode", TELEGRAMS, "BA03", "--response", "--values", tmp_path / "values.json")
    decoded = json.loads(run("decode", TELEGRAMS, "-", "--json", "--unmasked", input=answer.output).output)
    assert decoded[0]["answer"]["body"]["detail_list"][0]["balance_amt"] == "-1.25"


def test_raw_bytes_are_written_to_a_file(run, tmp_path):
    answer = run("encode", TELEGRAMS, "BA02", *BA02, "-o", tmp_path / "request.bin")
    assert answer.output == f"{tmp_path / 'request.bin'}: 217 bytes\n"
    assert (tmp_path / "request.bin").read_bytes()[:10] == b"0002110200"
    assert (tmp_path / "request.bin").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["BA02", "account_num=" + "1" * 21], 1, "offset 190: account_num: expected at most 20 characters"),
        (["BA02", "account=1"], 2, "account: no parameter of BA02; expected: account_num"),
        (["BA04", "account_num=1", "from_date=2026"], 1, "from_date: expected a date, YYYYMMDD"),
        (["BA02", "--response", "nothing=1"], 2, "nothing: no field of the response of BA02"),
        (["account_num=1"], 2, "the API is missing; expected: one of BA01"),
        (["BA02", *BA02, "-o", "/nowhere/file"], 2, "/nowhere/file: cannot be written"),
        (["BA02", *BA02, "--now", "x"], 2, "x: is no time"),
    ],
)
def test_values_that_do_not_fit_are_named(run, arguments, code, text):
    answer = run("encode", TELEGRAMS, *arguments)
    assert (answer.exit_code, answer.stdout) == (code, "")
    assert text in answer.stderr


@pytest.mark.parametrize("rows", [["x"], [{"balance": None}], {"a": 1}])
def test_rows_of_another_form_are_named(run, tmp_path, rows):
    (tmp_path / "values.json").write_text(json.dumps({"balances": rows}))
    answer = run("encode", TELEGRAMS, "BA03", "--response", "--values", tmp_path / "values.json")
    assert (answer.exit_code, "expected: " in answer.stderr) == (2, True)


def test_a_link_without_line_management_says_so(run, telegrams):
    link = telegrams / "link.yaml"
    link.write_text(link.read_text().partition("management:")[0])
    answer = run("encode", telegrams, "--line", "start")
    assert (answer.exit_code, "line management has no start in link.yaml" in answer.stderr) == (2, True)
