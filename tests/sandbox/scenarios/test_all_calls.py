import json
import subprocess
import sys
from collections import Counter

import pytest

from relay.domain.ids import INDUSTRIES
from relay.standard.catalogue import load_catalogue

KEYS = ["api_id", "industry", "org_code", "method", "path", "status", "rsp_code", "ms", "ok"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    command = [sys.executable, "-m", "mydata_sandbox", "demo", "--json"]
    folder = tmp_path_factory.mktemp("demo")
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def lines(demo):
    return [json.loads(line) for line in demo.stdout.splitlines()]


def test_all_122_calls_are_right(demo, lines):
    wrong = [line for line in lines[:-1] if not line["ok"]]
    assert wrong == []
    assert lines[-1] == {"summary": {"calls": 122, "ok": 122}}
    assert (demo.returncode, demo.stderr) == (0, "")


def test_every_pair_of_industry_and_api_is_called_once(lines):
    pairs = Counter((line["industry"], line["api_id"]) for line in lines[:-1])
    assert set(pairs.values()) == {1}
    assert {industry for industry, _ in pairs} == {*INDUSTRIES, ""}


def test_all_91_apis_of_the_standard_appear(lines):
    apis = load_catalogue().apis
    assert len(apis) == 91
    assert {line["api_id"] for line in lines[:-1]} == set(apis)


def test_support_apis_are_those_without_an_industry(lines):
    support_ids = [line["api_id"] for line in lines[:-1] if not line["industry"]]
    assert support_ids[:3] == ["지원-001", "지원-002", "지원-003"]  # called by the relay itself, first
    assert sorted(support_ids) == sorted(api_id for api_id in load_catalogue().apis if api_id.startswith("지원-"))


def test_a_line_holds_no_asset_and_just_these_keys(lines):
    assert all(list(line) == KEYS for line in lines[:-1])
    assert sum("{card_id}" in line["path"] for line in lines[:-1]) == 3
