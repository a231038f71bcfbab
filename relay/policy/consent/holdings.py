"""Which of a customer's assets the consent page offers: read from the institution's own lists (규격 3.2.1).

An institution's answer is read strictly where it decides what is consented to (asset, seqno, kind of account) and
mildly where it is only shown (names).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from relay.domain.api import Api, Catalogue, Field
from relay.domain.authorization.consent import Asset
from relay.domain.institution import DeskFault, Holding
from relay.policy.call.assets import asset_name, may_name
from relay.policy.call.fields import text_of
from relay.policy.consent.particulars import ScopeRule, scopes_of

ROWS_MOST: Final = 500
"""Rows of one answer: `limit` is 500 at most (규격 1.6)."""

LABEL_MOST: Final = 100
"""Characters of a label; a screen of a phone has room for no more."""

# api_id: scope without its industry, the list, the fields whose texts name an asset to its owner
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
"""Where the first digit of account_type tells the scope: 수신, 투자, 대출 (규격 4.2.2)."""

_MINUS: Final = {"": False, "false": False, "true": True}
_KNOWN_TO_ITS_OWNER: Final = frozenset({"account_num", "insu_num", "lending_id", "bond_num"})
"""Numbers whose end tells an owner which one it is; the others are the institution's own."""

_TAIL: Final = 4


@dataclass(frozen=True, slots=True)
class ListCall:
    """A list API that tells assets of an industry: under `scope`, or under that of `by_type` by account_type's digit.

    `rows` names the list in its answer, `asset` and `seqno` (None where there are none) the fields of a row that the
    other APIs ask with, `labels` those that name it to its owner.
    """

    api: Api
    scope: str
    by_type: Mapping[str, str]
    rows: str
    asset: Field
    seqno: Field | None
    labels: tuple[Field, ...]


def list_calls(industry: str, catalogue: Catalogue, *, later: bool = False) -> tuple[ListCall, ...]:
    """The lists of an industry, its own before those it shares; with `later` also those that come to it later."""
    scopes = scopes_of(industry, catalogue)
    told = [_list_call(api, industry, scopes) for api in catalogue.of(industry, later=later) if api.api_id in _LISTS]
    return tuple(sorted(told, key=lambda call: list(scopes).index(call.scope)))


def scopes_without_assets(industry: str, catalogue: Catalogue) -> tuple[str, ...]:
    """The scopes that are wanted or not as a whole, because their calls name no asset (card.point, card.bill, ...)."""
    rules = scopes_of(industry, catalogue)
    return tuple(scope for scope, rule in rules.items() if rule.asset is None and not scope.endswith(".list"))


def holdings_in(call: ListCall, body: Mapping[str, object]) -> list[Holding]:
    """The assets in one answer of a list API.

    Raises DeskFault, naming API and field, when it is no success, has no list, or a row does not say what it is about.
    """
    rows = body.get(call.rows)
    if rows is None and text_of(body.get(call.rows.replace("_list", "_cnt"))) == "0":
        rows = []  # an empty list is often left out
    if text_of(body.get("rsp_code")) != "00000":
        raise _fault(call, "rsp_code")
    if not isinstance(rows, list) or len(rows) > ROWS_MOST:
        raise _fault(call, call.rows)
    return [_holding(call, row) for row in rows]


def told_apart(holdings: Iterable[Holding]) -> tuple[Holding, ...]:
    """The holdings with labels that differ within their scope.

    Of those that look alike, as many digits of their number are shown as tell them apart.
    """
    listed = tuple(holdings)
    alike = Counter((holding.scopes[0], holding.label) for holding in listed)
    groups = {key: [one for one in listed if (one.scopes[0], one.label) == key] for key in alike if alike[key] > 1}
    labels = {(one.scopes, one.asset): label for group in groups.values() for one, label in _different(group)}
    return tuple(replace(one, label=labels.get((one.scopes, one.asset), one.label)) for one in listed)


