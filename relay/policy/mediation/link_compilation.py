"""Compiles the link of an institution that speaks telegrams: header, length, response codes and line management."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from relay.domain.api import SUCCESS
from relay.policy.mediation.conversion import CONTEXT_NAMES, RspCodes
from relay.policy.mediation.errors import ValueFault
from relay.policy.mediation.file_checks import FileProblems, check_response_codes
from relay.policy.mediation.link import Link
from relay.policy.mediation.settings import Management, TelegramLink
from relay.policy.mediation.telegram.codec import Kind, find_misfit
from relay.policy.mediation.telegram.encoding import translate
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
    first = len(link.header) - len(header)
    plan = compile_message(header, "fields", (), link.charset, file.problems, first)
    if len(plan.header) > 1 or not all(isinstance(part, Run) for part in plan.header):
        file.add("header", "has a list or an optional part", "fields alone")
    fields = list(iter_fields(plan.header))
    check_variables(fields, frozenset(), file)
    names = _find_names(fields, file)
    _check_kinds(link, fields, file)
    if "kind" not in names and link.management is not None:
        file.add("header", "has no message type, which line management needs", "a field = $kind")
    _check_length_field(link, fields, file)
    if link.customer == "unchecked":
        wrong = "is unchecked: the core cannot know whose account a call asks for"
        file.warn("customer", wrong, "a field = $user_ci in each request, once the core can take the CI")
    codes = link.response_code
    check_response_codes("response_code.codes", codes.codes, file, rsp_codes)
    for field in fields:
        for code in codes.codes if field.name == codes.field else ():
            check_code(f"response_code.codes.{code}", field, code, file)
    if SUCCESS not in codes.codes.values():
        file.add("response_code.codes", "has no success", f"a code of the core with the value '{SUCCESS}'")
    line = None
    if link.management is not None:
        line = compile_message(header, "management.fields", link.management.fields, link.charset, file.problems, first)
        _check_management(link.management, codes.field, line, file)
        if link.management.shares_kinds(link.kinds) and link.management.field != names.get("code"):
            wrong = "has a message type of kinds: data telegrams would be taken for line management"
            allowed = "other types than kinds, or field: the field = $code of the header"
            file.add("management.kinds", wrong, allowed)
    smallest = get_size(plan.header)
    ok = None if link.management is None else link.management.ok
    success = next((code for code, rsp_code in codes.codes.items() if rsp_code == SUCCESS), "")
    return Link(link, Framing(link.framing, smallest), plan, line, names, success if ok is None else ok)


def _check_length_field(link: TelegramLink, fields: Iterable[FieldPlan], file: FileProblems) -> None:
    for field in fields:
        place = (field.offset, field.codec.length)
        if field.variable == "length" and place != (link.framing.offset, link.framing.length):
            allowed = f"{link.framing.length} bytes at offset {link.framing.offset}, as framing says"
            file.add(field.key, "has the length at another place than the framing", allowed)


def _find_names(fields: Sequence[FieldPlan], file: FileProblems) -> dict[str, str]:
    """Returns the fields that identify telegrams. Others may have the same value as a code, for example a direction."""
    names: dict[str, str] = {}
    for field in fields:
        if field.variable not in _HEADER_NAMES or field.item.codes:
            continue
        if field.variable in names:
            allowed = "one such field; another one needs codes"
            file.add(field.key, f"is a second field = ${field.variable}, beside {names[field.variable]}", allowed)
        names.setdefault(field.variable, field.name)
    for field in fields:
        if field.variable in _HEADER_NAMES and field.variable not in names:
            wrong = f"has ${field.variable} as a code, and no field has it itself"
            file.add(field.key, wrong, f"another field = ${field.variable} without codes")
    return names


def _check_kinds(link: TelegramLink, fields: Iterable[FieldPlan], file: FileProblems) -> None:
    """Adds message types that do not fit in their fields."""
    owners = [("kinds", link.kinds)]
    if link.management is not None:
        owners.append(("management.kinds", link.management.kinds))
    for field in fields:
        if field.variable == "kind":
            for key, kinds in owners:
                check_code(f"{key}.request", field, kinds.request, file)
                check_code(f"{key}.response", field, kinds.response, file)


def check_code(key: str, field: FieldPlan, code: str, file: FileProblems) -> None:
    """Adds a problem for a code that its field cannot have, or that reads as another one."""
    try:
        text = translate(field, code) if field.item.codes else code
    except ValueFault as fault:
        file.add(key, f"does not fit in the field {field.name}", fault.expected)
        return
    misfit = find_misfit(field.codec, text)
    if misfit is not None:
        file.add(key, f"{misfit[0]} the field {field.name}", misfit[1])


def _check_management(management: Management, response_code: str, line: MessagePlan, file: FileProblems) -> None:
    """Adds problems of line management: an unknown field, and values that do not fit in their fields."""
    fields = {field.name: field for field in iter_fields(line.parts)}
    if management.field not in fields:
        file.add("management.field", "is no field of the telegram", "one of " + ", ".join(sorted(fields)))
    actions: dict[str, str] = {}
    for action, code in management.codes.items():
        if actions.setdefault(code, action) != action:
            wrong = f"is also the code of {actions[code]}: telegrams of the core could be either"
            file.add(f"management.codes.{action}", wrong, "a code for each action")
    values = [(f"codes.{action}", management.field, code) for action, code in management.codes.items()]
    if management.ok is not None:
        values.append(("ok", response_code, management.ok))
    for key, name, value in values:
        if name in fields:
            check_code(f"management.{key}", fields[name], value, file)
    field = fields.get(management.field)
    if field is not None and (field.constant is not None or field.variable not in {"", "code"}):
        wrong = f"names a field that always has {field.item.value}"
        file.add("management.field", wrong, "a field without value, or a field = $code")


def check_variables(fields: Iterable[FieldPlan], parameters: frozenset[str], file: FileProblems) -> None:
    """Adds a problem for each field with an unknown value, or with values that do not fit in it."""
    for field in fields:
        _check_values(field, file)
        name = field.variable
        if name and name not in CONTEXT_NAMES and name not in parameters and not name.startswith("key."):
            allowed = "one of $" + ", $".join([*CONTEXT_NAMES, *sorted(parameters)])
            file.add(field.key, f"has the unknown value ${name}", allowed)


def _check_values(field: FieldPlan, file: FileProblems) -> None:
    """Adds codes and a default that cannot be encoded, and values for none that are longer than the field."""
    item, length = field.item, field.codec.length
    values = [(f"codes.{value}", code) for value, code in item.codes.items()]
    for key, code in [*values, ("default", item.default or "")]:
        try:
            field.codec.encode(code)
        except ValueFault as fault:
            file.add(f"{field.key}.{key}", f"does not fit in the field {field.name}", fault.expected)
    for code in item.blank:
        if len(code) > length:
            file.add(f"{field.key}.blank", f"has {code}, longer than the field", f"at most {length} characters")


def iter_all_fields(parts: Sequence[Part]) -> list[FieldPlan]:
    """Returns the fields of a record with those of its groups, without fillers."""
    fields = [plan for plan in iter_fields(parts) if plan.codec.kind is not Kind.FILLER]
    for group in find_groups(parts).values():
        fields += iter_all_fields(group.parts)
    return fields
