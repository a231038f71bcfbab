"""Error pages for customers: what happened and what to do, without technical details."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from relay.domain.ledger import Reason

_START_AGAIN: Final = "이용하시던 서비스 앱으로 돌아가 처음부터 다시 시작해 주세요."
_TRY_LATER: Final = "잠시 후 다시 시도해 주세요."


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """An error page: HTTP status, title, explanation, advice."""

    status: int
    title: str
    explanation: str
    advice: str = _START_AGAIN


class PageError(Exception):
    """A browser's request failed. `page` is the error page, `retry_path` the path of its retry link ("" for none)."""

    def __init__(self, page: ErrorPage, retry_path: str = "") -> None:
        super().__init__(page.title)
        self.page = page
        self.retry_path = retry_path


REQUEST_UNKNOWN: Final = ErrorPage(
    404,
    "요청을 찾을 수 없습니다",
    "주소가 올바르지 않거나, 처음 접속한 브라우저가 아닌 다른 브라우저에서 접속하셨습니다.",
)
REQUEST_EXPIRED: Final = ErrorPage(
    410, "유효 시간이 지났습니다", "정해진 시간 안에 완료되지 않아 요청이 종료되었습니다."
)
REQUEST_COMPLETED: Final = ErrorPage(
    410,
    "이미 처리된 요청입니다",
    "이미 동의하거나 취소하신 요청입니다. 다시 진행하실 필요가 없습니다.",
    "이용하시던 서비스 앱으로 돌아가 결과를 확인해 주세요.",
)
REQUEST_LOCKED: Final = ErrorPage(
    403,
    "로그인 5회 실패로 요청이 종료되었습니다",
    "고객님의 정보를 보호하기 위해 이 요청으로는 더 이상 로그인할 수 없습니다. 전송된 정보는 없습니다.",
)
INVALID_FORM_TOKEN: Final = ErrorPage(
    403,
    "확인할 수 없는 요청입니다",
    "이 화면에서 보낸 요청인지 확인할 수 없습니다. 브라우저에서 쿠키를 차단했다면 허용해 주세요.",
)
MALFORMED: Final = ErrorPage(400, "잘못된 요청입니다", "요청 내용을 확인할 수 없습니다.")
TOO_LARGE: Final = ErrorPage(413, "요청 크기가 너무 큽니다", "요청 크기가 허용된 한도를 넘었습니다.")
PAGE_NOT_FOUND: Final = ErrorPage(404, "화면을 찾을 수 없습니다", "주소가 올바르지 않습니다.")
WRONG_METHOD: Final = ErrorPage(405, "잘못된 요청입니다", "이 주소에서 지원하지 않는 요청입니다.")
INSTITUTION_UNAVAILABLE: Final = ErrorPage(
    503, "금융회사가 응답하지 않습니다", "금융회사에서 정보를 가져오지 못했습니다. 전송된 정보는 없습니다.", _TRY_LATER
)
INTERNAL_ERROR: Final = ErrorPage(500, "오류가 발생했습니다", "요청을 처리하지 못했습니다.", _TRY_LATER)
UNAVAILABLE: Final = ErrorPage(
    503, "지금은 처리할 수 없습니다", "일시적으로 서비스 이용이 원활하지 않습니다.", _TRY_LATER
)
INVALID_RESULT: Final = ErrorPage(
    400, "확인 결과를 받지 못했습니다", "금융회사가 보낸 결과를 확인할 수 없습니다. 전송된 정보는 없습니다."
)

ERRORS_BY_REASON: Final[Mapping[Reason, ErrorPage]] = {
    Reason.REQUEST_UNKNOWN: REQUEST_UNKNOWN,
    Reason.REQUEST_EXPIRED: REQUEST_EXPIRED,
    Reason.REQUEST_ANSWERED: REQUEST_COMPLETED,
    Reason.REQUEST_LOCKED: REQUEST_LOCKED,
}
"""Pages for reasons of the ledger; other reasons are our own errors."""

ERRORS_BY_STATUS: Final[Mapping[int, ErrorPage]] = {
    400: MALFORMED,
    404: PAGE_NOT_FOUND,
    405: WRONG_METHOD,
    413: TOO_LARGE,
}
"""Pages for requests that aiohttp refuses."""
