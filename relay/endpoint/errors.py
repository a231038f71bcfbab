"""OAuth errors of the standard and their HTTP status (규격 3.10; RFC 6749 4.1.2.1, 5.2)."""

import logging
import traceback
from collections.abc import Mapping
from typing import Final, Self

from relay.domain.fault import FAULTS
from relay.domain.ledger import LedgerDown, LedgerRefused, Reason
from relay.domain.queue_full import QueueFull
from relay.policy.call.envelope import format_message

_log = logging.getLogger(__name__)

STATUS: Final = {
    "invalid_request": 400,
    "invalid_client": 400,  # not 401: the standard differs from the RFC here
    "invalid_grant": 400,
    "unauthorized_client": 400,
    "unsupported_grant_type": 400,
    "invalid_scope": 400,
    "unauthorized_user": 400,
    "method_not_allowed": 405,
    "server_error": 500,
    "temporarily_unavailable": 503,
    # on authorize only, by redirect
    "access_denied": 302,
    "unsupported_response_type": 302,
}
"""HTTP status of each error; 302 means that it occurs in redirects only."""


class OAuthRefusal(Exception):
    """The response is an OAuth error. `description` is Korean, AH(450), and never repeats a request value (규격 3.10).

    `reason` is the name in metrics and records; `retry_after` in seconds, with temporarily_unavailable.
    """

    def __init__(self, error: str, description: str, *, reason: str = "", retry_after: int = 0) -> None:
        super().__init__(error)
        self.error = error
        self.status = STATUS[error]
        self.description = description
        self.reason = reason or error
        self.retry_after = retry_after

    @classmethod
    def from_fault(cls, fault: str, detail: str = "", *, error: str = "invalid_request") -> Self:
        """Returns the refusal with the text of a row of FAULTS; `detail` names the field and the allowed values."""
        return cls(error, format_message(FAULTS[fault], detail), reason=fault)


_RETRY_S: Final = 5
_QUEUE_RETRY_S: Final = 1
"""A caller's queue of secret comparisons empties within a second."""

_CODE = "code가 유효하지 않습니다"
_REFRESH = "refresh_token이 유효하지 않습니다"
NOT_GRANTED: Final[Mapping[Reason, tuple[str, str]]] = {
    Reason.CODE_UNKNOWN: ("invalid_grant", _CODE),
    Reason.CODE_SPENT: ("invalid_grant", _CODE),
    Reason.CODE_OF_ANOTHER: ("invalid_grant", _CODE),
    Reason.CODE_EXPIRED: ("invalid_grant", "code가 만료되었습니다"),
    Reason.REDIRECT_URI_DIFFERS: ("invalid_grant", "redirect_uri가 인가 요청의 값과 다릅니다"),
    Reason.REFRESH_UNKNOWN: ("invalid_grant", _REFRESH),
    Reason.REFRESH_REVOKED: ("invalid_grant", _REFRESH),
    Reason.REFRESH_OF_ANOTHER: ("invalid_grant", _REFRESH),
    Reason.REFRESH_EXPIRED: ("invalid_grant", "refresh_token이 만료되었습니다"),
    Reason.CONSENT_ENDED: (
        "invalid_grant",
        "전송요구의 종료 시점이 경과하였습니다. 정보주체의 새 전송요구가 필요합니다",
    ),
    Reason.TX_ID_SPENT: ("invalid_grant", "이미 사용된 tx_id입니다"),
    Reason.NONCE_SPENT: ("invalid_grant", "이미 사용된 consent_nonce 또는 ucpid_nonce입니다"),
}
"""Error and description for each reason of the ledger. They never reveal that another client's code or token exists."""


def to_oauth_refusal(error: Exception) -> OAuthRefusal:
    """Returns the refusal for any exception of a call. Logs unexpected ones, without any request value.

    Ledger outages are logged by the ledger itself (`OutageLog`).
    """
    if isinstance(error, OAuthRefusal):
        return error
    if isinstance(error, LedgerDown):
        return OAuthRefusal(
            "temporarily_unavailable",
            format_message(FAULTS["ledger_unreachable"]),
            reason="ledger_unreachable",
            retry_after=_RETRY_S,
        )
    if isinstance(error, QueueFull):
        return OAuthRefusal(
            "temporarily_unavailable",
            "client_secret을 확인하는 요청이 너무 많습니다",
            reason="client_crowded",
            retry_after=_QUEUE_RETRY_S,
        )
    if isinstance(error, LedgerRefused) and error.reason in NOT_GRANTED:
        return OAuthRefusal(*NOT_GRANTED[error.reason], reason=error.reason.value)
    log_unexpected(error)
    return OAuthRefusal.from_fault("relay_broken", error="server_error")


def log_unexpected(error: Exception) -> None:
    """Logs the type and place of an unexpected error. Its text is left out: it may hold request values."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    _log.error("authority call failed: error=%s place=%s:%d", type(error).__name__, place.filename, place.lineno)
