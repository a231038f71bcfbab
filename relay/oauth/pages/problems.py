"""What a customer reads when it does not go on: what happened, what to do, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from relay.domain.ledger import Why

_START_ANEW: Final = "이용하시던 서비스 앱으로 돌아가 처음부터 다시 시작해 주세요."
_LATER: Final = "잠시 후 다시 시도해 주세요."


@dataclass(frozen=True, slots=True)
class Problem:
    """One page: HTTP status, what stands above, what happened, what to do."""

    status: int
    title: str
    what: str
    advice: str = _START_ANEW


class Hindered(Exception):
    """It does not go on. `problem` is the page, `again` the path where it may be tried again ("" for nowhere)."""

    def __init__(self, problem: Problem, again: str = "") -> None:
        super().__init__(problem.title)
        self.problem = problem
        self.again = again


UNKNOWN: Final = Problem(
    404,
    "요청을 찾을 수 없습니다",
    "주소가 올바르지 않거나, 처음 연 브라우저가 아닌 다른 브라우저에서 열었습니다.",
)
EXPIRED: Final = Problem(410, "시간이 지났습니다", "정해진 시간 안에 마치지 않아 요청이 끝났습니다.")
ANSWERED: Final = Problem(
    410,
    "이미 처리된 요청입니다",
    "이 요청은 이미 동의하거나 취소하여 끝났습니다. 같은 내용을 다시 보낼 필요는 없습니다.",
    "이용하시던 서비스 앱으로 돌아가 결과를 확인해 주세요.",
)
LOCKED: Final = Problem(
    403,
    "로그인을 5번 잘못하여 요청이 끝났습니다",
    "고객님의 정보를 지키기 위해 더 이상 로그인을 받지 않습니다. 보내진 정보는 없습니다.",
)
FORGED: Final = Problem(
    403,
    "확인할 수 없는 요청입니다",
    "이 화면에서 보낸 요청인지 확인하지 못했습니다. 브라우저의 쿠키가 꺼져 있으면 켜 주세요.",
)
MALFORMED: Final = Problem(400, "잘못된 요청입니다", "보내신 내용을 읽을 수 없습니다.")
TOO_LARGE: Final = Problem(413, "보낸 내용이 너무 큽니다", "보내신 내용이 허용된 크기보다 큽니다.")
NOWHERE: Final = Problem(404, "화면을 찾을 수 없습니다", "주소가 올바르지 않습니다.")
WRONG_METHOD: Final = Problem(405, "잘못된 요청입니다", "이 주소에서는 할 수 없는 요청입니다.")
SILENT: Final = Problem(
    503, "금융회사가 응답하지 않습니다", "금융회사에서 정보를 가져오지 못했습니다. 보내진 정보는 없습니다.", _LATER
)
BROKEN: Final = Problem(500, "문제가 생겼습니다", "요청을 끝까지 처리하지 못했습니다.", _LATER)
AWAY: Final = Problem(503, "지금은 처리할 수 없습니다", "서비스가 잠시 원활하지 않습니다.", _LATER)
RESULT_WRONG: Final = Problem(
    400, "확인 결과를 받지 못했습니다", "금융회사가 보낸 결과를 확인할 수 없습니다. 보내진 정보는 없습니다."
)

BY_WHY: Final[Mapping[Why, Problem]] = {
    Why.REQUEST_UNKNOWN: UNKNOWN,
    Why.REQUEST_EXPIRED: EXPIRED,
    Why.REQUEST_ANSWERED: ANSWERED,
    Why.REQUEST_LOCKED: LOCKED,
}
"""The ledger's reasons as pages; any other is ours to mend."""

BY_STATUS: Final[Mapping[int, Problem]] = {400: MALFORMED, 404: NOWHERE, 405: WRONG_METHOD, 413: TOO_LARGE}
"""What the web framework refuses by itself."""
