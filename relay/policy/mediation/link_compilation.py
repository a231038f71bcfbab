"""Compiles the link of an institution that speaks telegrams: header, length, response codes and line management."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from relay.domain.api import SUCCESS
from relay.policy.mediation.conversion import CONTEXT_NAMES, RspCodes
from relay.policy.mediation.errors import ValueFault
from relay.policy.mediation.file_checks import FileProblems, check_response_codes
from relay.policy.mediation.link import Link
from relay.policy.mediation.settings import Management, TelegramLink
from relay.policy.mediation.telegram.codec import Kind
from relay.policy.mediation.telegram.framing import Framing
from relay.policy.mediation.telegram.notation import Item
from relay.policy.mediation.telegram.plan import (
    FieldPlan,
    MessagePlan,
    Part,
    Run,
    compile_message,
    find_groups,
    get_size,
    iter_fields,
)

_HEADER_NAMES: Final = ("kind", "code", "unique_number")


def complete_header(link: TelegramLink, file: FileProblems) -> Sequence[Item]:
    """Returns the header with its length field, which may be left out where it is the first field."""
    framing = link.framing
    if any(item.value == "$length" for item in link.header):
        return link.header
    if framing.offset:
        file.add("header", "has no length field", f"a field = $length at offset {framing.offset}")
    kind: Literal["n", "binary"] = "n" if framing.encoding == "ascii" else "binary"
    length = Item(
        name="length",
        type=kind,
        length=framing.length,
        unsigned=kind == "binary",
        little=framing.encoding == "little",
        value="$length",
    )
    return (length, *link.header)


def compile_link(link: TelegramLink, file: FileProblems, rsp_codes: RspCodes) -> Link:
    """Returns the compiled `link.yaml`; adds what is wrong with it to `file`."""
    header = complete_header(link, file)
    plan = compile_message(header, "fields", (), link.charset, file.problems)
    if len(plan.header) > 1 or not all(isinstance(part, Run) for part in plan.header):
        file.add("header", "has a list or an optional part", "fields alone")
    fields = list(iter_fields(plan.header))
    check_variables(fields, frozenset(), file)
    names = {field.variable: field.name for field in fields if field.variable in _HEADER_NAMES}
    if "kind" not in names and link.management is not None:
        file.add("header", "has no message type, which line management needs", "a field = $kind")
    for field in fields:
        place = (field.offset, field.codec.length)
        if field.variable == "length" and place != (link.framing.offset, link.framing.length):
            allowed = f"{link.framing.length} bytes at offset {link.framing.offset}, as framing says"
            file.add(field.key, "has the length at another place than the framing", allowed)
    if link.customer == "unchecked":
        wrong = "is unchecked: the core cannot know whose account a call asks for"
        file.warn("customer", wrong, "a field = $user_ci in each request, once the core can take the CI")
    check_response_codes("response_code.codes", link.response_code.codes, file, rsp_codes)
    if SUCCESS not in link.response_code.codes.values():
        file.add("response_code.codes", "has no success", f"a code of the core with the value '{SUCCESS}'")
    line = None
    if link.management is not None:
        line = compile_message(header, "management.fields", link.management.fields, link.charset, file.problems)
        _check_management(link.management, link.response_code.field, line, file)
    smallest = get_size(plan.header)
    return Link(link, Framing(link.framing, smallest), plan, line, names)


def _check_management(management: Management, response_code: str, line: MessagePlan, file: FileProblems) -> None:
    """Adds problems of line management: an unknown field, and values that do not fit in their fields."""
    fields = {field.name: field for field in iter_fields(line.parts)}
    if management.field not in fields:
        file.add("management.field", "is no field of the telegram", "one of " + ", ".join(sorted(fields)))
    values = [(f"codes.{action}", management.field, code) for action, code in management.codes.items()]
    for key, name, value in (*values, ("ok", response_code, management.ok)):
        if name not in fields:
            continue
        try:
            fields[name].codec.encode(value)
        except ValueFault as fault:
            file.add(f"management.{key}", f"does not fit in the field {name}", fault.expected)


def check_variables(fields: Iterable[FieldPlan], parameters: frozenset[str], file: FileProblems) -> None:
    """Adds a problem for each field with an unknown value."""
    for field in fields:
        name = field.variable
        if name and name not in CONTEXT_NAMES and name not in parameters and not name.startswith("key."):
            allowed = "one of $" + ", $".join([*CONTEXT_NAMES, *sorted(parameters)])
            file.add(field.key, f"has the unknown value ${name}", allowed)


def iter_all_fields(parts: Sequence[Part]) -> list[FieldPlan]:
    """Returns the fields of a record with those of its groups, without fillers."""
    fields = [plan for plan in iter_fields(parts) if plan.codec.kind is not Kind.FILLER]
    for group in find_groups(parts).values():
        fields += iter_all_fields(group.parts)
    return fields
