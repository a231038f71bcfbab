"""Stalls are measured for every cause, and printed in 80 columns."""

import json

import pytest
import stalls
from harness.stall_causes import CAUSES

SIZES = {"collection": 200, "first_seen": 12, "known": 12, "reload": 2, "registry": 100}
ROUND = {"stall_ms": 12.5, "busy_ms": 1.25, "collected_ms": 0.5}


def build_result(cause="first_seen", **changes):
    return {"cause": cause, "size": 1000, "rounds": [ROUND, ROUND | changes, ROUND], "successes": 1000}


def check_cause(cause):
    result = stalls.run_cause(cause, 1, SIZES.get(cause, 300))
    (figures,) = result["rounds"]
    assert figures["stall_ms"] >= 0
    assert figures["busy_ms"] > 0
    assert result["rss_mb"] > 10
    return result


def test_a_burst_of_new_tokens_is_measured_and_answered():
    assert check_cause("first_seen")["successes"] == SIZES["first_seen"]


@pytest.mark.full
@pytest.mark.parametrize("cause", [cause for cause in CAUSES if cause != "first_seen"])
def test_every_cause_is_measured(cause):
    result = check_cause(cause)
    if cause == "collection":
        assert result["tokens"] == SIZES[cause]


def test_one_disturbed_round_does_not_count():
    assert stalls.summarize(build_result(stall_ms=900.0)) == ROUND


@pytest.mark.parametrize("has_before", [False, True])
def test_the_table_has_80_columns(has_before):
    results = [build_result(cause) for cause in CAUSES]
    before = {cause: build_result(cause, stall_ms=1.0) for cause in CAUSES} if has_before else {}
    table = stalls.format_table(results, before)
    assert max(map(len, table.splitlines())) <= 80
    assert ("12>12.5" in table) == has_before


def test_the_output_can_be_compared_later(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(stalls, "run_cause", lambda cause, _, size: build_result(cause) | {"size": size})
    assert stalls.main(["--json", "--only", "scrape", "--size", "7"]) == 0
    file = tmp_path / "before.json"
    file.write_text(capsys.readouterr().out)
    assert json.loads(file.read_text())[0]["size"] == 7
    assert stalls.main(["--only", "scrape", "--before", str(file)]) == 0
    assert "12>12.5" in capsys.readouterr().out
