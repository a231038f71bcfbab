"""Golden files: recorded telegrams of one call, and the values and the answer that they must become.

`run_golden` replays a call with its recorded responses. Its result has the same form as the expectation in the JSON
file, so that a test is the comparison of two JSON objects, and a new file is the result itself.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from relay.domain.fault import Refusal
from relay.domain.korea import parse_timestamp
from relay.policy.mediation.conversion import Call, Conversion
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.inspection import encode_message
from relay.policy.mediation.link import Link
from relay.policy.mediation.located_values import find_changed_field
from relay.policy.mediation.paging.collection import PageCollection
from relay.policy.mediation.paging.seal import Position, compute_binding
from relay.policy.mediation.telegram.plan import MessagePlan
from relay.policy.mediation.telegram_reading import (
    TOOL_SEAL,
    ReadTelegram,
    Side,
    build_telegram_values,
    open_position,
    read_telegram,
    split_telegrams,
)

CALL_NAMES: Final = ("user_ci", "client_id", "tran_id", "api_type")
SEALED: Final = "(sealed)"
"""What stands for a next_page; its position is in `next`."""

_NOW: Final = 1_800_000_000.0
"""The time of requests that are not recorded."""


@dataclass(frozen=True, slots=True)
class GoldenCall:
    """The call of a golden file. `key` is the continuation key with which it begins, () for the first page."""

    call: Call
    key: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Returns the call as the JSON file has it."""
        call = self.call
        parameters = {name: value for name, value in call.parameters.items() if name not in {"org_code", "next_page"}}
        others = {name: value for name in CALL_NAMES if (value := getattr(call, name))}
        key = {"key": list(self.key)} if any(self.key) else {}
        return {"org_code": call.org_code, "parameters": parameters, **others, **key}


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: the telegram (counted from 1, 0 for the answer), the offset in it or -1, the field, and what."""

    telegram: int
    offset: int
    field: str
    text: str


@dataclass(slots=True)
class GoldenResult:
    """What recorded telegrams become. `values` has each telegram's fields; `differences` those of encoding again."""

    outcome: dict[str, Any]
    telegrams: list[ReadTelegram]
    differences: list[Difference] = field(default_factory=list)


def read_stream(link: Link, conversion: Conversion, data: bytes) -> list[ReadTelegram]:
    """Returns the telegrams of a recorded call without those of line management. Raises ConversionError."""
    telegrams = [read_telegram(link, [conversion], each) for each in split_telegrams(link, data)]
    return [telegram for telegram in telegrams if telegram.side is not Side.LINE]


def derive_call(conversion: Conversion, telegrams: Sequence[ReadTelegram]) -> GoldenCall:
    """Returns the call that recorded telegrams show: values of the request, and values that a response repeats."""
    values: dict[str, str] = {}
    key: dict[str, str] = {}
    for telegram in telegrams:
        for name, value in _iter_call_values(conversion, telegram):
            if name.startswith("key"):
                key.setdefault(name.removeprefix("key").removeprefix("."), value)
            elif value:
                values.setdefault(name, value)
    rows = values.pop("rows", "")
    parameters = {name: value for name, value in values.items() if name in conversion.parameters}
    if conversion.paged_list and conversion.paging is not None:
        limit = int(rows or 0) if telegrams[0].side is Side.REQUEST else 0
        parameters["limit"] = str(limit if 0 < limit < conversion.paging.rows else 500)
    org_code = values.get("org_code", "")
    others = {name: values[name] for name in CALL_NAMES if name in values}
    position = tuple(key.get(name, "") for name in conversion.paging.key) if conversion.paging is not None else ()
    if "" in key and position:
        position = (key[""], *position[1:])
    is_first = telegrams[0].side is not Side.REQUEST or not any(position)
    return GoldenCall(Call(org_code, {**parameters, "org_code": org_code}, **others), () if is_first else position)


def _iter_call_values(conversion: Conversion, telegram: ReadTelegram) -> Iterator[tuple[str, str]]:
    for value in telegram.values:
        plan = value.plan
        if plan is None or value.depth:
            continue
        name = plan.variable or (plan.name if telegram.side is Side.REQUEST else "")
        text = {code: text for text, code in plan.item.codes.items()}.get(value.value, value.value)
        is_position = name in {"rows", "key"} or name.startswith("key.")
        if name in {*conversion.parameters, *CALL_NAMES, "org_code"} or (is_position and telegram.side is Side.REQUEST):
            yield name, text


