"""Results of a request: the callback URL with a code or an error, code and consent (규격 3.2.1, RFC 6749 4.1.2)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from relay.domain.authorization.consent import Authentication, Consent, Particulars
from relay.domain.authorization.digest import digest_text
from relay.domain.authorization.request import AuthorizationCode, AuthorizationRequest
from relay.oauth.redirects import build_callback_url

_SCHEME_FORM: Final = re.compile(r"[a-z][a-z0-9+.-]*")
_WEB_SCHEMES: Final = frozenset({"http", "https"})
_ORIGIN_FORM: Final = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")


class Denial(StrEnum):
    """Why a request ends without a code. The ledger's history records the value."""

    CANCELLED = "customer_cancelled"
    ANOTHER_CUSTOMER = "ci_differs"
    TOO_MANY_LOGINS = "logins_failed"
    DENIED_BY_INSTITUTION = "institution_denied"


_ERRORS: Final[Mapping[Denial, tuple[str, str]]] = {
    Denial.CANCELLED: ("access_denied", "정보주체가 취소하였습니다"),
    Denial.ANOTHER_CUSTOMER: ("unauthorized_user", "x-user-ci가 로그인한 정보주체의 CI와 다릅니다"),
    # not unauthorized_user: without a login the customer is unknown (RFC 6749 4.1.2.1)
    Denial.TOO_MANY_LOGINS: ("access_denied", "로그인 실패 횟수를 초과하였습니다"),
    Denial.DENIED_BY_INSTITUTION: ("access_denied", "정보제공자 또는 정보주체가 거절하였습니다"),
}


def build_denial_url(request: AuthorizationRequest, denial: Denial) -> str:
    """Returns the callback URL with the error of a denial."""
    error, description = _ERRORS[denial]
    return _build_url(request, error=error, error_description=description)


def build_code_url(request: AuthorizationRequest, code: str) -> str:
    """Returns the callback URL with the code."""
    return _build_url(request, code=code)


def _build_url(request: AuthorizationRequest, **parameters: str) -> str:
    return build_callback_url(
        request.redirect_uri, **parameters, state=request.oauth_state, api_tran_id=request.api_tran_id
    )


def build_code_record(code: str, code_s: int, now: int) -> AuthorizationCode:
    """Returns the ledger record of `code`: its SHA-256 and expiry."""
    return AuthorizationCode(digest_text(code), now + code_s)


def build_consent(request: AuthorizationRequest, consent_id: str, particulars: Particulars, now: int) -> Consent:
    """Returns the consent of the customer of `request` to `particulars`."""
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


def form_action_sources(request: AuthorizationRequest) -> tuple[str, ...]:
    """Returns the CSP form-action sources of a request: the callback's origin and the app's scheme.

    Chromium applies form-action to redirects too, including those of the callback itself.
    """
    return tuple(dict.fromkeys(filter(None, (_source(request.redirect_uri), _source(request.app_scheme)))))


def _source(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme in _WEB_SCHEMES:
        return f"{parts.scheme}://{parts.netloc}" if _ORIGIN_FORM.fullmatch(parts.netloc) else ""
    scheme = url.partition(":")[0].lower()  # 지원-003 leaves open whether "://" is registered too
    return f"{scheme}:" if _SCHEME_FORM.fullmatch(scheme) else ""


@dataclass(slots=True)
class RecentRedirects:
    """Final redirects of the last seconds, so that a form that is submitted twice gets the same redirect twice.

    A browser shows only the response to the last click. Without this it would be the "already processed" page, and the
    code would be lost. Entries stay in this process for `keep_s` seconds, at most `capacity` of them.
    """

    keep_s: float = 5.0
    capacity: int = 1000
    _entries: dict[bytes, tuple[float, str]] = field(default_factory=dict, repr=False)

    def remember(self, sender: bytes, location: str, now: float) -> None:
        """Stores the redirect of `sender` (a digest)."""
        self._entries = {key: row for key, row in self._entries.items() if row[0] > now}
        if len(self._entries) < self.capacity:
            self._entries[sender] = (now + self.keep_s, location)

    def get(self, sender: bytes, now: float) -> str | None:
        """Returns the redirect of `sender` if it is recent."""
        until, location = self._entries.get(sender, (now, ""))
        return location if until > now else None
