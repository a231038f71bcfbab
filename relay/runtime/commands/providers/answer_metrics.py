"""Reads the counts of checked answers from the metrics of a running gateway."""

import http.client
import re
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from relay.infra.answers.counts import BROKEN

_SERIES: Final = re.compile(r"(relay_answers_\w+?)_total\{(.*)\} (\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_TIMEOUT_S: Final = 10.0
_MAX_BYTES: Final = 64 * 1024 * 1024


class MetricsUnavailable(Exception):
    """The admin port does not answer; the text says why."""


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """How many answers of an API broke a rule at a field."""

    api_code: str
    rule: str
    field: str
    answers: int


@dataclass(slots=True)
class AnswerFigures:
    """Figures of one institution since the start of the gateway: answers by API, broken rules, unknown codes."""

    checked: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    rules: list[BrokenRule] = field(default_factory=list)
    unknown_codes: dict[str, int] = field(default_factory=dict)


def fetch_figures(url: str) -> dict[str, AnswerFigures]:
    """Returns the figures of each institution by org_code, from the admin port at `url`. Raises MetricsUnavailable."""
    if not url.startswith(("http://", "https://")):
        raise MetricsUnavailable(f"{url}: must begin with http:// or https://")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the port is private: no proxy reaches it
    try:
        with opener.open(f"{url}/metrics", timeout=_TIMEOUT_S) as response:
            text = response.read(_MAX_BYTES).decode()
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise MetricsUnavailable(f"{url}/metrics: {reason}") from None
    return parse_figures(text)


def parse_figures(text: str) -> dict[str, AnswerFigures]:
    """Returns the figures in OpenMetrics text of the relay."""
    figures: dict[str, AnswerFigures] = {}
    for name, labels, number in _iter_series(text):
        if "org_code" not in labels:
            continue
        each = figures.setdefault(labels["org_code"], AnswerFigures())
        if name == "relay_answers_checked":
            each.checked[labels["api_code"]] += number
            if labels["result"] == BROKEN:
                each.broken[labels["api_code"]] += number
        elif name == "relay_answers_broken":
            each.rules.append(BrokenRule(labels["api_code"], labels["rule"], labels["field"], number))
        elif name == "relay_answers_unknown_codes":
            each.unknown_codes[labels["code"]] = number
    for each in figures.values():
        each.rules.sort(key=lambda row: (row.api_code, -row.answers, row.rule, row.field))
    return figures


def _iter_series(text: str) -> Iterator[tuple[str, dict[str, str], int]]:
    for line in text.splitlines():
        match = _SERIES.fullmatch(line)
        if match is not None:
            yield match[1], dict(_LABEL.findall(match[2])), int(float(match[3]))
