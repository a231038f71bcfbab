"""What the pretended operator asks with: request values learnt from earlier answers, dates, and the fixed rest.

`LEARNT` is the table: which API's request takes which fields from which rows of which earlier API.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from relay.domain.api import Api, Presence

LIMIT: Final = "20"
DAYS: Final = 30
Row = Mapping[str, Any]
Answers = Mapping[str, list[Row]]
"""Bodies received so far in one industry, every page, by api_id."""


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of `rows` in the answers of `api_id` that `fit`; `fields` are taken, renamed where a pair is given."""

    api_id: str
    rows: str
    fields: tuple[str, ...]
    fit: Callable[[Row], bool] = lambda _: True


class NothingLearnt(LookupError):
    """No earlier answer holds a row to ask about."""


def _typed(*prefixes: str) -> Callable[[Row], bool]:
    return lambda row: str(row["account_type"]).startswith(prefixes)


def _is(name: str, value: str) -> Callable[[Row], bool]:
    return lambda row: row[name] == value


def _is_not(name: str, value: str) -> Callable[[Row], bool]:
    return lambda row: row[name] != value


def _each(numbers: Iterable[int], api: str, *sources: Source) -> dict[str, tuple[Source, ...]]:
    return {f"{api}-{number:03}": sources for number in numbers}


_ACCOUNT: Final = ("account_num", "seqno")
_BANK: Final = ("은행-001", "account_list", _ACCOUNT)
_CAPITAL: Final = ("할부금융-001", "account_list", _ACCOUNT)
_CAR: Final = Source("보험-001", "insu_list", ("insu_num",), _is("insu_type", "17"))
_INSURANCE: Final = Source("보험-001", "insu_list", ("insu_num",), _is_not("insu_type", "17"))

LEARNT: Final[Mapping[str, tuple[Source, ...]]] = {
    **_each(range(2, 5), "은행", Source(*_BANK, _typed("1"))),
    **_each(range(5, 8), "은행", Source(*_BANK, _typed("2"))),
    **_each(range(8, 11), "은행", Source(*_BANK, _typed("3"))),
    **_each((2, 8, 9), "카드", Source("카드-001", "card_list", ("card_id",))),
    **_each((5,), "카드", Source("카드-004", "bill_list", ("charge_month", "seqno"))),
    **_each((2, 3, 4), "금투", Source("금투-001", "account_list", ("account_num",))),
    **_each((5,), "금투", Source("금투-001", "account_list", ("account_num",), _is("account_type", "105"))),
    **_each((2, 5, 6, 12), "보험", _INSURANCE),
    **_each((3,), "보험", _INSURANCE, Source("보험-002", "insured_list", ("insured_no",))),
    **_each((4,), "보험", _CAR),
    **_each((7,), "보험", _CAR, Source("보험-004", "car_insu_list", ("car_number",))),
    **_each((9, 10, 11), "보험", Source("보험-008", "loan_list", ("account_num",))),
    **_each((2, 4), "전금", Source("전금-001", "fob_list", ("fob_id", "account_id"))),
    **_each((3,), "전금", Source("전금-001", "fob_list", ("fob_id", "account_id"), _is("is_charge", "true"))),
    **_each((102,), "전금", Source("전금-101", "account_list", ("sub_key",), _is("is_pay", "true"))),
    **_each((103,), "전금", Source("전금-101", "account_list", ("sub_key",))),
    **_each(range(2, 5), "할부금융", Source(*_CAPITAL, _is_not("account_type", "3710"))),
    **_each((5, 6), "할부금융", Source(*_CAPITAL, _is("account_type", "3710"))),
    **_each((2, 3), "보증보험", Source("보증보험-001", "insu_list", ("insu_num",))),
    **_each((2, 3, 4), "통신", Source("통신-001", "telecom_list", ("mgmt_id",))),
    **_each((2, 3, 4), "P2P", Source("P2P-001", "lending_list", ("lending_id",))),
    **_each((2, 3, 4), "IRP", Source("IRP-001", "irp_list", ("account_num",))),
    **_each((2, 3, 4), "선불", Source("선불-001", "pp_list", ("pp_id",))),
    **_each((2, 3), "채권", Source("채권-001", "bond_list", ("bond_num",))),
}


def request_for(api: Api, fixed: Mapping[str, str], answers: Answers, today: date) -> dict[str, str]:
    """The first page's parameters of `api`, `card_id` of the path included.

    `fixed` are the values known beforehand (org_code, client_id). Raises NothingLearnt when a value is missing.
    """
    known = _dates(today) | dict(fixed) | {"search_timestamp": "0", "limit": LIMIT}
    for source in LEARNT.get(api.api_id, ()):
        known |= _learnt(source, answers)
    asked = {}
    for field in (*api.request.path, *api.request.query, *api.request.body):
        if field.name in known:
            asked[field.name] = known[field.name]
        elif field.presence is Presence.REQUIRED:
            raise NothingLearnt(f"{field.name} was in no earlier answer")
    return asked


def next_page_of(asked: Mapping[str, str], cursor: str) -> dict[str, str]:
    """Parameters of the page behind `cursor`: search_timestamp stands only in the first page's (규격 1.7)."""
    return {name: value for name, value in asked.items() if name != "search_timestamp"} | {"next_page": cursor}


def _learnt(source: Source, answers: Answers) -> dict[str, str]:
    rows = (row for body in answers.get(source.api_id, ()) for row in body.get(source.rows, ()))
    for row in rows:
        if row.get("is_consent", "true") == "true" and source.fit(row):
            return {name: value for name in source.fields if (value := _value(row, name)) is not None}
    raise NothingLearnt(f"no fitting {source.rows} in {source.api_id}")


def _value(row: Row, name: str) -> str | None:
    """A field of a row, or of its first inner row (전금-001 lists a means' accounts inside it)."""
    if name in row:
        return str(row[name])
    inner = (value[0] for value in row.values() if isinstance(value, list) and value)
    return next((str(first[name]) for first in inner if name in first), None)


def _dates(today: date) -> dict[str, str]:
    months = [today.replace(day=1)]
    for _ in range(2):
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return {
        "from_date": f"{today - timedelta(days=DAYS):%Y%m%d}",
        "to_date": f"{today:%Y%m%d}",
        "from_month": f"{months[2]:%Y%m}",
        "to_month": f"{months[0]:%Y%m}",
        "charge_month": f"{months[1]:%Y%m}",
    }
