from pathlib import Path

import pytest
from mydata_sandbox.commands.demo_output import WIDTH, describe_next_steps, fold_path, print_calls
from mydata_sandbox.operator.client import Call
from rich.cells import cell_len
from rich.console import Console

from relay.domain.ids import INDUSTRIES
from relay.standard.catalogue import load_catalogue


def output_of(calls, width=WIDTH):
    console = Console(width=width)
    with console.capture() as captured:
        print_calls(console, calls)
    return captured.get().splitlines()


def words(lines):
    return [line.split() for line in lines]


def test_calls_are_listed_below_their_parties():
    lines = output_of(
        [
            Call("지원-001", "", "ZPTL000001", "POST", "/mgmts/oauth/2.0/token", 200, ok=True),
            Call("통합인증-002", "card", "ZCDA000001", "POST", "/oauth/2.0/token", 200, ok=True),
            Call("은행-001", "bank", "ZBAA000001", "GET", "/v1/bank/accounts", 200, "00000", 1.25, ok=True),
            Call("지원-006", "", "ZPTL000001", "GET", "/v1/mgmts/orgs_for_ca", 200, "00000", ok=True),
        ]
    )
    assert words(lines) == [
        ["가상종합포털", "ZPTL000001:", "support", "APIs,", "called", "and", "served", "2", "of", "2", "ok"],
        ["지원-001", "POST", "/mgmts/oauth/2.0/token", "200", "0.0", "ok"],
        ["지원-006", "GET", "/v1/mgmts/orgs_for_ca", "200", "00000", "0.0", "ok"],
        [],
        ["가상중계센터", "ZRLA000001:", "authority", "of", "the", "relay", "1", "of", "1", "ok"],
        ["통합인증-002", "POST", "/oauth/2.0/token", "200", "0.0", "ok"],
        [],
        ["가온상호저축은행", "ZBAA000001:", "bank", "1", "of", "1", "ok"],
        ["은행-001", "GET", "/v1/bank/accounts", "200", "00000", "1.2", "ok"],
        [],
    ]


def test_a_mediated_institution_has_its_language_in_the_heading():
    heading, *_ = output_of([Call("은행-001", "bank", "ZBAD000001", "GET", "/v1/bank/accounts", 200, "00000", ok=True)])
    assert heading.split("  ")[0] == "여울저축은행 ZBAD000001: bank, speaks telegrams (전문)"


def test_a_failed_call_has_its_reasons_below():
    call = Call("카드-002", "card", "ZCDA000001", "GET", "/v1/card/cards/{card_id}", 404, "40402", why=["no such card"])
    heading, line, reason, _ = words(output_of([call]))
    assert heading[-4:] == ["0", "of", "1", "ok"]
    assert line == ["카드-002", "GET", "/v1/card/cards/{card_id}", "404", "40402", "0.0", "no"]
    assert reason == ["no", "such", "card"]


@pytest.mark.parametrize("width", [WIDTH, 200])
def test_no_line_has_more_than_80_columns(width):
    catalogue = load_catalogue()
    calls = [
        Call(api.api_id, industry, "", api.method, api.path_for(industry), 200, "00000", 12345.6, why=["word " * 30])
        for industry in INDUSTRIES
        for api in catalogue.iter_apis(industry)
    ]
    lines = output_of(calls, width)
    assert [line for line in lines if cell_len(line) > WIDTH] == []


@pytest.mark.parametrize("width", [79, 60, 40, 20])
def test_a_narrow_terminal_shows_path_and_verdict(width):
    path = "/v1/bank/accounts/deposit/transactions"
    lines = output_of([Call("은행-004", "bank", "ZBAA000001", "POST", path, 200, "00000", 12.5, ok=True)], width)
    (line,) = [line for line in lines if "은행-004" in line]
    assert line.split()[-4:] == ["200", "00000", "12.5", "ok"]
    assert path in "".join(word for line in lines for word in line.split() if word.startswith("/"))
    assert width < 58 or max(map(cell_len, lines)) <= width


def test_a_call_that_was_not_made_has_no_status():
    call = Call("은행-001", "bank", "ZBAA000001", "GET", "/v1/bank/accounts", why=["not called: no token"])
    _, line, reason, _ = words(output_of([call]))
    assert line[3:] == ["-", "0.0", "no"]
    assert reason == ["not", "called:", "no", "token"]


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("/v1/bank", ["/v1/bank"]),
        ("/v1/card/cards/id/approval", ["/v1/card/cards", "/id/approval"]),
        ("/" + "x" * 30, ["/" + "x" * 14, "x" * 15, "x"]),
    ],
)
def test_long_paths_are_broken_before_a_slash(path, lines):
    assert fold_path(path, 15) == lines


def test_the_next_steps_name_pages_that_exist():
    root = Path(__file__).parents[3]
    steps = describe_next_steps(has_relay=False, in_clone=True)
    pages = [word for word in steps.split() if word.startswith("docs/")]
    assert len(pages) == 3
    assert [page for page in pages if not (root / page).is_file()] == []


@pytest.mark.parametrize("has_relay", [True, False])
@pytest.mark.parametrize("in_clone", [True, False])
def test_the_next_steps_fit_the_demo_and_80_columns(has_relay, in_clone):
    steps = describe_next_steps(has_relay=has_relay, in_clone=in_clone)
    assert ("docs/" in steps, "make sandbox" in steps) == (in_clone, in_clone and not has_relay)
    assert ("demo --relay" in steps, "run --relay" in steps) == (not has_relay, has_relay)
    assert max(map(len, steps.splitlines())) <= WIDTH
