"""Compiles the body of an API's response: each field of the catalogue gets its source, by name or by its expression."""

from collections.abc import Mapping, Sequence
from typing import Final

from relay.domain.api import Api, Field, Presence
from relay.policy.mediation.errors import LayoutError
from relay.policy.mediation.mapping.expressions import Scope, Source, compile_expression, compile_field
from relay.policy.mediation.mapping.rendering import FieldOutput, ListOutput, ObjectOutput, quote
from relay.policy.mediation.mapping.targets import compile_target
from relay.policy.mediation.settings import MESSAGE_ROWS, Expression

OWN_FIELDS: Final = frozenset({"rsp_code", "rsp_msg", "next_page"})
"""Fields that the relay writes itself."""

_MAX_LIST: Final = 999


class _Compiler:
    """Compiles the objects of one answer and collects problems."""

    def __init__(self, problems: list[LayoutError]) -> None:
        self.problems = problems

    def compile_object(
        self, key: str, fields: Sequence[Field], expressions: Mapping[str, Expression], scope: Scope
    ) -> ObjectOutput:
        self._check_names(key, fields, expressions)
        counts = _find_counts(fields, expressions)
        outputs, lists = [], []
        for field in fields:
            expression = expressions.get(field.name)
            place = f"{key}.{field.name}"
            if expression is not None and expression.omit:
                if field.presence is Presence.REQUIRED:
                    self.problems.append(LayoutError(place, "omits a required field", "a source"))
            elif field.type == "array":
                lists += self._compile_list(place, field, expression, scope, counts)
            elif field.name not in counts.values():
                outputs += self._compile_field(place, field, expression, scope)
        return ObjectOutput(tuple(outputs), tuple(lists))

    def _check_names(self, key: str, fields: Sequence[Field], expressions: Mapping[str, Expression]) -> None:
        names = {field.name for field in fields}
        for name in expressions:
            if name not in names:
                allowed = "one of " + ", ".join(sorted(names))
                self.problems.append(LayoutError(f"{key}.{name}", "is unknown in the standard", allowed))

    def _compile_field(self, key: str, field: Field, expression: Expression | None, scope: Scope) -> list[FieldOutput]:
        is_required = field.presence is Presence.REQUIRED
        if expression is None and field.name not in scope.fields:
            if is_required:
                wrong = f"has no source for the required field {field.name}"
                allowed = f"a field {field.name} of the response, or an expression"
                self.problems.append(LayoutError(key, wrong, allowed))
            return []
        try:
            source = self._compile_source(key, field, expression, scope)
            target = compile_target(key, field, source)
        except LayoutError as error:
            self.problems.append(error)
            return []
        if is_required and source.is_conditional:
            self.problems.append(LayoutError(key, "has a condition, but the field is required", "no when or unless"))
        return [FieldOutput(field.name, quote(field.name) + b":", source, target, is_required)]

    def _compile_source(self, key: str, field: Field, expression: Expression | None, scope: Scope) -> Source:
        if expression is None:
            return compile_field(key, field.name, scope)
        if expression.rows is not None:
            raise LayoutError(key, "has rows, but is no list", "field, value, join, count or sum")
        return compile_expression(key, expression, scope)

    def _compile_list(
        self, key: str, field: Field, expression: Expression | None, scope: Scope, counts: Mapping[str, str]
    ) -> list[ListOutput]:
        rows = field.name if expression is None else expression.rows
        group = scope.groups.get(rows or "")
        if rows != MESSAGE_ROWS and group is None:
            if expression is not None or field.presence is Presence.REQUIRED:
                wrong = f"has no rows for the list {field.name}"
                allowed = "rows: a list of the response, or message"
                self.problems.append(LayoutError(key, wrong, allowed))
            return []
        inner = scope if group is None else Scope(group, scope)
        each = {} if expression is None else expression.each
        output = self.compile_object(f"{key}.each", field.fields, each, inner)
        is_required = field.presence is Presence.REQUIRED
        return [ListOutput(field.name, rows or "", output, counts.get(field.name, ""), _MAX_LIST, is_required)]


def _find_counts(fields: Sequence[Field], expressions: Mapping[str, Expression]) -> dict[str, str]:
    """Returns the count of each list that counts its rows: `X_cnt` for `X_list`, unless it has an expression."""
    names = {field.name for field in fields}
    counts = {
        field.name: field.name.removesuffix("_list") + "_cnt"
        for field in fields
        if field.type == "array" and field.name.endswith("_list")
    }
    return {name: count for name, count in counts.items() if count in names and count not in expressions}


def compile_answer(
    api: Api, expressions: Mapping[str, Expression], scope: Scope, problems: list[LayoutError]
) -> ObjectOutput:
    """Returns the output of an API's response, without `OWN_FIELDS`; adds what is wrong to `problems`."""
    fields = [field for field in api.response.body if field.name not in OWN_FIELDS]
    return _Compiler(problems).compile_object("answer", fields, expressions, scope)
