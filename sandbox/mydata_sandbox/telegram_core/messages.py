"""The telegrams of the core, one entry for each API: the bank's own specification.

A telegram begins with the header. Rows follow the fields of a response, those of a list in its order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mydata_sandbox.telegram_core.formats import (
    Format,
    binary,
    day,
    digits,
    moment,
    packed,
    signed,
    text,
    yes_no,
    zoned,
)

Fields = Mapping[str, Format]

LENGTH: Final = 4
"""Digits before each telegram: the bytes of the whole telegram, these included."""

HEADER: Final[Fields] = {
    "tran_code": text(6),
    "msg_type": text(4),
    "bank_code": text(3),
    "org_code": text(10),
    "unique_no": text(10),
    "sent_at": moment(),
    "resp_code": text(3),
    "filler": text(6),
}
LINE: Final[Fields] = {"mgmt_code": text(4)}
REQUEST, RESPONSE, LINE_REQUEST, LINE_RESPONSE = "0200", "0210", "0800", "0810"
BANK_CODE: Final = "097"
OK, NO_ROWS, BROKEN = "000", "001", "900"
RESPONSE_CODES: Final = {"40402": "101", "40403": "102", "40001": "103"}
"""The core's response code of each rsp_code of the standard; all others are `BROKEN`."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A list of rows, named like the standard's list: counted by `count`, or a fixed number of rows (`times`).

    `inner` is a counted list in each row. `page` is the most rows of a telegram of a list that is continued.
    """

    name: str
    fields: Fields
    count: Format | None = None
    times: int = 0
    page: int = 0
    inner: "Rows | None" = None


@dataclass(frozen=True, slots=True)
class Message:
    """Request and response of an API. `codes` are the core's codes for values of the standard, by field."""

    api_id: str
    request: Fields
    response: Fields = field(default_factory=dict)
    rows: Rows | None = None
    codes: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)


_CUSTOMER: Final[Fields] = {"ci": text(88)}
_ACCOUNT: Final[Fields] = {**_CUSTOMER, "account_num": text(20), "seqno": text(7)}
_PAGE: Final[Fields] = {"next_no": text(6), "row_limit": text(3)}
_PERIOD: Final[Fields] = {"from_date": text(8), "to_date": text(8), **_PAGE}
_OWN: Final[Fields] = {"account_num": text(20)}

MESSAGES: Final = {
    "ACLIST": Message(
        "은행-001",
        {**_CUSTOMER, **_PAGE},
        {"ci": text(88), "reg_date": day()},
        Rows(
            "account_list",
            {
                "account_num": text(20), "seqno": text(7), "prod_name": text(60), "account_type": text(2),
                "is_foreign_deposit": yes_no(), "is_minus": yes_no(), "account_status": text(1),
            },
            digits(3),
            page=8,
        ),
        {
            "account_type": {
                "1001": "D1", "1002": "D2", "1003": "D3", "2001": "F1", "2002": "F2", "2003": "F3", "2004": "F4",
                "3100": "L1", "3170": "L2", "3220": "L3", "3230": "L4",
            },
            "account_status": {"01": "A", "02": "S"},
        },
    ),
    "DPBASE": Message(
        "은행-002",
        _ACCOUNT,
        _OWN,
        Rows(
            "basic_list",
            {
                "currency_code": text(3), "saving_method": text(2), "issue_date": day(), "exp_date": day(),
                "commit_amt": zoned(15, 2), "monthly_paid_in_amt": zoned(13),
            },
            times=3,
        ),
    ),
    "DPMORE": Message(
        "은행-003",
        _ACCOUNT,
        _OWN,
        Rows(
            "detail_list",
            {
                "currency_code": text(3), "balance_amt": packed(8, 2), "withdrawable_amt": packed(8, 2),
                "offered_rate": packed(4, 5), "last_paid_in_cnt": packed(4),
            },
            binary(2),
        ),
    ),
    "DPTRAN": Message(
        "은행-004",
        {**_ACCOUNT, **_PERIOD},
        _OWN,
        Rows(
            "trans_list",
            {
                "trans_dtime": moment(), "trans_no": text(16), "trans_type": text(2), "trans_class": text(10),
                "currency_code": text(3), "trans_amt": digits(15, 2), "balance_amt": signed(16, 2),
                "paid_in_cnt": digits(6), "trans_memo": text(50),
            },
            digits(3),
            page=15,
        ),
        {"trans_type": {"01": "30", "02": "20", "03": "10"}},
    ),
    "IVBASE": Message(
        "은행-005",
        _ACCOUNT,
        {**_OWN, "standard_fund_code": text(12), "paid_in_type": text(2), "issue_date": day(), "exp_date": day()},
    ),
    "IVMORE": Message(
        "은행-006",
        _ACCOUNT,
        {
            **_OWN, "currency_code": text(3), "balance_amt": digits(15), "eval_amt": digits(15),
            "inv_principal": digits(15), "fund_num": digits(15, 3),
        },
    ),
    "IVTRAN": Message(
        "은행-007",
        {**_ACCOUNT, **_PERIOD},
        _OWN,
        Rows(
            "trans_list",
            {
                "trans_dtime": moment(), "trans_no": text(16), "trans_type": text(2), "currency_code": text(3),
                "base_amt": digits(12, 2), "trans_fund_num": digits(15, 3), "trans_amt": digits(15),
                "balance_amt": digits(15),
            },
            digits(3),
            page=15,
        ),
    ),
    "LNBASE": Message(
        "은행-008",
        _ACCOUNT,
        {
            **_OWN, "issue_date": day(), "exp_date": day(), "last_offered_rate": digits(7, 5), "repay_date": text(2),
            "repay_method": text(1), "repay_org_code": text(8), "repay_account_num": text(20),
        },
        codes={"repay_method": {"01": "B", "02": "P", "04": "A", "08": "L"}},
    ),
    "LNMORE": Message(
        "은행-009",
        _ACCOUNT,
        {
            **_OWN, "currency_code": text(3), "balance_amt": packed(8), "loan_principal": packed(8),
            "next_repay_date": day(),
        },
    ),
    "LNTRAN": Message(
        "은행-010",
        {**_ACCOUNT, **_PERIOD},
        _OWN,
        Rows(
            "trans_list",
            {
                "trans_dtime": moment(), "trans_no": text(16), "trans_type": text(2), "currency_code": text(3),
                "trans_amt": digits(15), "balance_amt": digits(15), "principal_amt": digits(15),
                "int_amt": digits(15),
            },
            digits(3),
            page=15,
            inner=Rows(
                "int_list",
                {
                    "int_start_date": day(), "int_end_date": day(), "int_rate": digits(5, 3),
                    "applied_int_amt": digits(13), "int_type": text(2),
                },
                digits(2),
            ),
        ),
    ),
}  # fmt: skip
"""Messages by transaction code."""
