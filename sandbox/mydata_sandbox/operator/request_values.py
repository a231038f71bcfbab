"""Request values of the simulated operator: from earlier responses, dates and fixed values.

`SOURCES` maps each API to the fields that its request takes from rows of earlier APIs.
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
"""Response bodies of one industry, all pages, by api_id."""


@dataclass(frozen=True, slots=True)
class Source:
    """The fields `fields` of the first row in the list `rows` of `api_id` for which `matches` is True."""

    api_id: str
    rows: str
    fields: tuple[str, ...]
    matches: Callable[[Row], bool] = lambda _: True


class MissingValue(LookupError):
    """No earlier response has a value that the request needs."""


def _has_type(*prefixes: str) -> Callable[[Row], bool]:
    return lambda row: str(row["account_type"]).startswith(prefixes)


def _equals(name: str, value: str) -> Callable[[Row], bool]:
    return lambda row: row[name] == value


def _differs(name: str, value: str) -> Callable[[Row], bool]:
    return lambda row: row[name] != value


def _for_apis(numbers: Iterable[int], api: str, *sources: Source) -> dict[str, tuple[Source, ...]]:
    return {f"{api}-{number:03}": sources for number in numbers}


_ACCOUNT: Final = ("account_num", "seqno")
_BANK: Final = ("은행-001", "account_list", _ACCOUNT)
_CAPITAL: Final = ("할부금융-001", "account_list", _ACCOUNT)
_CAR: Final = Source("보험-001", "insu_list", ("insu_num",), _equals("insu_type", "17"))
_INSURANCE: Final = Source("보험-001", "insu_list", ("insu_num",), _differs("insu_type", "17"))

SOURCES: Final[Mapping[str, tuple[Source, ...]]] = {
    **_for_apis(range(2, 5), "은행", Source(*_BANK, _has_type("1"))),
    **_for_apis(range(5, 8), "은행", Source(*_BANK, _has_type("2"))),
    **_for_apis(range(8, 11), "은행", Source(*_BANK, _has_type("3"))),
    **_for_apis((2, 8, 9), "카드", Source("카드-001", "card_list", ("card_id",))),
    **_for_apis((5,), "카드", Source("카드-004", "bill_list", ("charge_month", "seqno"))),
    **_for_apis((2, 3, 4), "금투", Source("금투-001", "account_list", ("account_num",))),
    **_for_apis((5,), "금투", Source("금투-001", "account_list", ("account_num",), _equals("account_type", "105"))),
    **_for_apis((2, 5, 6, 12), "보험", _INSURANCE),
    **_for_apis((3,), "보험", _INSURANCE, Source("보험-002", "insured_list", ("insured_no",))),
    **_for_apis((4,), "보험", _CAR),
    **_for_apis((7,), "보험", _CAR, Source("보험-004", "car_insu_list", ("car_number",))),
    **_for_apis((9, 10, 11), "보험", Source("보험-008", "loan_list", ("account_num",))),
    **_for_apis((2, 4), "전금", Source("전금-001", "fob_list", ("fob_id", "account_id"))),
    **_for_apis((3,), "전금", Source("전금-001", "fob_list", ("fob_id", "account_id"), _equals("is_charge", "true"))),
    **_for_apis((102,), "전금", Source("전금-101", "account_list", ("sub_key",), _equals("is_pay", "true"))),
    **_for_apis((103,), "전금", Source("전금-101", "account_list", ("sub_key",))),
    **_for_apis(range(2, 5), "할부금융", Source(*_CAPITAL, _differs("account_type", "3710"))),
    **_for_apis((5, 6), "할부금융", Source(*_CAPITAL, _equals("account_type", "3710"))),
    **_for_apis((2, 3), "보증보험", Source("보증보험-001", "insu_list", ("insu_num",))),
    **_for_apis((2, 3, 4), "통신", Source("통신-001", "telecom_list", ("mgmt_id",))),
    **_for_apis((2, 3, 4), "P2P", Source("P2P-001", "lending_list", ("lending_id",))),
    **_for_apis((2, 3, 4), "IRP", Source("IRP-001", "irp_list", ("account_num",))),
    **_for_apis((2, 3, 4), "선불", Source("선불-001", "pp_list", ("pp_id",))),
    **_for_apis((2, 3), "채권", Source("채권-001", "bond_list", ("bond_num",))),
}


def build_request(api: Api, fixed: Mapping[str, str], answers: Answers, today: date) -> dict[str, str]:
    """Returns the parameters of the first page of `api`, with `card_id` of the path.

    `fixed` are known values (org_code, client_id). Raises MissingValue when a value is missing.
    """
    known = _dates(today) | dict(fixed) | {"search_timestamp": "0", "limit": LIMIT}
    for source in SOURCES.get(api.api_id, ()):
        known |= _take_values(source, answers)
    params = {}
    for field in (*api.request.path, *api.request.query, *api.request.body):
        if field.name in known:
            params[field.name] = known[field.name]
        elif field.presence is Presence.REQUIRED:
            raise MissingValue(f"{field.name} is in no earlier response")
    return params


def build_next_page(params: Mapping[str, str], cursor: str) -> dict[str, str]:
    """Returns the parameters of the page at `cursor`. Only the first page has search_timestamp (규격 1.7)."""
    return {name: value for name, value in params.items() if name != "search_timestamp"} | {"next_page": cursor}


def _take_values(source: Source, answers: Answers) -> dict[str, str]:
    rows = (row for body in answers.get(source.api_id, ()) for row in body.get(source.rows, ()))
    for row in rows:
        if row.get("is_consent", "true") == "true" and source.matches(row):
            return {name: value for name in source.fields if (value := _value(row, name)) is not None}
    raise MissingValue(f"no matching {source.rows} in {source.api_id}")


def _value(row: Row, name: str) -> str | None:
    """Returns a field of a row or of its first inner row (전금-001 has inner lists of accounts)."""
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