def build_call(conversion: Conversion, given: Mapping[str, Any]) -> GoldenCall:
    """Returns the call of a JSON file. Raises ValueError for a form that it cannot have."""
    parameters = given.get("parameters", {})
    if not isinstance(parameters, dict) or not all(isinstance(value, str) for value in parameters.values()):
        raise ValueError("parameters: expected: an object of texts")
    unknown = sorted(set(parameters) - conversion.parameters)
    if unknown:
        known = ", ".join(sorted(conversion.parameters))
        raise ValueError(f"parameters.{unknown[0]}: is no parameter of {conversion.name}; expected: one of {known}")
    org_code = str(given.get("org_code", ""))
    others = {name: str(given[name]) for name in CALL_NAMES if name in given}
    key = given.get("key", [])
    if not isinstance(key, list):
        raise ValueError("key: expected: a list, the continuation key of the first request")  # noqa: TRY004 - of a file
    return GoldenCall(Call(org_code, {**parameters, "org_code": org_code}, **others), tuple(map(str, key)))


def _begin(golden: GoldenCall, conversion: Conversion) -> Call:
    """Returns the call with a next_page for its continuation key."""
    call = golden.call
    if not any(golden.key):
        return call
    binding = compute_binding(call.consent, call.org_code, conversion.name, call.parameters)
    cursor = TOOL_SEAL.seal(Position(golden.key), binding)
    parameters = {**call.parameters, "next_page": cursor}
    return Call(call.org_code, parameters, call.tran_id, call.api_type, call.client_id, call.user_ci, call.consent)


def run_golden(
    link: Link, conversion: Conversion, telegrams: Sequence[ReadTelegram], golden: GoldenCall, *, same_bytes: bool
) -> GoldenResult:
    """Returns what the recorded telegrams of a call become.

    Recorded requests must be those that the relay sends. Unless `same_bytes` is False, each response must be the same
    bytes when its values are encoded again; fillers may differ.
    """
    outcome: dict[str, Any] = {"api": conversion.name, **golden.describe()}
    outcome["telegrams"] = [
        {"message": str(telegram.side), "values": build_telegram_values(telegram)} for telegram in telegrams
    ]
    result = GoldenResult(outcome, list(telegrams))
    try:
        _replay(conversion, result, _begin(golden, conversion))
    except ConversionError as error:
        outcome["error"] = str(error)
    except Refusal as refusal:
        outcome["error"] = f"{conversion.name}: {refusal.detail}: refused with {refusal.fault.rsp_code}"
    if same_bytes:
        for number, telegram in enumerate(telegrams, 1):
            result.differences += _encode_again(link, number, telegram)
    return result


def _replay(conversion: Conversion, result: GoldenResult, call: Call) -> None:
    collection = PageCollection(conversion, call, TOOL_SEAL)
    request: tuple[int, ReadTelegram] | None = None
    for number, telegram in enumerate(result.telegrams, 1):
        if telegram.side is Side.REQUEST:
            request = number, telegram
            continue
        if collection.is_complete:
            text = "comes after the last telegram of the page; expected: no more telegrams"
            result.differences.append(Difference(number, 0, "telegram", text))
            break
        model = telegram if request is None else request[1]
        built = collection.build_request(_get_number(model), _find_moment(model))
        if request is not None:
            result.differences += _compare_request(*request, built)
        request = None
        collection.accept(telegram.data)
    collection.stop()
    if not collection.is_complete:
        raise ConversionError(f"{conversion.name} response", -1, "telegrams", "at least one response")
    answer = collection.build_answer()
    body = json.loads(answer.body)
    result.outcome |= {"status": answer.status, "rsp_code": answer.rsp_code, "core_code": answer.core_code}
    if "next_page" in body:
        position = open_position(body["next_page"], call, conversion)
        body["next_page"] = SEALED
        result.outcome["next"] = {"key": list(position.key), "skip": position.skip}
    result.outcome["answer"] = body


