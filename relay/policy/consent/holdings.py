"""Reads the assets that the consent page offers from responses of an institution's list APIs (규격 3.2.1).

Fields that decide what is consented to (asset, seqno, type of account) are parsed strictly, displayed names leniently.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from relay.domain.api import SUCCESS, Api, Catalogue, Field
from relay.domain.authorization.consent import Asset
from relay.domain.institution import Holding, InstitutionError
from relay.policy.call.assets import is_asset_name, parse_asset_name
from relay.policy.call.fields import to_text
from relay.policy.consent.particulars import ScopeRule, get_scopes

MAX_ROWS: Final = 500
"""Rows of one response: `limit` is at most 500 (규격 1.6)."""

MAX_LABEL_CHARS: Final = 100
"""Maximum length of a label's text, so that it fits on a phone's screen."""

# api_id: scope without its industry, field of the list, fields whose texts name an asset to the customer
_LISTS: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "은행-001": ("deposit", "account_list", ("prod_name",)),
    "카드-001": ("card", "card_list", ("card_name", "card_num")),
    "금투-001": ("account", "account_list", ("account_name",)),
    "보험-001": ("insurance", "insu_list", ("prod_name",)),
    "보험-008": ("loan", "loan_list", ("prod_name",)),
    "전금-001": ("prepaid", "fob_list", ("fob_name",)),
    "전금-101": ("paid", "account_list", ("account_id",)),
    "할부금융-001": ("loan", "account_list", ("prod_name",)),
    "보증보험-001": ("insurance", "insu_list", ("prod_name",)),
    "통신-001": ("mgmt", "telecom_list", ("type", "telecom_num")),
    "P2P-001": ("lending", "lending_list", ("type",)),
    "IRP-001": ("irp", "irp_list", ("prod_name",)),
    "선불-001": ("prepaid", "pp_list", ("pp_name",)),
    "채권-001": ("bond", "bond_list", ("init_org_code", "bond_type")),
}

_BY_TYPE: Final = {"은행-001": {"1": "deposit", "2": "invest", "3": "loan"}}
"""Scope by the first digit of account_type: 수신, 투자, 대출 (규격 4.2.2)."""

_IS_MINUS: Final = {"": False, "false": False, "true": True}
_KNOWN_NUMBERS: Final = frozenset({"account_num", "insu_num", "lending_id", "bond_num"})
"""Numbers that customers recognize by their last digits; the others are internal to the institution."""

_SHOWN_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class ListApi:
    """A list API of an industry. Its assets have `scope`, or a scope of `scope_by_type` by account_type's first digit.

    `list_name` is the name of the list in its response. `asset` and `seqno` (None if there is none) are the fields of a
    row that other APIs take as parameters; `label_fields` name the asset to the customer.
    """

    api: Api
    scope: str
    scope_by_type: Mapping[str, str]
    list_name: str
    asset: Field
    seqno: Field | None
    label_fields: tuple[Field, ...]


def find_list_apis(industry: str, catalogue: Catalogue, *, later: bool = False) -> tuple[ListApi, ...]:
    """Returns the list APIs of an industry, its own before shared ones; with `later` also future ones."""
    scopes = get_scopes(industry, catalogue)
    apis = [
        _build_list_api(api, industry, scopes)
        for api in catalogue.iter_apis(industry, later=later)
        if api.api_id in _LISTS
    ]
    return tuple(sorted(apis, key=lambda list_api: list(scopes).index(list_api.scope)))


def read_holdings(list_api: ListApi, body: Mapping[str, object]) -> list[Holding]:
    """Returns the assets in one response of a list API.

    Raises InstitutionError with API and field if the response is no success, has no list, or has an invalid row.
    """
    rows = body.get(list_api.list_name)
    if rows is None and to_text(body.get(list_api.list_name.replace("_list", "_cnt"))) == "0":
        rows = []  # an empty list is often omitted
    if to_text(body.get("rsp_code")) != SUCCESS:
        raise _build_fault(list_api, "rsp_code")
    if not isinstance(rows, list) or len(rows) > MAX_ROWS:
        raise _build_fault(list_api, list_api.list_name)
    return [_read_holding(list_api, row) for row in rows]


def distinguish_labels(holdings: Iterable[Holding]) -> tuple[Holding, ...]:
    """Returns the holdings with labels that are unique within their scope.

    Equal labels get as many digits of the asset's number as make them differ.
    """
    holdings = tuple(holdings)
    counts = Counter(map(_label_key, holdings))
    groups = [[each for each in holdings if _label_key(each) == key] for key in counts if counts[key] > 1]
    labels = {(holding.scopes, holding.asset): label for group in groups for holding, label in _relabel(group)}
    return tuple(
        replace(holding, label=labels.get((holding.scopes, holding.asset), holding.label)) for holding in holdings
    )


def _label_key(holding: Holding) -> tuple[str, str]:
    return holding.scopes[0], holding.label


def _relabel(group: Sequence[Holding]) -> Sequence[tuple[Holding, str]]:
    """Returns holdings of equal labels with different labels; with a counter if their numbers are equal."""
    longest = max(len(holding.asset.asset) for holding in group)
    for digits in range(_SHOWN_DIGITS, longest + 1):
        labels = [_add_digits(holding, digits) for holding in group]
        if len(set(labels)) == len(group):
            return list(zip(group, labels, strict=True))
    return [(holding, f"{_add_digits(holding, longest)} ({number})") for number, holding in enumerate(group, 1)]


def _add_digits(holding: Holding, digits: int) -> str:
    """Returns the label with the last `digits` characters of the number, in place of the shown digits or at the end."""
    number = holding.asset.asset
    before, shown, after = holding.label.rpartition(_last_digits(number, _SHOWN_DIGITS))
    longer = _last_digits(number, digits)
    return f"{before}{longer}{after}" if shown else f"{holding.label} {longer}"


def _last_digits(number: str, digits: int) -> str:
    return f"…{number[-digits:]}"


def remove_duplicates(holdings: Iterable[Holding]) -> tuple[Holding, ...]:
    """Returns the holdings of all lists and pages without duplicates; pages may overlap by one row (규격 1.6)."""
    return tuple({(holding.scopes, holding.asset): holding for holding in holdings}.values())


def _build_list_api(api: Api, industry: str, scopes: Mapping[str, ScopeRule]) -> ListApi:
    scope_name, list_name, label_names = _LISTS[api.api_id]
    scope = f"{industry}.{scope_name}"
    rule = scopes[scope]
    row_fields = next(field.fields for field in api.response.body if field.name == list_name)
    fields = {field.name: field for field in row_fields}
    if rule.asset is None:
        raise ValueError(f"{api.api_id} lists assets, but no API of {scope} names an asset")
    return ListApi(
        api=api,
        scope=scope,
        scope_by_type={digit: f"{industry}.{name}" for digit, name in _BY_TYPE.get(api.api_id, {}).items()},
        list_name=list_name,
        asset=fields[rule.asset.name],
        seqno=fields[rule.seqno.name] if rule.seqno else None,
        label_fields=tuple(fields[name] for name in label_names),
    )


def _build_fault(list_api: ListApi, name: str) -> InstitutionError:
    return InstitutionError(f"{list_api.api.api_id}: {name} is not as documented")


def _read_holding(list_api: ListApi, row: object) -> Holding:
    if not isinstance(row, Mapping):
        raise _build_fault(list_api, list_api.list_name)
    asset = Asset(_read_name(list_api, list_api.asset, row), _read_seqno(list_api, row))
    return Holding(_read_scopes(list_api, row), asset, _build_label(list_api, row, asset))


def _read_name(list_api: ListApi, field: Field, row: Mapping[str, object]) -> str:
    name = parse_asset_name(row.get(field.name))
    if not is_asset_name(field, name):
        raise _build_fault(list_api, field.name)
    return name


def _read_seqno(list_api: ListApi, row: Mapping[str, object]) -> str:
    # compared with a tuple: a hostile row may hold values without a hash
    if list_api.seqno is None or row.get(list_api.seqno.name) in (None, ""):
        return ""
    return _read_name(list_api, list_api.seqno, row)


def _read_scopes(list_api: ListApi, row: Mapping[str, object]) -> tuple[str, ...]:
    """Returns the scopes of a row. A minus account is a deposit and a loan, so it has both (규격 2.2)."""
    if not list_api.scope_by_type:
        return (list_api.scope,)
    digit = to_text(row.get("account_type"))[:1]
    if digit not in list_api.scope_by_type:
        raise _build_fault(list_api, "account_type")
    scope, is_minus = list_api.scope_by_type[digit], to_text(row.get("is_minus"))
    if is_minus not in _IS_MINUS:
        raise _build_fault(list_api, "is_minus")
    return (scope, list_api.scope_by_type["3"]) if scope == list_api.scope and _IS_MINUS[is_minus] else (scope,)


def _build_label(list_api: ListApi, row: Mapping[str, object], asset: Asset) -> str:
    parts = [_clean(field, to_text(row.get(field.name))) for field in list_api.label_fields]
    if list_api.asset.name in _KNOWN_NUMBERS:
        parts.append(_last_digits(asset.asset, _SHOWN_DIGITS))
    if asset.seqno:
        parts.append(f"{asset.seqno.lstrip('0') or '0'}회차")
    return " ".join(filter(None, parts)) or list_api.asset.label


def _clean(field: Field, text: str) -> str:
    """Returns text for display: codes in words, no line ends, control or bidi characters, limited length."""
    text = field.codes.get(text, text)
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:MAX_LABEL_CHARS]
