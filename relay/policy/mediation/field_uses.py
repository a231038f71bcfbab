"""Where each field of a layout comes from in a request, and goes to in the answer of the standard."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from relay.domain.api import Api, Field
from relay.policy.mediation.conversion import TIMES, Conversion
from relay.policy.mediation.mapping.answers import OWN_FIELDS
from relay.policy.mediation.mapping.expressions import Scope
from relay.policy.mediation.mapping.records import describe_record
from relay.policy.mediation.settings import MESSAGE_ROWS, Expression, TelegramMessage
from relay.policy.mediation.telegram.plan import FieldPlan, Group, OptionalPart, Part, Run

Path = tuple[str, ...]
"""The name of a field with the lists around it: `("trans_list", "trans_amt")`."""

_CONTEXT: Final = {
    "length": "the length of the telegram",
    "kind": "the message type",
    "code": "the transaction code",
    "today": "the day of the telegram",
    "now": "the day and time of the telegram",
    "time": "the time of the telegram",
    "unique_number": "the unique number",
    "tran_id": "x-api-tran-id",
    "org_code": "the org_code",
    "client_id": "x-client-id",
    "user_ci": "x-user-ci, the customer's CI",
    "api_type": "x-api-type",
    "sequence": "the number of the telegram in its call",
    "rows": "the rows asked for",
    "key": "the continuation key",
    "page": "first or next",
}


@dataclass(slots=True)
class _Uses:
    """Collects uses by path; scopes of rows come first."""

    uses: dict[Path, list[str]]
    scopes: tuple[tuple[Path, Scope], ...]

    def add(self, name: str | None, use: str) -> None:
        for path, scope in self.scopes:
            if name and (name in scope.fields or name in scope.groups):
                self.uses.setdefault((*path, name), []).append(use)
                return

    def enter(self, group: str) -> "_Uses":
        path, scope = self.scopes[0]
        inner = Scope(scope.groups[group], scope)
        return _Uses(self.uses, (((*path, group), inner), *self.scopes))


def find_answer_uses(api: Api, message: TelegramMessage, conversion: Conversion) -> dict[Path, list[str]]:
    """Returns what each field of a response becomes in the answer, by path: `trans_list[].trans_dtime`."""
    uses: dict[Path, list[str]] = {}
    scope = Scope(describe_record(conversion.response.parts))
    root = _Uses(uses, (((), scope),))
    root.add(conversion.codes.field, "rsp_code")
    root.add(conversion.codes.text, "rsp_msg")
    _add_fields([field for field in api.response.body if field.name not in OWN_FIELDS], message.answer, root, "")
    if conversion.paging is not None:
        entry = message.answer.get(conversion.paging.list)
        group = conversion.paging.list if entry is None else entry.rows or ""
        inner = root.enter(group) if group in scope.groups else root
        for name in conversion.paging.key:
            (root if name in scope.fields else inner).add(name, "next_page")
        for name, codes in conversion.paging.more.items():
            root.add(name, f"more rows if {', '.join(codes)}")
        for name, codes in conversion.paging.last.items():
            root.add(name, f"no more rows if {', '.join(codes)}")
    return uses


def _add_fields(fields: Sequence[Field], expressions: Mapping[str, Expression], scope: _Uses, prefix: str) -> None:
    for field in fields:
        expression = expressions.get(field.name)
        target = prefix + field.name
        if expression is not None and expression.omit:
            continue
        if field.type == "array":
            _add_list(field, expression, scope, target)
            continue
        for name in _list_sources(field, expression):
            note = " by code table" if expression is not None and expression.codes else ""
            scope.add(name, target + note)
        if expression is not None:
            for name in expression.minus:
                scope.add(name, f"sign of {target}")
            for name in [*expression.when, *expression.unless]:
                scope.add(name, f"condition of {target}")


def _add_list(field: Field, expression: Expression | None, scope: _Uses, target: str) -> None:
    rows = field.name if expression is None else expression.rows or ""
    inner = scope
    if rows != MESSAGE_ROWS:
        if rows not in scope.scopes[0][1].groups:
            return
        scope.add(rows, target)
        inner = scope.enter(rows)
    _add_fields(field.fields, {} if expression is None else expression.each, inner, f"{target}[].")


def _list_sources(field: Field, expression: Expression | None) -> Iterator[str]:
    """Yields the names of the telegram that a field of the answer comes from."""
    if expression is None:
        yield field.name
    elif expression.field is not None:
        yield expression.field
    elif expression.join:
        yield from (name for name in expression.join if not name.startswith("="))
    elif expression.value is not None and expression.value.startswith("$"):
        yield expression.value[1:]
    elif expression.count is not None:
        yield expression.count
    elif expression.sum is not None:
        yield expression.sum.partition(".")[0]


def describe_source(plan: FieldPlan, conversion: Conversion) -> str:
    """Returns where a field of a request comes from."""
    if plan.constant is not None:
        return f"constant {plan.item.value or 'blank'}"
    if not plan.variable:
        if plan.name in conversion.parameters:
            return f"parameter {plan.name}"
        return f"default {plan.item.default}" if plan.item.default is not None else ""
    value = {"kind": conversion.kinds.request, "code": conversion.code}.get(plan.variable, "")
    value = plan.item.codes.get(value, value)
    return _describe_variable(plan.variable, value)


def _describe_variable(name: str, value: str = "") -> str:
    if name.startswith("key."):
        return f"the continuation key {name.removeprefix('key.')}"
    return f"{_CONTEXT.get(name, f'parameter {name}')}{f' {value}' if value else ''}"


def describe_demand(plan: FieldPlan, conversion: Conversion) -> str:
    """Returns what a field of a response must have, "" for any value."""
    if plan.constant is not None:
        return f"must be {plan.item.value or 'blank'}"
    if not plan.variable or plan.variable in TIMES:
        return ""
    if plan.variable == "length":
        return _CONTEXT["length"]
    value = {"kind": conversion.kinds.response, "code": conversion.response_code}.get(plan.variable)
    value = value and plan.item.codes.get(value, value)
    return f"must be {value}" if value else f"must be that of the request: {_describe_variable(plan.variable)}"


def iter_counts(parts: Sequence[Part], path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yields the paths of fields that count rows, and the names of their lists."""
    for part in parts:
        if isinstance(part, Group):
            if part.count is not None:
                yield (*path, part.count.name), part.name
            yield from iter_counts(part.parts, (*path, part.name))
        elif isinstance(part, OptionalPart):
            yield from iter_counts(part.parts, path)


def iter_plans(parts: Sequence[Part], path: Path = ()) -> Iterator[tuple[Path, FieldPlan]]:
    """Yields all fields of a message in their order, also those of lists."""
    for part in parts:
        if isinstance(part, Run):
            yield from (((*path, plan.name), plan) for plan in part.layout)
        elif isinstance(part, Group):
            yield from iter_plans(part.parts, (*path, part.name))
        else:
            yield from iter_plans(part.parts, path)
