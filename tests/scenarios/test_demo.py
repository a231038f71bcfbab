import json
import subprocess
import sys
from collections import Counter

import pytest

from relay.domain.ids import INDUSTRIES

KEYS = ["api_id", "industry", "org_code", "method", "path", "status", "rsp_code", "ms", "ok"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    command = [sys.executable, "-m", "relay", "demo", "--json"]
    folder = tmp_path_factory.mktemp("demo")
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def lines(demo):
    return [json.loads(line) for line in demo.stdout.splitlines()]


def test_all_112_calls_are_right(demo, lines):
    wrong = [line for line in lines[:-1] if not line["ok"]]
    assert wrong == []
    assert lines[-1] == {"summary": {"calls": 112, "ok": 112}}
    assert (demo.returncode, demo.stderr) == (0, "")


def test_every_pair_of_industry_and_api_is_called_once(lines):
    pairs = Counter((line["industry"], line["api_id"]) for line in lines[:-1])
    assert set(pairs.values()) == {1}
    assert {industry for industry, _ in pairs} == set(INDUSTRIES)


def test_a_line_holds_no_asset_and_just_these_keys(lines):
    assert all(list(line) == KEYS for line in lines[:-1])
    assert sum("{card_id}" in line["path"] for line in lines[:-1]) == 3
