"""Compiles fields of JSON into a tree of objects, lists and fields."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final

from relay.policy.mediation.errors import LayoutError, ValueFault
from relay.policy.mediation.json_api.notation import JsonItem
from relay.policy.mediation.json_api.values import ValueCodec, build_value_codec
from relay.policy.mediation.mapping.records import Record

_MAX_DEPTH: Final = 2
"""Lists in rows of lists: one level, as the standard has them."""


@dataclass(frozen=True, slots=True, eq=False)
class FieldPlan:
    """A field: its name, the names on its way, codec and value in the file. `key` is its key there."""

    name: str
    keys: tuple[str, ...]
    codec: ValueCodec
    key: str
    constant: str | None = None
    variable: str = ""
    codes: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None

    @property
    def path(self) -> str:
        """The names with dots between them: the name of a parameter of the query, or of a header."""
        return ".".join(self.keys)


@dataclass(frozen=True, slots=True, eq=False)
class ListPlan:
    """A list of objects: its name, and the record of its rows."""

    name: str
    keys: tuple[str, ...]
    rows: "RecordPlan"
    is_optional: bool
    maximum: int


@dataclass(slots=True, eq=False)
class Node:
    """One object of a record: its own fields and lists by member name, and the objects in it.

    `get_values` returns the values of `fields` of an object at once.
    """

    fields: dict[str, list[FieldPlan]] = field(default_factory=dict)
    lists: dict[str, list[ListPlan]] = field(default_factory=dict)
    objects: dict[str, "Node"] = field(default_factory=dict)
    body_lists: list[ListPlan] = field(default_factory=list)
    get_values: Callable[[Any], Any] | None = None

    def complete(self) -> None:
        """Builds `get_values` of this node and of the objects in it."""
        self.get_values = itemgetter(*self.fields) if len(self.fields) > 1 else None
        for node in self.objects.values():
            node.complete()


@dataclass(frozen=True, slots=True, eq=False)
class RecordPlan:
    """The fields and lists of the body, or of the rows of a list, and the tree of objects that they are in."""

    fields: tuple[FieldPlan, ...]
    lists: tuple[ListPlan, ...]
    root: Node

    def describe(self, maximum: int = 0) -> Record:
        """Returns what mapping knows of this record."""
        fields = {plan.name: plan.codec.field for plan in self.fields}
        return Record(fields, {plan.name: plan.rows.describe(plan.maximum) for plan in self.lists}, maximum)

    def iter_fields(self) -> Iterator[FieldPlan]:
        """Yields the fields, with those of lists."""
        yield from self.fields
        for plan in self.lists:
            yield from plan.rows.iter_fields()


def merge_records(first: RecordPlan, second: RecordPlan) -> RecordPlan:
    """Returns the record of both: header and body of a response."""
    fields, lists = first.fields + second.fields, first.lists + second.lists
    return RecordPlan(fields, lists, _build_tree(fields, lists))


def compile_field(
    key: str, item: JsonItem, forms: Mapping[str, str], problems: list[LayoutError], prefix: tuple[str, ...] = ()
) -> FieldPlan | None:
    """Returns the plan of a field, None with a problem."""
    is_variable = item.value is not None and item.value.startswith("$")
    constant = None if is_variable else item.value
    try:
        codec = build_value_codec(item, forms)
        if constant:
            codec.encode(constant)
    except ValueFault as fault:
        problems.append(LayoutError(key, "has a constant that does not fit", fault.expected))
        return None
    variable = item.value[1:] if item.value is not None and is_variable else ""
    name = item.name or ""
    return FieldPlan(name, prefix + item.keys, codec, key, constant, variable, item.codes, item.default)


def compile_record(
    items: Iterable[tuple[str, JsonItem]],
    forms: Mapping[str, str],
    problems: list[LayoutError],
    prefix: tuple[str, ...] = (),
    depth: int = 0,
) -> RecordPlan:
    """Returns the plan of a record; adds what is wrong to `problems`. Paths begin behind `prefix`."""
    fields: list[FieldPlan] = []
    lists: list[ListPlan] = []
    names: set[str] = set()
    for key, item in items:
        name = item.name or item.list or ""
        if name in names:
            problems.append(LayoutError(key, f"repeats the name {name}", "a name for each field and list"))
        names.add(name)
        if item.list is not None:
            lists += _compile_list(key, item, forms, problems, prefix, depth)
        elif item.at == "$":
            problems.append(LayoutError(key, "is the body itself", "a path of names; only a list may be at $"))
        elif (plan := compile_field(key, item, forms, problems, prefix)) is not None:
            fields.append(plan)
            if item.codes or item.default is not None:
                wrong = "translates a value of a response"
                problems.append(LayoutError(key, wrong, "codes and default in answer; here they are for requests"))
    _check_paths(fields, lists, problems)
    return RecordPlan(tuple(fields), tuple(lists), _build_tree(fields, lists))


def _check_paths(fields: Iterable[FieldPlan], lists: Iterable[ListPlan], problems: list[LayoutError]) -> None:
    """Adds a problem for each field whose value would be an object, because others are in it, or a list."""
    list_paths = [plan.keys for plan in lists]
    paths = [plan.keys for plan in fields] + list_paths
    inner = {path[:end] for path in paths for end in range(1, len(path))} | set(list_paths)
    problems += [
        LayoutError(plan.key, f"is at {plan.path}, where an object or a list is", "a path of its own")
        for plan in fields
        if plan.keys in inner
    ]


def _compile_list(
    key: str,
    item: JsonItem,
    forms: Mapping[str, str],
    problems: list[LayoutError],
    prefix: tuple[str, ...],
    depth: int,
) -> list[ListPlan]:
    if depth >= _MAX_DEPTH:
        problems.append(LayoutError(key, "is nested too deeply", "lists in rows, one level"))
        return []
    inner = [(f"{key}.fields[{index}]", entry) for index, entry in enumerate(item.fields)]
    rows = compile_record(inner, forms, problems, (), depth + 1)
    keys = prefix + item.keys
    if depth and not keys:
        problems.append(LayoutError(key, "is the row itself", "a path of names"))
    return [ListPlan(item.list or "", keys, rows, item.optional, item.max)]


def _build_tree(fields: Iterable[FieldPlan], lists: Iterable[ListPlan]) -> Node:
    root = Node()
    for plan in fields:
        _find_node(root, plan.keys[:-1]).fields.setdefault(plan.keys[-1], []).append(plan)
    for entry in lists:
        if entry.keys:
            _find_node(root, entry.keys[:-1]).lists.setdefault(entry.keys[-1], []).append(entry)
        else:
            root.body_lists.append(entry)
    root.complete()
    return root


def _find_node(node: Node, keys: tuple[str, ...]) -> Node:
    for key in keys:
        node = node.objects.setdefault(key, Node())
    return node
