"""Golden files in the folder of layouts: recorded telegrams (NAME.telegram), and what they must become (NAME.json)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from relay.infra.files.regular import describe_read_error, read_file
from relay.policy.mediation.answer_places import find_place
from relay.policy.mediation.conversion import Conversion
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.field_uses import find_answer_uses
from relay.policy.mediation.golden import (
    Difference,
    GoldenResult,
    build_call,
    compare_outcomes,
    derive_call,
    read_stream,
    run_golden,
)
from relay.policy.mediation.telegram_reading import split_telegrams
from relay.runtime.commands.telegram.layouts import Layouts
from relay.runtime.commands.telegram.telegram_input import MAX_BYTES, NotHex, parse_input
from relay.runtime.settings.problems import format_path

SUFFIX: Final = ".telegram"
EXPECTATION: Final = ".json"
_ANSWER: Final = "answer."


@dataclass(slots=True)
class GoldenReport:
    """The result of one golden file. `problem` says why it could not be run; `written` whether its JSON is new."""

    file: Path
    api: str = ""
    problem: str = ""
    differences: list[Difference] = field(default_factory=list)
    written: bool = False

    @property
    def is_ok(self) -> bool:
        """Whether the telegrams become what the JSON file says."""
        return not self.problem and not self.differences


class _Unusable(Exception):
    """A golden file cannot be run; the message says why and what is expected."""


def find_golden_files(folder: Path) -> list[Path]:
    """Returns the golden files of a folder of layouts, also those in its folders."""
    return sorted(path for path in folder.rglob(f"*{SUFFIX}") if path.is_file())


def check_golden(layouts: Layouts, file: Path, *, write: bool, update: bool) -> GoldenReport:
    """Runs one golden file and compares it with its JSON file.

    `write` writes a missing JSON file, `update` also one that differs. A new one is compared, too: the recorded request
    may be another one than the relay sends.
    """
    report = GoldenReport(file)
    try:
        _check(layouts, report, write=write, update=update)
    except _Unusable as error:
        report.problem = str(error)
    return report


def _check(layouts: Layouts, report: GoldenReport, *, write: bool, update: bool) -> None:
    expectation = report.file.with_suffix(EXPECTATION)
    expected = _read_expectation(expectation)
    data = _read_telegrams(layouts, report.file)
    conversion = _find_conversion(layouts, report.file, data, expected)
    report.api = conversion.name
    if expected is None:
        if not (write or update):
            raise _Unusable(f"has no {expectation.name}; `relay telegram test --write` writes it")
        expected = _run_new(layouts, conversion, data)
        _write(expectation, expected)
        report.written = True
    result = _run(layouts, conversion, data, expected)
    report.differences = _locate(layouts, conversion, result, compare_outcomes(expected, result))
    if report.differences and update and not report.written:
        same_bytes = {} if expected.get("same_bytes", True) else {"same_bytes": False}
        _write(expectation, {**result.outcome, **same_bytes})
        report.differences, report.written = list(result.differences), True


def _locate(
    layouts: Layouts, conversion: Conversion, result: GoldenResult, differences: list[Difference]
) -> list[Difference]:
    """Returns the differences; those of the answer with the place of the field that they come from."""
    uses = find_answer_uses(conversion.api, layouts.messages[conversion.name], conversion)
    located = []
    for each in differences:
        place = (each.telegram, each.offset)
        if each.field.startswith(_ANSWER):
            place = find_place(each.field.removeprefix(_ANSWER), uses, result.telegrams)
        located.append(Difference(*place, each.field, each.text))
    return located


def _read_expectation(path: Path) -> Mapping[str, Any] | None:
    if not path.exists():
        return None
    try:
        values = json.loads(read_file(path, MAX_BYTES))
    except OSError as error:
        raise _Unusable(describe_read_error(path, error)) from None
    except (ValueError, RecursionError) as error:
        text = f" ({error})" if isinstance(error, json.JSONDecodeError) else ""
        raise _Unusable(f"{path.name} is no JSON{text}") from None
    if not isinstance(values, dict):
        raise _Unusable(f"{path.name} is no JSON object")
    return values


def _read_telegrams(layouts: Layouts, path: Path) -> bytes:
    try:
        content = read_file(path, MAX_BYTES + 1)
    except OSError as error:
        raise _Unusable(describe_read_error(path, error)) from None
    if len(content) > MAX_BYTES:
        raise _Unusable(f"is too large; expected: at most {MAX_BYTES} bytes")
    try:
        return parse_input(content, layouts.link.framing)
    except NotHex as error:
        raise _Unusable(str(error)) from None


def _find_conversion(layouts: Layouts, path: Path, data: bytes, expected: Mapping[str, Any] | None) -> Conversion:
    """Returns the API of a golden file: that of its JSON, of its name (BA04.first.telegram), or of its telegrams."""
    conversions = layouts.institution.conversions
    named = str((expected or {}).get("api") or path.name.partition(".")[0].upper())
    if named in conversions:
        return conversions[named]
    try:
        headers = [layouts.link.read_header(each) for each in split_telegrams(layouts.link, data)]
    except ConversionError as error:
        raise _Unusable(str(error)) from None
    for header in headers:
        conversion = layouts.find_by_code(header.code)
        if conversion is not None:
            return conversion
    names = ", ".join(conversions)
    raise _Unusable(f"its API is unknown; expected: a name that begins with one of {names}, like BA04.first{SUFFIX}")


def _run(layouts: Layouts, conversion: Conversion, data: bytes, expected: Mapping[str, Any]) -> GoldenResult:
    try:
        golden = build_call(conversion, expected)
        telegrams = read_stream(layouts.link, conversion, data)
    except (ValueError, ConversionError) as error:
        raise _Unusable(str(error)) from None
    same_bytes = expected.get("same_bytes", True) is not False
    return run_golden(layouts.link, conversion, telegrams, golden, same_bytes=same_bytes)


def _run_new(layouts: Layouts, conversion: Conversion, data: bytes) -> dict[str, Any]:
    """Returns the content of a new JSON file. Raises _Unusable when no request of the relay leads to the telegrams."""
    try:
        telegrams = read_stream(layouts.link, conversion, data)
    except ConversionError as error:
        raise _Unusable(str(error)) from None
    if not telegrams:
        raise _Unusable("has no telegram of an API; expected: at least one response")
    golden = derive_call(conversion, telegrams)
    result = run_golden(layouts.link, conversion, telegrams, golden, same_bytes=True)
    if not result.differences:
        return result.outcome
    result = run_golden(layouts.link, conversion, telegrams, golden, same_bytes=False)
    return {**result.outcome, "same_bytes": False}


def _write(path: Path, values: Mapping[str, Any]) -> None:
    try:
        path.write_text(json.dumps(values, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise _Unusable(f"{path.name} cannot be written ({error.strerror})") from None


def iter_lines(report: GoldenReport) -> Iterator[str]:
    """Yields the lines about one golden file for people."""
    if report.problem:
        yield f"FAILED  {format_path(report.file)}: {report.problem}"
        return
    state = "FAILED" if report.differences else "written" if report.written else "ok"
    yield f"{state:<7} {format_path(report.file)}"
    for difference in report.differences:
        place = f"telegram {difference.telegram}: " if difference.telegram else ""
        offset = f"offset {difference.offset}: " if difference.offset >= 0 else ""
        yield f"        {place}{offset}{difference.field}: {difference.text}"