def _different(group: Sequence[Holding]) -> Sequence[tuple[Holding, str]]:
    """Holdings that look alike, with labels that differ; numbered when their numbers do not tell them apart."""
    longest = max(len(one.asset.asset) for one in group)
    for digits in range(_TAIL, longest + 1):
        labels = [_with_digits(one, digits) for one in group]
        if len(set(labels)) == len(group):
            return list(zip(group, labels, strict=True))
    return [(one, f"{_with_digits(one, longest)} ({number})") for number, one in enumerate(group, 1)]


def _with_digits(holding: Holding, digits: int) -> str:
    """The label with the last `digits` characters of the number, in place of those it shows or behind it."""
    number = holding.asset.asset
    name, shown, rest = holding.label.rpartition(_tail(number, _TAIL))
    return f"{name}{_tail(number, digits)}{rest}" if shown else f"{holding.label} {_tail(number, digits)}"


def _tail(number: str, digits: int) -> str:
    return f"…{number[-digits:]}"


def each_once(holdings: Iterable[Holding]) -> tuple[Holding, ...]:
    """The holdings of all lists and pages, each once: pages may overlap by the row at which they begin (규격 1.6)."""
    return tuple({(holding.scopes, holding.asset): holding for holding in holdings}.values())


def _list_call(api: Api, industry: str, scopes: Mapping[str, ScopeRule]) -> ListCall:
    word, listed, labels = _LISTS[api.api_id]
    scope = f"{industry}.{word}"
    rule = scopes[scope]
    rows = next(field.fields for field in api.response.body if field.name == listed)
    fields = {field.name: field for field in rows}
    if rule.asset is None:
        raise ValueError(f"{api.api_id} lists what no call of {scope} asks for")
    return ListCall(
        api,
        scope,
        {digit: f"{industry}.{name}" for digit, name in _BY_TYPE.get(api.api_id, {}).items()},
        listed,
        fields[rule.asset.name],
        fields[rule.seqno.name] if rule.seqno else None,
        tuple(fields[name] for name in labels),
    )


def _fault(call: ListCall, name: str) -> DeskFault:
    return DeskFault(f"{call.api.api_id}: {name} is not as documented")


def _holding(call: ListCall, row: object) -> Holding:
    if not isinstance(row, Mapping):
        raise _fault(call, call.rows)
    asset = Asset(_name(call, call.asset, row), _seqno(call, row))
    return Holding(_scopes(call, row), asset, _label(call, row, asset))


def _name(call: ListCall, field: Field, row: Mapping[str, object]) -> str:
    name = asset_name(row.get(field.name))
    if not may_name(field, name):
        raise _fault(call, field.name)
    return name


def _seqno(call: ListCall, row: Mapping[str, object]) -> str:
    if call.seqno is None or row.get(call.seqno.name) in (None, ""):  # no set: what a hostile row holds has no hash
        return ""
    return _name(call, call.seqno, row)


def _scopes(call: ListCall, row: Mapping[str, object]) -> tuple[str, ...]:
    """A minus account is a deposit and a loan: whoever chooses it chooses both (규격 2.2)."""
    if not call.by_type:
        return (call.scope,)
    kind = text_of(row.get("account_type"))
    if kind[:1] not in call.by_type:
        raise _fault(call, "account_type")
    scope, minus = call.by_type[kind[:1]], text_of(row.get("is_minus"))
    if minus not in _MINUS:
        raise _fault(call, "is_minus")
    return (scope, call.by_type["3"]) if scope == call.scope and _MINUS[minus] else (scope,)


def _label(call: ListCall, row: Mapping[str, object], asset: Asset) -> str:
    parts = [_shown(field, text_of(row.get(field.name))) for field in call.labels]
    if call.asset.name in _KNOWN_TO_ITS_OWNER:
        parts.append(_tail(asset.asset, _TAIL))
    if asset.seqno:
        parts.append(f"{asset.seqno.lstrip('0') or '0'}회차")
    return " ".join(filter(None, parts)) or call.asset.label


def _shown(field: Field, text: str) -> str:
    """A text for a customer's eyes: a code in words, no line ends, no marks that turn writing around, no end of it."""
    text = field.codes.get(text, text)
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:LABEL_MOST]
