import json

import pytest
from fixtures.telegram_core import TELEGRAMS

from relay.runtime.commands.telegram.telegram_input import parse_hex

GOLDEN = TELEGRAMS / "golden"


def test_a_request_and_a_response_are_decoded(run):
    answer = run("decode", TELEGRAMS, GOLDEN / "BA04.answer.telegram")
    assert answer.exit_code == 0
    assert "BA04 request: 256 bytes" in answer.output
    assert "answer: 200, rsp_code 00000 (core 0000)" in answer.output
    assert '"trans_cnt": "2"' in answer.output


def test_values_of_customers_are_masked(run):
    masked = run("decode", TELEGRAMS, GOLDEN / "BA04.answer.telegram").output
    shown = run("decode", TELEGRAMS, GOLDEN / "BA04.answer.telegram", "--unmasked").output
    for value in ("110200300400", "3100000", "급여", "한빛"):
        assert value not in masked
        assert value in shown
    assert "0000" in masked
    assert max(map(len, masked.splitlines())) <= 80


def test_json_has_each_field_with_its_place(run):
    shown = json.loads(run("decode", TELEGRAMS, GOLDEN / "BA03.answer.telegram", "--json", "--unmasked").output)
    fields = {field["name"]: field for field in shown[1]["fields"]}
    assert fields["balances[0].balance"] == {
        "offset": 127, "length": 8, "type": "packed(8,2)", "name": "balances[0].balance",
        "value": "-1200000.25", "raw": "000000120000025d",
    }  # fmt: skip
    assert shown[1]["answer"]["body"]["detail_list"][0]["balance_amt"] == "-1200000.25"
    masked = json.loads(run("decode", TELEGRAMS, GOLDEN / "BA03.answer.telegram", "--json").output)
    assert not any("raw" in field for field in masked[1]["fields"])
    assert "1200000" not in json.dumps(masked)


def test_an_error_has_the_exact_place_and_the_fields_before_it(run):
    answer = run("decode", TELEGRAMS, GOLDEN / "BA04.half-hangul.telegram")
    assert answer.exit_code == 1
    assert (
        answer.stderr == "BA04 response: offset 176: trans_list[0].trans_class: expected a whole character of EUC-KR\n"
    )
    assert "row_count" in answer.stdout


def test_a_telegram_of_line_management_is_decoded(run):
    encoded = run("encode", TELEGRAMS, "--line", "test").output
    answer = run("decode", TELEGRAMS, "-", input=encoded)
    assert (answer.exit_code, answer.output.splitlines()[0]) == (0, "line management, test: 122 bytes")


def test_a_failure_of_the_core_is_decoded(run):
    answer = run("decode", TELEGRAMS, GOLDEN / "BA02.no-account.telegram")
    assert (answer.exit_code, "answer: 404, rsp_code 40402 (core 1001)" in answer.output) == (0, True)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda data: data[:-5], "5 more bytes, as the length says; the input has"),
        (lambda data: data[6:], "length: expected 6 digits"),
        (lambda data: data[:3], "expected 6 bytes, of which 3 are there"),
        (lambda data: data[:10] + b"Z999" + data[14:], "no layout has the message type '0200' with the transaction"),
        (lambda data: data[:6] + b"    " + data[10:], "no layout has the message type ''"),
        (lambda data: data[:14] + b"088" + data[17:], "offset 14: bank_code: expected the constant of the layout"),
    ],
    ids=["short", "headless", "cut", "code", "kind", "constant"],
)
def test_a_telegram_that_is_none_is_explained(run, tmp_path, change, text):
    stream = parse_hex((GOLDEN / "BA04.answer.telegram").read_text())
    (tmp_path / "request.bin").write_bytes(change(stream[:256]))
    answer = run("decode", TELEGRAMS, tmp_path / "request.bin", "--form", "raw")
    assert answer.exit_code == 1
    assert text in answer.stderr


def test_another_api_than_that_of_the_code_is_an_error(run):
    answer = run("decode", TELEGRAMS, GOLDEN / "BA04.answer.telegram", "--api", "BA02", "--response")
    assert (answer.exit_code, "tran_code: expected the $code of the request" in answer.stderr) == (1, True)


def test_binary_garbage_gives_an_error(run, tmp_path):
    (tmp_path / "garbage").write_bytes(bytes(range(256)) * 10)
    answer = run("decode", TELEGRAMS, tmp_path / "garbage")
    assert (answer.exit_code, "frame: offset 0: length: expected 6 digits" in answer.stderr) == (1, True)


def test_a_header_without_transaction_code_needs_the_api(run, telegrams):
    link = telegrams / "link.yaml"
    link.write_text(link.read_text().replace("tran_code an(4)  = $code", "tran_code an(4)"))
    answer = run("decode", telegrams, GOLDEN / "BA22.answer.telegram")
    assert (answer.exit_code, "--api: is missing" in answer.stderr) == (2, True)
    assert run("decode", telegrams, GOLDEN / "BA22.answer.telegram", "--api", "BA22").exit_code == 0


def test_a_response_code_without_row_is_a_note(run):
    answer = run("decode", TELEGRAMS, GOLDEN / "BA03.unknown-code.telegram")
    assert "note: response code 7777 has no row in response_code.codes: it becomes 50005" in answer.output
