"""How a request ends for the customer: the operator's callback with a code or an error (규격 3.2.1, RFC 6749 4.1.2)."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from relay.domain.authorization.consent import Authentication, Consent, Particulars
from relay.domain.authorization.request import AuthorizationRequest, Code
from relay.oauth.redirects import way_back

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
_WEB: Final = frozenset({"http", "https"})
_ORIGIN: Final = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")


class Denial(StrEnum):
    """Why a request ends without a code; the name goes into the ledger's history."""

    CANCELLED = "customer_cancelled"
    ANOTHER_CUSTOMER = "ci_differs"
    LOCKED = "logins_failed"
    DENIED_THERE = "institution_denied"


_TOLD: Final[Mapping[Denial, tuple[str, str]]] = {
    Denial.CANCELLED: ("access_denied", "정보주체가 취소하였습니다"),
    Denial.ANOTHER_CUSTOMER: ("unauthorized_user", "x-user-ci가 로그인한 정보주체의 CI와 다릅니다"),
    # nobody is known to have logged in, so nothing can be said about who they are (RFC 6749 4.1.2.1)
    Denial.LOCKED: ("access_denied", "로그인 실패 횟수를 초과하였습니다"),
    Denial.DENIED_THERE: ("access_denied", "정보제공자 또는 정보주체가 거절하였습니다"),
}


def denied(request: AuthorizationRequest, denial: Denial) -> str:
    """The callback's URL that says why there is no code."""
    error, description = _TOLD[denial]
    return _back(request, error=error, error_description=description)


def granted(request: AuthorizationRequest, code: str) -> str:
    """The callback's URL with the code."""
    return _back(request, code=code)


def _back(request: AuthorizationRequest, **answer: str) -> str:
    return way_back(request.redirect_uri, **answer, state=request.oauth_state, api_tran_id=request.api_tran_id)


def code_record(code: str, code_s: int, now: int) -> Code:
    """What the ledger keeps of `code`: its SHA-256, and until when it may be spent."""
    return Code(hashlib.sha256(code.encode()).digest(), now + code_s)


def consent_of(request: AuthorizationRequest, consent_id: str, particulars: Particulars, now: int) -> Consent:
    """The consent that the customer of `request` gave with `particulars`."""
    return Consent(
        consent_id=consent_id,
        provider=request.provider,
        operator=request.operator,
        client_id=request.client_id,
        authentication=Authentication.INDIVIDUAL,
        particulars=particulars,
        given_at=now,
        ci=request.ci,
    )


def origins_of(request: AuthorizationRequest) -> tuple[str, ...]:
    """Where a form's answer may lead, as sources of CSP's form-action: the callback's origin and the app's scheme.

    Chromium holds form-action against redirects too, also against those that the callback itself answers with.
    """
    return tuple(dict.fromkeys(filter(None, (_source(request.redirect_uri), _source(request.app_scheme)))))


def _source(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme in _WEB:
        return f"{parts.scheme}://{parts.netloc}" if _ORIGIN.fullmatch(parts.netloc) else ""
    scheme = url.partition(":")[0].lower()  # 지원-003 does not say whether "://" is registered along
    return f"{scheme}:" if _SCHEME.fullmatch(scheme) else ""


@dataclass(slots=True)
class LastAnswers:
    """Answers given a moment ago: a form sent twice by an impatient finger gets the same answer twice.

    The browser shows the answer to the last click alone; without this it would be the page that says "already done",
    and the code would be lost. Kept in this process for `again_s`, at most `most` of them.
    """

    again_s: float = 5.0
    most: int = 1000
    _kept: dict[bytes, tuple[float, str]] = field(default_factory=dict, repr=False)

    def keep(self, sender: bytes, location: str, now: float) -> None:
        """Remember what `sender` (a digest) was answered."""
        self._kept = {key: row for key, row in self._kept.items() if row[0] > now}
        if len(self._kept) < self.most:
            self._kept[sender] = (now + self.again_s, location)

    def find(self, sender: bytes, now: float) -> str | None:
        """What `sender` was answered, when that was a moment ago."""
        until, location = self._kept.get(sender, (now, ""))
        return location if until > now else None