def _get_number(telegram: ReadTelegram) -> str:
    return "" if telegram.header is None else telegram.header.unique_number


def _find_moment(telegram: ReadTelegram) -> float:
    """Returns the time of a recorded request, which the request that is built must have, too."""
    times = {value.plan.variable: value.value for value in telegram.values if value.plan is not None}
    moment = times.get("now") or times.get("today", "") + (times.get("time") or "000000")
    try:
        return float(parse_timestamp(moment))
    except ValueError:
        return _NOW


def _compare_request(number: int, recorded: ReadTelegram, built: bytes) -> list[Difference]:
    changed = find_changed_field(recorded.values, built)
    if changed is None and len(built) == len(recorded.data):
        return []
    if changed is None:
        text = f"the recorded request has {len(recorded.data)} bytes, that of the relay {len(built)}"
        return [Difference(number, 0, "length", text)]
    text = "the relay sends another value than the recorded request has"
    return [Difference(number, changed.offset, changed.path, text)]


def _encode_again(link: Link, number: int, telegram: ReadTelegram) -> list[Difference]:
    """Returns where a response is not the same bytes when its values are encoded again."""
    conversion = telegram.conversion
    if telegram.side is not Side.RESPONSE or conversion is None or telegram.error is not None:
        return []
    plan = conversion.response
    if not any(value.offset >= link.framing.smallest for value in telegram.values):
        plan = MessagePlan(plan.header, ())  # the body of a failure is not decoded
    try:
        encoded = encode_message(telegram.name, plan, build_telegram_values(telegram))
    except ConversionError as error:
        return [Difference(number, error.offset, error.field, f"cannot be encoded again: expected {error.expected}")]
    values = [value for value in telegram.values if value.plan is None or value.plan.variable != "length"]
    changed = find_changed_field(values, encoded)
    if changed is None:
        return []
    return [Difference(number, changed.offset, changed.path, "has other bytes when its value is encoded again")]


def compare_outcomes(expected: Mapping[str, Any], result: GoldenResult) -> list[Difference]:
    """Returns all differences of a result from the JSON file: of values with their offset, then of the answer."""
    differences = list(result.differences)
    if "error" in result.outcome and "error" not in expected:
        return [*differences, _locate_error(result)]
    expected_telegrams = expected.get("telegrams", [])
    if not isinstance(expected_telegrams, list):
        expected_telegrams = []
    telegrams = result.outcome["telegrams"]
    if len(expected_telegrams) != len(telegrams):
        text = f"has {len(telegrams)} telegrams, the JSON file {len(expected_telegrams)}"
        differences.append(Difference(0, -1, "telegrams", text))
    for number, (left, right) in enumerate(zip(expected_telegrams, telegrams, strict=False), 1):
        offsets = {value.path: value.offset for value in result.telegrams[number - 1].values}
        for path, text in compare_json(left, right, ""):
            name = path.removeprefix("values.")
            differences.append(Difference(number, offsets.get(name, -1), name, text))
    rest = (name for name in {**expected, **result.outcome} if name not in {"telegrams", "same_bytes"})
    for name in rest:
        for path, text in compare_json(expected.get(name), result.outcome.get(name), name):
            differences.append(Difference(0, -1, path, text))
    return differences


def _locate_error(result: GoldenResult) -> Difference:
    """Returns the error of a replay as a difference: without an answer all other differences follow from it."""
    for number, telegram in enumerate(result.telegrams, 1):
        error = telegram.error
        if error is not None:
            return Difference(number, error.offset, error.field, f"cannot be decoded: expected {error.expected}")
    return Difference(0, -1, "error", f"expected an answer, is {_quote(result.outcome['error'])}")


def compare_json(expected: Any, actual: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yields the path and the text of each difference of two JSON values."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name in {**expected, **actual}:
            yield from compare_json(expected.get(name), actual.get(name), f"{path}.{name}" if path else name)
    elif isinstance(expected, list) and isinstance(actual, list):
        for index in range(max(len(expected), len(actual))):
            left, right = (values[index] if index < len(values) else None for values in (expected, actual))
            yield from compare_json(left, right, f"{path}[{index}]")
    elif expected != actual:
        yield path, f"expected {_quote(expected)}, is {_quote(actual)}"


def _quote(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
