import json
import subprocess
import sys
from collections import Counter

import pytest
from mydata_sandbox.parties import MEDIATED

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


def test_all_148_calls_are_right(demo, lines):
    wrong = [line for line in lines[:-1] if not line["ok"]]
    assert wrong == []
    assert lines[-1] == {"summary": {"calls": 148, "ok": 148}}
    assert (demo.returncode, demo.stderr) == (0, "")


def test_every_institution_is_called_once_at_each_api(lines):
    pairs = Counter((line["org_code"], line["api_id"]) for line in lines[:-1])
    assert set(pairs.values()) == {1}
    assert {line["industry"] for line in lines[:-1]} == {*INDUSTRIES, ""}


def test_all_91_apis_of_the_standard_appear(lines):
    apis = load_catalogue().apis
    assert len(apis) == 91
    assert {line["api_id"] for line in lines[:-1]} == set(apis)


def test_a_bank_that_speaks_telegrams_answers_its_10_apis(lines):
    savings_bank = MEDIATED["savings_bank"].org_code
    answered = [line["api_id"] for line in lines[:-1] if line["org_code"] == savings_bank and line["ok"]]
    assert answered[-10:] == [f"은행-{number:03}" for number in range(1, 11)]
    assert answered[:-10] == ["정보제공-공통-001", "정보제공-공통-002"]


def test_an_insurer_with_json_of_its_own_answers_its_12_apis(lines):
    insurer = MEDIATED["life_insurer"].org_code
    answered = {line["api_id"] for line in lines[:-1] if line["org_code"] == insurer and line["ok"]}
    assert answered == {*(f"보험-{number:03}" for number in range(1, 13)), "정보제공-공통-001", "정보제공-공통-002"}


def test_support_apis_are_those_without_an_industry(lines):
    support_ids = [line["api_id"] for line in lines[:-1] if not line["industry"]]
    assert support_ids[:3] == ["지원-001", "지원-002", "지원-003"]  # called by the relay itself, first
    assert sorted(support_ids) == sorted(api_id for api_id in load_catalogue().apis if api_id.startswith("지원-"))


def test_a_line_holds_no_asset_and_just_these_keys(lines):
    assert all(list(line) == KEYS for line in lines[:-1])
    assert sum("{card_id}" in line["path"] for line in lines[:-1]) == 3
