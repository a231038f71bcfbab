"""The table of faults: one row for each way a call can fail, with its owner and public text (규격 첨부1)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class FaultOwner(StrEnum):
    """The party that must act to remove the fault."""

    OPERATOR = "operator"
    RELAY = "relay"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Fault:
    """One row: `name` (the `reason` of metrics and records), its owner, HTTP status, rsp_code, public text, retry.

    `words` are the text of `rsp_msg` (AH(450)) and never contain a value of the caller. `retry` is true when the same
    call may succeed later unchanged.
    """

    name: str
    owner: FaultOwner
    status: int
    rsp_code: str
    words: str
    retry: bool = False


ALLOWED_METHODS: Final = "GET, POST"


class Refusal(Exception):
    """Raised to end a call with a fault. `detail` names the field or limit concerned, never a value.

    `allow` lists the allowed methods when the fault is about the method.
    """

    def __init__(self, fault: Fault, detail: str = "", retry_after: float = 0.0, allow: str = ALLOWED_METHODS) -> None:
        super().__init__(fault.name)
        self.allow = allow
        self.fault = fault
        self.detail = detail
        self.retry_after = retry_after


def _rows(owner: FaultOwner, *rows: tuple[str, int, str, str] | tuple[str, int, str, str, bool]) -> list[Fault]:
    return [Fault(row[0], owner, row[1], row[2], row[3], *row[4:]) for row in rows]


_NOT_CONNECTED: Final = "정보제공자에 연결할 수 없습니다"
_CONNECT_CAUSES: Final = (
    *("connect_refused", "connect_timeout", "connect_reset", "connect_unreachable", "connect_failed", "dns"),
    *("tls_untrusted", "tls_hostname", "tls_expired", "tls_not_yet_valid", "tls_refused", "tls_protocol"),
    "tls_records",
)
"""Why no connection to an institution could be opened."""

_TABLE: Final = [
    *_rows(
        FaultOwner.OPERATOR,
        # certificate and address (규격 3.1)
        ("serial_unknown", 401, "40103", "인증서의 SERIALNUMBER가 등록된 기관과 일치하지 않습니다"),
        ("serial_missing", 401, "40103", "인증서에 SERIALNUMBER가 없습니다"),
        ("address_unknown", 401, "40102", "등록되지 않은 IP 주소에서 호출하였습니다"),
        # target, method, version (규격 1.3)
        ("target_malformed", 404, "40401", "요청한 엔드포인트가 존재하지 않습니다"),
        ("endpoint_unknown", 404, "40401", "요청한 엔드포인트가 존재하지 않습니다"),
        ("api_not_offered", 404, "40401", "해당 정보제공자가 제공하지 않는 API입니다"),
        ("method_not_allowed", 405, "40501", "허용되지 않는 HTTP Method입니다"),
        ("version_not_served", 400, "40003", "허용되지 않는 API 버전입니다"),
        # framing and headers
        ("head_malformed", 400, "40002", "HTTP 요청 형식이 올바르지 않습니다"),
        ("body_of_a_get", 400, "40002", "GET 요청에는 본문을 둘 수 없습니다"),
        ("head_too_large", 400, "40002", "HTTP 헤더가 허용 크기를 초과하였습니다"),
        ("head_too_slow", 400, "40002", "HTTP 헤더가 제한 시간 안에 도착하지 않았습니다"),
        ("header_missing", 400, "40002", "필수 헤더가 없습니다"),
        ("header_malformed", 400, "40002", "헤더 값이 올바르지 않습니다"),
        (
            "tran_id_of_other_operator",
            400,
            "40002",
            "거래고유번호의 기관코드와 주체구분코드가 호출한 기관의 것이 아닙니다",
        ),
        # body and parameters
        ("body_too_large", 400, "40001", "요청 본문이 허용 크기를 초과하였습니다"),
        ("body_too_slow", 400, "40001", "요청 본문이 제한 시간 안에 도착하지 않았습니다"),
        ("body_not_json", 400, "40001", "요청 본문이 올바른 JSON이 아닙니다"),
        ("parameter_missing", 400, "40001", "필수 요청 파라미터가 없습니다"),
        ("parameter_malformed", 400, "40001", "요청 파라미터의 형식이 올바르지 않습니다"),
        ("parameter_twice", 400, "40001", "요청 파라미터가 중복되었습니다"),
        ("parameter_ambiguous", 400, "40001", "표준 파라미터와 혼동될 수 있는 이름이 있습니다"),
        ("request_unusual", 400, "40001", "표준을 벗어난 요청을 정보제공자의 서버가 거절하였습니다"),
        # the institution
        ("provider_unknown", 403, "40303", "기관코드가 올바르지 않거나 중계 대상 기관이 아닙니다"),
        # the access token (규격 2.2)
        ("token_missing", 401, "40101", "접근토큰이 없습니다"),
        ("token_malformed", 401, "40101", "접근토큰의 형식이 올바르지 않습니다"),
        ("token_untrusted", 401, "40101", "접근토큰의 서명이 유효하지 않습니다"),
        ("token_expired", 401, "40101", "접근토큰이 만료되었습니다"),
        ("token_of_other_operator", 401, "40101", "해당 마이데이터사업자에게 발급된 접근토큰이 아닙니다"),
        ("token_of_other_provider", 401, "40101", "해당 정보제공자에 대한 접근토큰이 아닙니다"),
        ("scope_missing", 401, "40104", "해당 API에 대한 접근 권한이 없습니다"),
        # the consent behind it (규격 2.2, 3.3)
        ("token_revoked", 401, "40101", "폐기된 접근토큰입니다"),
        ("token_unknown", 401, "40101", "발급된 사실이 없는 접근토큰입니다"),
        ("consent_ended", 401, "40106", "전송요구의 종료 시점이 경과하였습니다"),
        ("asset_not_consented", 401, "40105", "정보주체가 전송을 요구하지 않은 자산입니다"),
        ("transfer_not_scheduled", 403, "40301", "정보주체가 정기적 전송을 요구하지 않았습니다"),
        ("period_too_long", 400, "40004", "조회 기간이 허용 범위를 초과하였습니다"),
        ("period_too_old", 403, "40304", "5년을 경과한 정보는 조회할 수 없습니다"),
        ("slot_closed", 500, "50009", "정기적 전송 가능 시간대가 아닙니다", True),
        # rates and limits
        ("operator_rate", 429, "42901", "허용된 요청 한도를 초과하였습니다", True),
        ("service_rate", 429, "42901", "서비스에 허용된 요청 한도를 초과하였습니다", True),
        ("weekly_quota", 429, "42901", "정기적 전송은 자산별로 주 1회만 허용됩니다", True),
        ("operator_share", 429, "42901", "정보제공자에 대한 동시 요청 한도를 초과하였습니다", True),
        ("connections_exceeded", 429, "42901", "허용된 동시 연결 수를 초과하였습니다", True),
        ("refusals_exceeded", 429, "42901", "거절되는 요청이 허용 한도를 초과하여 연결을 종료합니다", True),
        # the operator disconnected or stopped reading: the fault is recorded, no response is sent
        ("operator_gone", 500, "50002", "요청이 처리되기 전에 연결이 종료되었습니다"),
        ("operator_slow", 500, "50003", "응답이 제한 시간 안에 수신되지 않았습니다"),
    ),
    *_rows(
        FaultOwner.PROVIDER,
        ("provider_maintenance", 500, "50008", "정보제공자의 정기 시스템 점검 시간입니다", True),
        ("provider_rate", 429, "42901", "정보제공자의 허용 요청 한도를 초과하였습니다", True),
        ("scheduled_rate", 429, "42901", "정보제공자의 정기적 전송 요청 한도를 초과하였습니다", True),
        ("provider_busy", 500, "50005", "정보제공자의 동시 처리 한도를 초과하였습니다", True),
        ("queue_timeout", 500, "50005", "정보제공자의 동시 처리 한도를 초과하였습니다", True),
        ("breaker_open", 500, "50005", "정보제공자가 응답하지 않아 호출을 일시 중단하였습니다", True),
        *((cause, 500, "50005", _NOT_CONNECTED, True) for cause in _CONNECT_CAUSES),
        ("provider_reset", 500, "50005", "정보제공자가 응답을 마치지 않고 연결을 종료하였습니다", True),
        ("provider_broken", 500, "50005", "정보제공자의 응답이 올바르지 않습니다", True),
        (
            "answer_unidentified",
            500,
            "50005",
            "정보제공자의 응답에 거래고유번호가 없어 요청에 대한 응답인지 확인할 수 없습니다",
            True,
        ),
        # recorded for responses that were forwarded unchanged: the calls count as failed but are not refused
        ("answer_without_code", 500, "50005", "정보제공자의 응답에 세부 응답코드가 없습니다", True),
        ("answer_charset", 500, "50005", "정보제공자의 응답이 UTF-8로 작성되지 않았습니다", True),
        ("code_unknown", 500, "50005", "정보제공자의 세부 응답코드가 표준에 없습니다", True),
        (
            "code_contradicts_status",
            500,
            "50005",
            "정보제공자의 세부 응답코드가 HTTP 상태코드와 일치하지 않습니다",
            True,
        ),
        ("provider_silent", 500, "50003", "정보제공자의 응답 시간이 초과되었습니다", True),
        ("conversion_failed", 500, "50007", "전문 변환 오류 (중계기관)", True),
    ),
    *_rows(
        FaultOwner.RELAY,
        ("overload_scheduled", 429, "42901", "중계기관의 처리량이 한도를 초과하여 정기적 전송을 일시 제한합니다", True),
        ("overload", 429, "42901", "중계기관의 처리량이 한도를 초과하여 요청을 처리할 수 없습니다", True),
        ("authority_busy", 500, "50001", "인가서버의 동시 처리 한도를 초과하였습니다", True),
        ("authority_unreachable", 500, "50001", "인가서버에 연결할 수 없습니다", True),
        ("authority_silent", 500, "50003", "인가서버의 응답 시간이 초과되었습니다", True),
        ("adapter_unreachable", 500, "50001", "중계기관 시스템 장애가 발생하였습니다", True),
        ("no_descriptors", 500, "50001", "중계기관 시스템 장애가 발생하였습니다", True),
        ("relay_broken", 500, "50001", "중계기관 시스템 장애가 발생하였습니다", True),
        ("ledger_unreachable", 500, "50001", "중계기관이 전송요구 내역을 확인할 수 없습니다", True),
    ),
]


def index_faults(faults: Iterable[Fault]) -> dict[str, Fault]:
    """Returns faults by name. Raises ValueError for a duplicate name."""
    by_name: dict[str, Fault] = {}
    for fault in faults:
        if by_name.setdefault(fault.name, fault) is not fault:
            raise ValueError(f"duplicate fault {fault.name}")
    return by_name


FAULTS: Final = index_faults(_TABLE)
CONNECT_FAULTS: Final = tuple(FAULTS[cause] for cause in _CONNECT_CAUSES)
"""Faults of institutions to which no connection could be opened."""


class MethodNotAllowed(Refusal):
    """The path does not take the method of the call; `method` is the allowed one, "" for none."""

    def __init__(self, method: str) -> None:
        allow = method or ALLOWED_METHODS
        super().__init__(FAULTS["method_not_allowed"], f"{allow}만 허용됩니다", allow=allow)
