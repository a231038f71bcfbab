"""The report for a terminal of 80 columns."""

import unicodedata
from collections.abc import Iterator
from typing import Final

from relay.policy.conformance.case import CASES, INAPPLICABLE
from relay.policy.conformance.outcome import Finding, Report, State
from relay.policy.conformance.reports.phrases import (
    describe_api,
    describe_reason,
    describe_result,
    find_api,
    get_case_title,
    say,
)
from relay.policy.conformance.reports.received import describe_received
from relay.policy.conformance.rules import RULES

COLUMNS: Final = 80
_WIDE: Final = frozenset("WF")


def measure(text: str) -> int:
    """Returns the columns of a text: a Hangul syllable takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in _WIDE else 1 for letter in text)


def wrap(text: str, indent: int, first: str = "") -> list[str]:
    """Returns the lines of a text, broken at spaces, indented; the first one begins with `first`."""
    lines, line = list[str](), first.ljust(indent) if first else " " * indent
    is_empty = True
    for word in text.split():
        if not is_empty and measure(line) + 1 + measure(word) > COLUMNS:
            lines.append(line)
            line, is_empty = " " * indent, True
        line += word if is_empty else f" {word}"
        is_empty = False
    return [*lines, line]


def write_text_report(report: Report, language: str) -> str:
    """Returns the whole report."""
    head = [
        f"{say(language, 'title')}: {report.org_code} ({report.industry})",
        report.base_url,
        f"{report.started_at}  {say(language, 'calls', calls=report.calls)}",
        "",
    ]
    findings = [line for rule in RULES for line in _list_rule(report, rule, language)]
    table = [] if report.problem else [*_list_apis(report, language), "", *_list_untried(report, language)]
    return "\n".join([*head, *findings, *table, describe_summary(report, language), ""])


def describe_summary(report: Report, language: str) -> str:
    """Returns the last line: the result with the numbers of cases."""
    parts = [describe_result(report, language)]
    if remarks := len({each.flaw.rule for each in report.findings if each.is_remark}):
        parts.append(say(language, "remarks", remarks=remarks))
    parts += [f"{say(language, name)} {report.count(state)}" for state, name in _COUNTED]
    return "\n".join(wrap(", ".join(parts), 0))


_COUNTED: Final = (
    (State.PASSED, "passed"),
    (State.BROKEN, "state_broken"),
    (State.NOT_TRIED, "not_tried"),
    (State.NOT_APPLICABLE, "not_applicable"),
)


def _list_rule(report: Report, name: str, language: str) -> Iterator[str]:
    findings = [each for each in report.findings if each.flaw.rule == name]
    if not findings:
        return
    rule = RULES[name]
    kind = f" [{say(language, 'remark')}]" if rule.is_remark else ""
    yield f"{name}{kind}  ({rule.get_source(language)})"
    yield from wrap(rule.expected.get(language), 2)
    for finding in findings:
        yield from _list_finding(report, finding, language)
    yield from wrap(rule.remedy.get(language), 4, f"  > {say(language, 'remedy')}: ")
    yield ""


def _list_finding(report: Report, finding: Finding, language: str) -> Iterator[str]:
    flaw = finding.flaw
    place = f"{describe_api(find_api(report, finding.api_id), language)} / {get_case_title(finding.case, language)}"
    yield from wrap(f"{place} ({say(language, 'answers', answers=finding.answers)})", 4, "  -")
    details = [
        f"{say(language, name)}: {text}"
        for name, text in (
            ("field", flaw.field),
            ("expected", describe_received(flaw.expected, language)),
            ("received", describe_received(flaw.received, language)),
        )
        if text
    ]
    if details:
        yield from wrap("; ".join(details), 6)
    if finding.tran_id:
        yield from wrap(f"{finding.call}  x-api-tran-id: {finding.tran_id}", 6)


def _list_apis(report: Report, language: str) -> Iterator[str]:
    """Yields a line for each API: how many cases passed, how many did not."""
    names = [say(language, name) for _, name in _COUNTED[:3]]
    widths = [max(measure(name), 6) + 2 for name in names]
    yield _align(["", *names], [0, *widths]) + f"  {say(language, 'api')}"
    for api_id in dict.fromkeys(outcome.api_id for outcome in report.outcomes):
        states = [outcome.state for outcome in report.outcomes if outcome.api_id == api_id]
        counts = [str(states.count(state)) for state, _ in _COUNTED[:3]]
        api = find_api(report, api_id)
        name = describe_api(api, language).replace(f" {api_id} ", " ") if api else say(language, "institution")
        yield _align(["", *counts], [0, *widths]) + f"  {name}"


def _align(cells: list[str], widths: list[int]) -> str:
    return "".join(" " * (width - measure(cell)) + cell for cell, width in zip(cells, widths, strict=True))


def _list_untried(report: Report, language: str) -> Iterator[str]:
    """Yields what was not tried, or in part, by reason."""
    places: dict[str, dict[str, list[str]]] = {}
    for outcome in report.outcomes:
        reason = describe_reason(outcome, language)
        if reason and (outcome.reason not in INAPPLICABLE or outcome.reason == "left_out"):
            api = find_api(report, outcome.api_id)
            code = api.api_code if api else say(language, "institution")
            places.setdefault(reason, {}).setdefault(code, []).append(get_case_title(outcome.case, language))
    for reason, codes in places.items():
        yield from wrap(reason, 2)
        parts = [code if _is_all(cases, language) else f"{code} ({', '.join(cases)})" for code, cases in codes.items()]
        yield from wrap(", ".join(parts), 4)
    if places:
        yield ""


def _is_all(cases: list[str], language: str) -> bool:
    """Returns whether these are all cases of an API."""
    return set(cases) >= {case.title.get(language) for case in CASES.values() if case.is_per_api}
