"""The output of `mydata-sandbox demo`: calls under a heading for each party, in 80 columns."""

from collections.abc import Iterable, Iterator

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from mydata_sandbox.operator.client import Call
from mydata_sandbox.parties import (
    DESCRIPTIONS,
    INSTITUTIONS,
    MEDIATED_BY_CODE,
    PORTAL_CODE,
    PORTAL_NAME,
    RELAY_CODE,
    RELAY_NAME,
)

WIDTH = 80
MIN_PATH = 14
"""On a narrower terminal lines are wrapped by the terminal."""

_RUN_IN_CLONE = """\
  make sandbox                       leave relay and sandbox running, call them
                                     yourself (or: mydata-sandbox run)
"""
_RUN = """\
  mydata-sandbox run                 leave relay and sandbox running, call them
                                     yourself
"""
_RUN_WITH_RELAY = """\
  mydata-sandbox run --relay URL     leave the sandbox running, call your relay
                                     yourself
"""
_DEMO_WITH_RELAY = """\
  mydata-sandbox demo --relay URL    make these calls through a relay of yours
"""
_PAGES = """\
  docs/start/operator.md             for operators
  docs/start/institution.md          for institutions
  docs/start/sre.md                  for the operation of a relay
"""
_API, _METHOD, _PATH, _ANSWER, _MS = 17, 4, 36, 9, 7
_INDENT = _API + _METHOD + 2
_SUPPORT = "지원-"
_AUTHENTICATION = ("개별인증-", "통합인증-")


def describe_next_steps(*, has_relay: bool, in_clone: bool) -> str:
    """Returns what to do after a demo. `has_relay` is True with --relay, `in_clone` in a clone of the repository."""
    run = _RUN_IN_CLONE if in_clone else _RUN
    commands = _RUN_WITH_RELAY if has_relay else f"{run}{_DEMO_WITH_RELAY}"
    return f"What to do next:\n{commands}{_PAGES if in_clone else ''}"


def print_calls(console: Console, calls: Iterable[Call]) -> None:
    """Prints all calls by party. A failed call has its reasons below it. A narrow terminal folds the paths."""
    path_width = min(_PATH, max(MIN_PATH, console.width - (WIDTH - _PATH)))
    for heading, group in _group(calls).items():
        ok = sum(call.ok for call in group)
        console.print(Text(f"{heading}  {ok} of {len(group)} ok", style="bold"), width=WIDTH)
        for call in group:
            for line in _iter_lines(call, path_width):
                console.print(line, width=WIDTH, no_wrap=True, overflow="ignore", crop=False)
            for texts, style in ((call.why, "red"), (call.remarks, "yellow")):
                for text in texts:
                    console.print(Padding(Text(text, style=style), (0, 0, 0, 2), expand=False), width=WIDTH)
        console.print()


def describe_failed(calls: Iterable[Call]) -> str:
    """Returns the failed calls in one line, "" without any."""
    failed = [f"{call.api_id} at {call.org_code}" for call in calls if not call.ok]
    return f"failed: {', '.join(failed)}" if failed else ""


def _group(calls: Iterable[Call]) -> dict[str, list[Call]]:
    groups: dict[str, list[Call]] = {}
    for call in calls:
        groups.setdefault(_build_heading(call), []).append(call)
    return groups


def _build_heading(call: Call) -> str:
    if call.api_id.startswith(_SUPPORT):
        return f"{PORTAL_NAME} {PORTAL_CODE}: support APIs, called and served"
    if call.api_id.startswith(_AUTHENTICATION):
        return f"{RELAY_NAME} {RELAY_CODE}: authority of the relay"
    party = MEDIATED_BY_CODE.get(call.org_code)
    if party is not None:
        return f"{party.name} {party.org_code}: {party.industry}, speaks {DESCRIPTIONS[party.speaks]}"
    org_code, name = INSTITUTIONS[call.industry]
    if call.org_code != org_code:
        return f"{call.org_code}: {call.industry}, under development"
    return f"{name} {org_code}: {call.industry}"


def _iter_lines(call: Call, path_width: int) -> Iterator[Text]:
    first, *others = fold_path(call.path, path_width)
    answer = f"{call.status} {call.rsp_code}" if call.status else "-"
    cells = ((call.api_id, _API), (call.method, _METHOD), (first, path_width), (answer, _ANSWER))
    result = ("ok", "green") if call.ok else ("no", "red")
    start = " ".join(set_cell_size(text, size) for text, size in cells)
    yield Text.assemble(f"{start} {call.ms:>{_MS}.1f} ", result)
    yield from (Text(" " * _INDENT + part) for part in others)


def fold_path(path: str, width: int) -> list[str]:
    """Returns a path in lines of at most `width` columns, broken before a slash where that is possible."""
    lines = [""]
    for part in _split(path, width):
        if cell_len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return lines


def _split(path: str, width: int) -> Iterator[str]:
    """Yields the segments of a path, each with its slash, those that are too long in parts."""
    for number, segment in enumerate(path.split("/")):
        text = f"/{segment}" if number else segment
        yield from (text[start : start + width] for start in range(0, len(text), width))
