"""The cases that an institution is tried with; each names the rules that it can break, beside those of any answer."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from relay.policy.conformance.rule import Text


class Case(NamedTuple):
    """A case: its name, its title, its rules, and whether it is tried with each API or once with the institution."""

    name: str
    title: Text
    rules: frozenset[str]
    is_per_api: bool


def _build(name: str, ko: str, en: str, rules: str, *, is_per_api: bool = True) -> Case:
    return Case(name, Text(ko, en), frozenset(rules.split()), is_per_api)


BASIC: Final = "basic"
TLS: Final = "tls"
PATHS: Final = "paths"
KEEP_ALIVE: Final = "keep_alive"
IDLE: Final = "idle"
SLOW: Final = "slow_request"
CUT: Final = "cut_request"
PARALLEL: Final = "parallel"

CASES: Final[Mapping[str, Case]] = {
    case.name: case
    for case in (
        _build(TLS, "TLS", "TLS", "tls_version tls_certificate tls_client_certificate", is_per_api=False),
        _build(BASIC, "기본 호출", "right call", "success pages_end pages_continue next_page limit period"),
        _build("limits", "limit 값", "limits", "limit limit_range malformed_parameter"),
        _build("pages", "다음 페이지", "pages", "pages_union page_repeat cursor_unknown pages_end pages_continue"),
        _build("period", "조회 기간", "period", "period period_rows malformed_parameter"),
        _build("timestamp", "조회 타임스탬프", "timestamp", "timestamp timestamp_page"),
        _build("customer", "고객 확인", "customer", "unknown_customer customer_header"),
        _build("asset", "자산 확인", "asset", "unknown_asset foreign_asset asset"),
        _build(
            "parameters", "파라미터", "parameters",
            "missing_parameter malformed_parameter unknown_parameter unknown_org",
        ),
        _build("method", "HTTP 메소드", "method", "wrong_method"),
        _build("withheld", "전송요구 범위", "consent", "withheld"),
        _build("gzip", "압축", "gzip", "coding coding_unasked"),
        _build(PATHS, "없는 URI", "unknown URI", "unknown_path", is_per_api=False),
        _build(KEEP_ALIVE, "연결 재사용", "reused connection", "keep_alive", is_per_api=False),
        _build(IDLE, "쉬는 연결", "idle connection", "idle", is_per_api=False),
        _build(SLOW, "느린 요청", "slow request", "slow_request", is_per_api=False),
        _build(CUT, "끊긴 요청", "cut request", "cut_request", is_per_api=False),
        _build(PARALLEL, "동시 요청", "parallel calls", "parallel", is_per_api=False),
    )
}  # fmt: skip
"""The cases in the order of reports."""

API_CASES: Final = tuple(case.name for case in CASES.values() if case.is_per_api)
WHOLE_CASES: Final = tuple(case.name for case in CASES.values() if not case.is_per_api)


REASONS: Final[Mapping[str, Text]] = {
    "no_asset": Text("고객에게 이 API의 자산이 없습니다", "the customer has no asset for this API"),
    "no_rows": Text("거래가 부족합니다", "there are too few rows"),
    "not_applicable": Text("이 API에는 없는 기능입니다", "the API has no such parameter or field"),
    "basic_failed": Text("기본 호출이 실패했습니다", "the right call failed"),
    "pages_failed": Text("페이지가 맞지 않습니다", "the pages are wrong"),
    "no_second_customer": Text(
        "둘째 고객 또는 그 자산이 없습니다 (--second-customer)",
        "no second customer with an asset (--second-customer)",
    ),
    "left_out": Text("설정의 apis.left_out에 있습니다", "it is in apis.left_out of the settings"),
    "relay_withholds": Text("중계기관이 제거합니다 (withholding)", "the relay removes them (withholding)"),
    "relay_checks": Text("중계기관이 직접 확인합니다", "the relay checks this itself"),
    "leased_line": Text("전용선이므로 TLS가 없습니다", "a leased line has no TLS"),
    "no_timestamp": Text("search_timestamp를 구현하지 않았습니다", "search_timestamp is not implemented"),
    "no_keep_alive": Text("연결이 재사용되지 않습니다", "connections are not kept open"),
    "unreachable": Text("연결할 수 없습니다", "there is no connection"),
    "not_selected": Text("--only로 선택하지 않았습니다", "it is not selected by --only"),
}
"""Why a case was not tried, by name."""

INAPPLICABLE: Final = frozenset(
    {"not_applicable", "left_out", "relay_withholds", "relay_checks", "leased_line", "no_timestamp"}
)
"""The reasons by which a case does not concern the institution; by the others it was not tried."""

ADAPTED_CASES: Final = frozenset({BASIC, "limits", "pages", "period", "timestamp", "customer", "asset", PARALLEL})
"""The cases that are tried through the adapter: those that concern the core behind it."""
