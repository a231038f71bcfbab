import json

import pytest
from fixtures.telegram_core import TELEGRAMS

from relay.policy.mediation.link import Link
from relay.policy.mediation.settings import TelegramLink
from relay.policy.mediation.telegram.framing import Framing, FramingSettings
from relay.policy.mediation.telegram.plan import MessagePlan
from relay.runtime.commands.telegram.show import describe_framing


def find_line(output, name):
    return next(line.split(None, 4) for line in output.splitlines() if f" {name} " in line)


def test_a_layout_has_offsets_and_sources(run):
    answer = run("show", TELEGRAMS / "BA04.yaml")
    request, response = answer.output.split("\nresponse: ")
    assert answer.exit_code == 0
    assert find_line(request, "account_num") == ["190", "20", "an(20)", "account_num", "parameter account_num"]
    assert find_line(request, "bank_code")[4] == "constant 099"
    assert find_line(response, "tran_date") == ["+0", "8", "date(8)", "tran_date", "trans_list[].trans_dtime"]
    assert find_line(response, "row_count")[4] == "number of rows of trans_list"
    assert find_line(response, "resp_code")[4] == "rsp_code"


@pytest.mark.parametrize("api", ["BA01", "BA02", "BA03", "BA04", "BA12", "BA23"])
def test_tables_fit_80_columns(run, api):
    answer = run("show", TELEGRAMS, api)
    assert (answer.exit_code, max(map(len, answer.output.splitlines())) <= 80) == (0, True)


def test_a_folder_shows_the_link_and_its_apis(run):
    output = run("show", TELEGRAMS).output
    assert "charset EUC-KR; 6 digits at offset 0 count the bytes after them" in output
    assert "line management: 0800, answer 0810; mgmt_code: start 001, test 301, end 002" in output
    assert "BA23  A023      256     13095  대출상품계좌 거래내역 조회" in output


def test_machines_get_the_same_as_json(run):
    shown = json.loads(run("show", TELEGRAMS, "BA02", "--json").output)
    rows = {row["name"]: row for row in shown["response"]}
    assert rows["commit_amt"] == {
        "depth": 1, "offset": 21, "length": 15, "type": "zoned(15,2)", "name": "commit_amt",
        "use": "basic_list[].commit_amt", "note": "zero blank",
    }  # fmt: skip
    link = json.loads(run("show", TELEGRAMS, "--json").output)
    assert [api["api"] for api in link["apis"]][:2] == ["BA01", "BA02"]
    assert link["header"][3]["use"] == "099"


def test_a_framing_is_described_in_words():
    framing = FramingSettings(length=2, encoding="binary", offset=4, counts="all", add=-4)
    values = {"framing": framing.model_dump(), "header": ("a an(1)",), "response_code": {"field": "a", "codes": {}}}
    link = Link(TelegramLink.model_validate(values), Framing(framing, 1), MessagePlan((), ()), None, {})
    assert describe_framing(link) == "2 bytes (binary) at offset 4 count all bytes of the telegram, and 4 more"
