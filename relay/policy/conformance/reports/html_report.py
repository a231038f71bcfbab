"""The report as one HTML page: no other file, no script, no network. Prints on A4."""

import html
from collections.abc import Iterator
from typing import Final

from relay.policy.conformance.case import API_CASES, WHOLE_CASES
from relay.policy.conformance.outcome import WHOLE, Finding, Outcome, Report, State
from relay.policy.conformance.reports.phrases import (
    STATE_PHRASES,
    describe_api,
    describe_reason,
    describe_result,
    find_api,
    get_case_title,
    say,
)
from relay.policy.conformance.reports.received import describe_received
from relay.policy.conformance.rule import GROUP_TITLES
from relay.policy.conformance.rules import RULES

_SIGNS: Final = {
    State.PASSED: "&#10003;",
    State.BROKEN: "&#10007;",
    State.NOT_TRIED: "?",
    State.NOT_APPLICABLE: "&ndash;",
}
_STYLE: Final = """
body { font: 15px/1.5 "Noto Sans KR", "Malgun Gothic", sans-serif; color: #222; max-width: 1080px; margin: 2em auto;
  padding: 0 1em }
h1 { font-size: 1.5em; margin-bottom: .2em } h2 { font-size: 1.2em; margin-top: 2em; border-bottom: 1px solid #bbb }
h3 { font-size: 1em; margin: 1.2em 0 .2em }
.facts { color: #555 } .result { font-weight: bold; padding: .5em 1em; border-left: 6px solid }
.clean { border-color: #18794e; background: #eef8f2 } .broken { border-color: #b42318; background: #fdf0ef }
.failed { border-color: #946200; background: #fdf6e3 }
table { border-collapse: collapse; width: 100%; font-size: .9em } th, td { border: 1px solid #ccc; padding: .25em .5em;
  text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { background: #f4f4f4; word-break: keep-all; min-width: 2.2em }
td.s { text-align: center } td.passed { color: #18794e } td.broken { color: #fff; background: #b42318 }
td.not_tried { background: #fdf6e3 } td.not_applicable { color: #999 } td.part::after { content: "*" }
code { font-size: .95em } .remedy { margin: .3em 0 0 } .group { color: #555; font-weight: normal }
.notes { font-size: .9em; color: #555 }
@media print { body { margin: 0; font-size: 11px } h3, tr { break-inside: avoid } h2 { break-after: avoid } }
"""
_PAGE: Final = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{content}
</body>
</html>
"""


def build_html_report(report: Report, language: str) -> str:
    """Returns the page in a language."""
    title = f"{say(language, 'title')}: {report.org_code} ({report.industry})"
    state = "failed" if report.problem else "broken" if report.violations else "clean"
    counts = [f"{say(language, STATE_PHRASES[each])} {report.count(each)}" for each in State]
    calls, result = say(language, "calls", calls=report.calls), describe_result(report, language)
    content = [
        f"<h1>{_escape(title)}</h1>",
        f'<p class="facts">{_escape(report.base_url)}<br>{_escape(report.started_at)}, {_escape(calls)}</p>',
        f'<p class="result {state}">{_escape(result)}<br><small>{_escape(", ".join(counts))}</small></p>',
        f"<h2>{_escape(say(language, 'violations'))}</h2>",
        *(_list_rules(report, language) if report.findings else [f"<p>{say(language, 'no_violations')}</p>"]),
        f"<h2>{_escape(say(language, 'cases'))}</h2>",
        *_list_whole(report, language),
        *_list_matrix(report, language),
        *_list_notes(report, language),
    ]
    return _PAGE.format(language=language, title=_escape(title), style=_STYLE, content="\n".join(content))


def _escape(text: str) -> str:
    return html.escape(text, quote=True)


def _list_rules(report: Report, language: str) -> Iterator[str]:
    for name, rule in RULES.items():
        findings = [each for each in report.findings if each.flaw.rule == name]
        if not findings:
            continue
        kind = f" [{say(language, 'remark')}]" if rule.is_remark else ""
        group = f"{GROUP_TITLES[rule.group].get(language)}, {rule.get_source(language)}"
        yield f'<h3><code>{_escape(name)}</code>{kind} <span class="group">({_escape(group)})</span></h3>'
        yield f"<div>{_escape(rule.expected.get(language))}</div>"
        heads = ("api", "call", "field", "expected", "received", "first_tran_id")
        cells = "".join(f"<th>{_escape(say(language, head))}</th>" for head in heads)
        yield f"<table><tr>{cells}</tr>"
        yield from (_build_row(report, finding, language) for finding in findings)
        yield "</table>"
        remedy = _escape(rule.remedy.get(language))
        yield f'<p class="remedy"><b>{say(language, "remedy")}:</b> {remedy}</p>'


def _build_row(report: Report, finding: Finding, language: str) -> str:
    flaw = finding.flaw
    answers = say(language, "answers", answers=finding.answers)
    cells = (
        describe_api(find_api(report, finding.api_id), language),
        f"{get_case_title(finding.case, language)}: {finding.call} ({answers})",
        flaw.field,
        describe_received(flaw.expected, language),
        describe_received(flaw.received, language),
        finding.tran_id,
    )
    return f"<tr>{''.join(f'<td>{_escape(cell)}</td>' for cell in cells)}</tr>"


def _list_whole(report: Report, language: str) -> Iterator[str]:
    """Yields the table of the cases of the institution as a whole."""
    yield "<table><tr>" + "".join(f"<th>{_escape(get_case_title(case, language))}</th>" for case in WHOLE_CASES)
    yield "</tr><tr>" + "".join(_build_cell(each) for each in report.outcomes if each.api_id == WHOLE)
    yield "</tr></table><br>"


def _list_matrix(report: Report, language: str) -> Iterator[str]:
    """Yields the table of APIs and cases."""
    heads = "".join(f"<th>{_escape(get_case_title(case, language))}</th>" for case in API_CASES)
    yield f"<table><tr><th>{say(language, 'api')}</th>{heads}</tr>"
    for api in report.apis:
        cells = "".join(_build_cell(each) for each in report.outcomes if each.api_id == api.api_id)
        yield f"<tr><td>{_escape(describe_api(api, language))}</td>{cells}</tr>"
    yield "</table>"
    legend = (f"{_SIGNS[state]} {_escape(say(language, STATE_PHRASES[state]))}" for state in State)
    yield f'<p class="notes">{", ".join(legend)}, * {_escape(say(language, "in_part"))}</p>'


def _build_cell(outcome: Outcome) -> str:
    is_part = outcome.reason and outcome.state in {State.PASSED, State.BROKEN}
    kinds = f"s {outcome.state.value}{' part' if is_part else ''}"
    return f'<td class="{kinds}">{_SIGNS[outcome.state]}</td>'


def _list_notes(report: Report, language: str) -> Iterator[str]:
    """Yields why cases were not tried, or in part."""
    places: dict[str, list[str]] = {}
    for outcome in report.outcomes:
        if reason := describe_reason(outcome, language):
            api = find_api(report, outcome.api_id)
            place = api.api_code if api else say(language, "institution")
            places.setdefault(reason, []).append(f"{place} {get_case_title(outcome.case, language)}")
    if places:
        yield '<ul class="notes">'
        yield from (f"<li>{_escape(reason)}: {_escape(', '.join(texts))}</li>" for reason, texts in places.items())
        yield "</ul>"
