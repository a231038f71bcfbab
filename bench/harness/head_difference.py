"""Compares the relay's scanners of heads with llhttp, and with each other."""

import importlib
from collections import Counter
from collections.abc import Callable
from random import Random
from types import ModuleType
from typing import Final

from harness import llhttp
from harness.head_mutations import make_corpus, mutate
from relay.wire import head, head_scanner
from relay.wire.head import ProtocolError

Verdict = tuple[object, ...]


def find_scanners() -> dict[str, ModuleType]:
    """Returns the scanners of this installation by name: the pure one, and the compiled one if it is built."""
    scanners: dict[str, ModuleType] = {"pure": head_scanner}
    try:
        scanners["compiled"] = importlib.import_module("relay.wire._head_scanner")
    except ImportError:
        return scanners
    return scanners


SCANNERS: Final = find_scanners()
_KINDS: Final = (True, True, True, False, False)
_LIMITS: Final = (100, 100, 10)


def get_request_fields(raw: bytes, max_headers: int) -> Verdict:
    """Returns what the relay takes from a request head. Raises ProtocolError."""
    parsed = head.parse_request_head(raw, max_headers)
    target = (parsed.method, parsed.target, parsed.path, parsed.query)
    return *target, parsed.headers, parsed.length, parsed.chunked, parsed.close


def get_response_fields(raw: bytes, max_headers: int) -> Verdict:
    """Returns what the relay takes from a response head. Raises ProtocolError."""
    parsed = head.parse_response_head(raw, max_headers)
    return parsed.status, parsed.headers, parsed.length, parsed.chunked, parsed.close


def judge(parse: Callable[[bytes, int], Verdict], raw: bytes, max_headers: int) -> Verdict:
    """Returns the fields of a head, or how it violates the rules."""
    try:
        return parse(raw, max_headers)
    except ProtocolError as error:
        return error.violation, error.max_headers, error.raw


def find_difference(raw: bytes, max_headers: int, *, is_request: bool) -> tuple[Verdict, str]:
    """Returns the verdict of llhttp, and how a scanner or the relay differs from it, or the empty text."""
    expected = judge(llhttp.parse_request if is_request else llhttp.parse_response, raw, max_headers)
    accepted = None if isinstance(expected[0], head.Violation) else expected
    for form, scanner in SCANNERS.items():
        scanned = (scanner.scan_request if is_request else scanner.scan_response)(raw, max_headers)
        if scanned != accepted:
            return expected, f"{raw!r}: {form} has {scanned}, llhttp {expected}"
    verdict = judge(get_request_fields if is_request else get_response_fields, raw, max_headers)
    return expected, "" if verdict == expected else f"{raw!r}: the relay has {verdict}, llhttp {expected}"


def compare(seed: int, heads: int) -> tuple[Counter[str], list[str]]:
    """Compares mutated heads. Returns their number by verdict, and the differences."""
    random, verdicts, differences = Random(seed), Counter[str](), []
    for _ in range(heads):
        is_request, max_headers = random.choice(_KINDS), random.choice(_LIMITS)
        raw = mutate(random, is_request=is_request)
        expected, difference = find_difference(raw, max_headers, is_request=is_request)
        if difference:
            differences.append(difference)
        verdicts[str(expected[0]) if isinstance(expected[0], str) else "RESPONSE"] += 1
    return verdicts, differences


def compare_corpus() -> list[str]:
    """Returns the differences over the unchanged heads."""
    return [
        difference
        for is_request in (True, False)
        for raw in make_corpus(is_request=is_request)
        if (difference := find_difference(raw, 100, is_request=is_request)[1])
    ]
