from datetime import datetime

import pytest

from relay.domain.authorization.tx_id import TxId, parse_tx_id
from relay.domain.korea import KOREA

TEXT = "MD_ZOPA000001_ZBAA000001_ZRLA000001_ZCAA000001_20270115170000_00000000000A"
MADE_AT = int(datetime(2027, 1, 15, 17, tzinfo=KOREA).timestamp())


def test_a_tx_id_has_its_parties_and_time():
    tx_id = TxId("ZOPA000001", "ZBAA000001", "ZRLA000001", "ZCAA000001", MADE_AT, "00000000000A")
    assert parse_tx_id(TEXT) == tx_id
    assert str(tx_id) == TEXT
    assert len(TEXT) == 74


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT[:-1],
        TEXT + "0",
        TEXT + "\n",
        "md" + TEXT[2:],
        TEXT.replace("ZBAA000001", "ZBAA00000"),
        TEXT.replace("ZBAA000001", "ZBAA00000_"),
        TEXT.replace("_2027", "-2027"),
        TEXT.replace("20270115170000", "20270230170000"),
        TEXT.replace("20270115170000", "20270115240000"),
        TEXT.replace("20270115170000", "20270115175960"),
        TEXT.replace("20270115170000", "00000115170000"),
        TEXT.replace("20270115170000", "２０２７0115170000"),
        TEXT.replace("00000000000A", "00000000000가"),
    ],
)
def test_another_form_or_an_impossible_time_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the message for a wrong time is strptime's
        parse_tx_id(text)
