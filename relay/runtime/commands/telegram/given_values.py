"""Values that people give to commands: NAME=VALUE arguments and JSON files."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from relay.domain.korea import format_timestamp, parse_timestamp
from relay.infra.files.regular import read_file
from relay.policy.mediation.conversion import Call, Conversion
from relay.runtime.commands.printing import EXIT_UNUSABLE, exit_with

MAX_BYTES: Final = 4_194_304
HEADER_NAMES: Final = ("org_code", "user_ci", "client_id", "tran_id", "api_type")
"""Values of a call that are no parameters of the API."""
_TEST_VALUES: Final[Mapping[str, str]] = {
    "user_ci": "C" * 88,
    "client_id": "client",
    "tran_id": "M" + "0" * 24,
    "api_type": "user-search",
}


def read_values(arguments: Sequence[str], file: Path | None) -> dict[str, Any]:
    """Returns the values of NAME=VALUE arguments and of a JSON file; arguments win. Ends the command for others."""
    values: dict[str, Any] = {} if file is None else _read_json(file)
    for argument in arguments:
        name, sign, value = argument.partition("=")
        if not sign or not name:
            exit_with(f"{argument}: is no value; expected: NAME=VALUE", EXIT_UNUSABLE)
        values[name] = value
    return values


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = read_file(path, MAX_BYTES + 1)
    except OSError as error:
        exit_with(f"{path}: cannot be read ({error.strerror}); expected: a JSON object of values", EXIT_UNUSABLE)
    if len(content) > MAX_BYTES:
        exit_with(f"{path}: is too large; expected: at most {MAX_BYTES} bytes", EXIT_UNUSABLE)
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        text = f": {error}" if isinstance(error, json.JSONDecodeError) else ""
        exit_with(f"{path}: is no JSON{text}; expected: an object of values by name", EXIT_UNUSABLE)
    if not isinstance(values, dict):
        exit_with(f"{path}: is no JSON object; expected: values by name", EXIT_UNUSABLE)
    return values


def check_names(values: Mapping[str, Any], allowed: Collection[str], kind: str) -> None:
    """Ends the command for names that are not allowed."""
    unknown = sorted(set(values) - set(allowed))
    if unknown:
        exit_with(f"{', '.join(unknown)}: no {kind}; expected: {', '.join(sorted(allowed))}", EXIT_UNUSABLE)


def build_call(conversion: Conversion, values: Mapping[str, Any], org_code: str) -> Call:
    """Returns the call with these parameters. Values that identify a caller have a fictitious default.

    Ends the command for names that the API does not have, and without the asset that it asks for.
    """
    check_names(values, {*conversion.parameters, *HEADER_NAMES}, f"parameter of {conversion.name}")
    texts = {name: _to_text(name, value) for name, value in values.items()}
    asset = conversion.api.asset
    if asset is not None and not texts.get(asset.field):
        exit_with(f"{asset.field}: is missing; expected: {asset.field}=VALUE, the asset of the call", EXIT_UNUSABLE)
    caller = dict(_TEST_VALUES)
    caller.update({name: texts.pop(name) for name in _TEST_VALUES if name in texts})
    code = texts.get("org_code") or org_code
    return Call(code, {"org_code": code, **texts}, consent="tool", **caller)


def _to_text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        exit_with(f"{name}: is neither text nor a whole number; expected: a value in quotes", EXIT_UNUSABLE)
    return str(value)


def parse_moment(text: str | None, now: float) -> float:
    """Returns the moment YYYYMMDDHHMMSS in Korea, `now` without one. Ends the command for another form."""
    if text is None:
        return now
    try:
        return float(parse_timestamp(text))
    except ValueError:
        exit_with(f"{text}: is no time; expected: YYYYMMDDHHMMSS, like {format_timestamp(now)}", EXIT_UNUSABLE)
