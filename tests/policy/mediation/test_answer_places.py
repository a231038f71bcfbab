import pytest

from relay.policy.mediation.answer_places import find_place
from relay.policy.mediation.telegram_reading import read_telegram

USES = {
    ("more",): ["more rows if Y"],
    ("trans_list",): ["trans_list"],
    ("trans_list", "kind"): ["trans_list[].trans_type by code table"],
    ("trans_list", "tran_date"): ["trans_list[].trans_dtime"],
    ("account_num",): ["account"],
}
ROW = {
    "tran_date": "20260131", "tran_time": "235959", "trans_no": "12", "kind": "10", "trans_class": "급여",
    "currency_code": "KRW", "trans_amt": "1", "balance_amt": "1",
}  # fmt: skip


@pytest.fixture
def telegrams(core, institution):
    """Two responses of two rows and one row."""
    bank = core("BA04", {"account_num": "110", "from_date": "20260101", "to_date": "20260131"})
    pages = [bank.respond({"trans_list": [ROW] * count}) for count in (2, 1)]
    return [read_telegram(institution.link, list(institution.conversions.values()), data) for data in pages]


@pytest.mark.parametrize(
    ("member", "place"),
    [
        ("trans_list[0].trans_type", (1, 172)),
        ("trans_list[1].trans_type", (1, 299)),
        ("trans_list[2].trans_dtime", (2, 146)),
        ("account", (1, 102)),
        ("trans_list[3].trans_type", (0, -1)),
        ("trans_list[0].int_list[0].rate", (0, -1)),
        ("currency_code", (0, -1)),
    ],
)
def test_a_member_has_the_place_of_its_field(telegrams, member, place):
    assert find_place(member, USES, telegrams) == place
