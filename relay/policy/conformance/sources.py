"""Finds the values that a call needs in earlier answers: the assets of the lists, and what belongs to them.

`SOURCES` is the table: for each API, the earlier API, its list, the fields to take, and which rows are for it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from relay.policy.call.fields import to_text

Row = Mapping[str, Any]
Values = Mapping[str, str]


class StoredAnswer(NamedTuple):
    """The body of a successful answer, with the parameters of its call."""

    parameters: Values
    body: Row


Answers = Mapping[str, Sequence[StoredAnswer]]
"""The answers of all pages and assets by api_id."""


class Condition(NamedTuple):
    """A field of a row that must begin with one of some texts; with `is_not`, with none of them."""

    field: str
    beginnings: tuple[str, ...]
    is_not: bool = False

    def matches(self, row: Row) -> bool:
        """Returns whether a row is for the API."""
        return to_text(row.get(self.field)).startswith(self.beginnings) != self.is_not


_ALL: Final = Condition("", ("",))


class Source(NamedTuple):
    """The fields `fields` of the rows in the list `rows` of `api_id` that match; the first field is required."""

    api_id: str
    rows: str
    fields: tuple[str, ...]
    condition: Condition = _ALL


def _equals(field: str, *values: str) -> Condition:
    return Condition(field, values)


def _differs(field: str, *values: str) -> Condition:
    return Condition(field, values, is_not=True)


def _of(group: str, numbers: Iterable[int], *sources: Source) -> dict[str, tuple[Source, ...]]:
    return {f"{group}-{number:03}": sources for number in numbers}


_ACCOUNT: Final = ("account_num", "seqno")
_BANK: Final = ("은행-001", "account_list", _ACCOUNT)
_CAPITAL: Final = ("할부금융-001", "account_list", _ACCOUNT)
_INVEST: Final = ("금투-001", "account_list", ("account_num",))
_INSURANCE: Final = Source("보험-001", "insu_list", ("insu_num",), _differs("insu_type", "17"))
_CAR: Final = Source("보험-001", "insu_list", ("insu_num",), _equals("insu_type", "17"))
_FOB: Final = ("전금-001", "fob_list", ("fob_id", "account_id"))
_PAID: Final = ("전금-101", "account_list", ("sub_key",))
_LEASE: Final = "3710"

SOURCES: Final[Mapping[str, tuple[Source, ...]]] = {
    **_of("은행", range(2, 5), Source(*_BANK, _equals("account_type", "1"))),
    **_of("은행", range(5, 8), Source(*_BANK, _equals("account_type", "2"))),
    **_of("은행", range(8, 11), Source(*_BANK, _equals("account_type", "3"))),
    **_of("카드", (2, 8, 9), Source("카드-001", "card_list", ("card_id",))),
    **_of("카드", (5,), Source("카드-004", "bill_list", ("charge_month", "seqno"))),
    **_of("금투", (2, 3, 4), Source(*_INVEST)),
    **_of("금투", (5,), Source(*_INVEST, _equals("account_type", "105"))),
    **_of("보험", (2, 5, 6, 12), _INSURANCE),
    **_of("보험", (3,), _INSURANCE, Source("보험-002", "insured_list", ("insured_no",))),
    **_of("보험", (4,), _CAR),
    **_of("보험", (7,), _CAR, Source("보험-004", "car_insu_list", ("car_number",))),
    **_of("보험", (9, 10, 11), Source("보험-008", "loan_list", ("account_num",))),
    **_of("전금", (2, 4), Source(*_FOB)),
    **_of("전금", (3,), Source(*_FOB, _equals("is_charge", "true"))),
    **_of("전금", (102,), Source(*_PAID, _equals("is_pay", "true"))),
    **_of("전금", (103,), Source(*_PAID)),
    **_of("할부금융", (2, 3, 4), Source(*_CAPITAL, _differs("account_type", _LEASE))),
    **_of("할부금융", (5, 6), Source(*_CAPITAL, _equals("account_type", _LEASE))),
    **_of("보증보험", (2, 3), Source("보증보험-001", "insu_list", ("insu_num",))),
    **_of("통신", (2, 3, 4), Source("통신-001", "telecom_list", ("mgmt_id",))),
    **_of("P2P", (2, 3, 4), Source("P2P-001", "lending_list", ("lending_id",))),
    **_of("IRP", (2, 3, 4), Source("IRP-001", "irp_list", ("account_num",))),
    **_of("선불", (2, 3, 4), Source("선불-001", "pp_list", ("pp_id",))),
    **_of("채권", (2, 3), Source("채권-001", "bond_list", ("bond_num",))),
}


def find_values(api_id: str, answers: Answers, most: int) -> list[Values]:
    """Returns the values for at most `most` calls of an API: one entry for each asset of the customer.

    An API without an asset has one entry without values; an API whose lists have no row for it has none.
    """
    sources = SOURCES.get(api_id, ())
    if not sources:
        return [{}]
    values = list[Values]()
    for asset in _iter_values(sources[0], answers, {}):
        parts = [asset, *(next(_iter_values(source, answers, asset), {}) for source in sources[1:])]
        merged = {name: text for part in parts for name, text in part.items()}
        if all(parts) and merged not in values:
            values.append(merged)
        if len(values) == most:
            break
    return values


def _iter_values(source: Source, answers: Answers, asset: Values) -> Iterator[Values]:
    """Yields the values of each matching row with consent, in the answers about `asset`."""
    for parameters, body in answers.get(source.api_id, ()):
        if not asset.items() <= {**asset, **parameters}.items():
            continue
        rows = body.get(source.rows)
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and to_text(row.get("is_consent", "true")) == "true":
                values = {name: text for name in source.fields if (text := _find_text(row, name))}
                if source.fields[0] in values and source.condition.matches(row):
                    yield values


def _find_text(row: Row, name: str) -> str:
    """Returns a field of a row or of its first inner row: 전금-001 has inner lists of accounts."""
    if name in row:
        return to_text(row[name])
    inner = (value[0] for value in row.values() if isinstance(value, list) and value)
    return next((to_text(first[name]) for first in inner if isinstance(first, dict) and name in first), "")
