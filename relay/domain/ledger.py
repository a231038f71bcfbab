"""The ledger as the planes see it: durable truth about consents and tokens. Each method is one transaction.

`now` and all times are whole seconds since the epoch. What cannot be granted raises NotGranted and, unless a method
says otherwise, leaves everything as it was; a ledger that does not answer raises Unreachable. Every move of a consent,
a token or a request is written into the history with its reason, in the same transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from relay.domain.authorization.consent import Consent
from relay.domain.authorization.issued_tokens import Pair, TokenRecord
from relay.domain.authorization.request import AuthorizationRequest, Code, RequestState


class Why(StrEnum):
    """Why the ledger grants nothing."""

    CODE_UNKNOWN = "code_unknown"
    CODE_EXPIRED = "code_expired"
    CODE_SPENT = "code_spent"
    CODE_OF_ANOTHER = "code_of_another"
    REDIRECT_URI_DIFFERS = "redirect_uri_differs"
    REFRESH_UNKNOWN = "refresh_unknown"
    REFRESH_REVOKED = "refresh_revoked"
    REFRESH_EXPIRED = "refresh_expired"
    REFRESH_OF_ANOTHER = "refresh_of_another"
    CONSENT_ENDED = "consent_ended"
    REQUEST_UNKNOWN = "request_unknown"
    REQUEST_EXPIRED = "request_expired"
    REQUEST_ANSWERED = "request_answered"
    REQUEST_LOCKED = "request_locked"
    TX_ID_SPENT = "tx_id_spent"
    NONCE_SPENT = "nonce_spent"


class NotGranted(Exception):
    """The ledger says no; `why` tells the reason to us, never to a customer."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


class Unreachable(Exception):
    """The ledger did not answer. What was asked for happened whole or not at all; asking again is safe."""


class WrongLedger(Unreachable):
    """What answers is not the ledger that was opened, or a server that is behind it. Nothing of it may be believed."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """전자서명: what proves a consent of integrated authentication, kept with it. `kind` names the form field."""

    kind: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who calls with a code or a token: the service and the provider it names."""

    client_id: str
    provider: str


class Ledger(Protocol):
    """What the authority does with the ledger."""

    async def open_request(self, request: AuthorizationRequest) -> None:
        """Keep a new request."""

    async def request(self, request_id: str, browser: bytes | None, now: int) -> AuthorizationRequest:
        """A request that is open or authenticated. The first `browser` (a digest) that asks owns it from then on.

        Raises NotGranted: REQUEST_UNKNOWN (also to another browser), REQUEST_EXPIRED, REQUEST_ANSWERED, REQUEST_LOCKED.
        None as browser asks without owning.
        """

    async def login_failed(self, request_id: str, now: int) -> AuthorizationRequest:
        """Count a wrong login of an open request; the LOGINS_MOST-th locks it. Raises NotGranted as `request` does."""

    async def answer_request(self, request_id: str, state: RequestState, why: str, now: int) -> None:
        """Move a request to AUTHENTICATED, DENIED or LOCKED. Raises NotGranted as `request` does."""

    async def consent_of(self, ci: str, client_id: str, provider: str) -> Consent | None:
        """The consent in force of this customer for this service and provider, to show its choices again."""

    async def give_consent(self, request_id: str, consent: Consent, code: Code, now: int) -> None:
        """An authenticated request becomes a consent with a code. A former consent is replaced, its tokens revoked.

        Raises NotGranted as `request` does; a second submit finds REQUEST_ANSWERED.
        """

    async def spend_code(
        self, digest: bytes, holder: Holder, redirect_uri: str, issue: Callable[[Consent], Pair], now: int
    ) -> tuple[Consent, Pair]:
        """Spend a code once for the pair that `issue` makes.

        Raises NotGranted: CODE_UNKNOWN, CODE_EXPIRED, CODE_OF_ANOTHER, REDIRECT_URI_DIFFERS, CONSENT_ENDED; CODE_SPENT
        after having revoked, in the same transaction, all tokens that the code gave and the consent behind them
        (RFC 6749 4.1.2).
        """

    async def refresh(
        self, jti: str, holder: Holder, issue: Callable[[Consent, TokenRecord], TokenRecord], again_s: int, now: int
    ) -> tuple[Consent, TokenRecord]:
        """An access token for the refresh token `jti`; `issue` makes it of the consent and the refresh token's record.

        When this refresh token was used within the last `again_s` seconds, what it gave then; else a new one, the
        former access token being revoked. Raises NotGranted: REFRESH_UNKNOWN, REFRESH_REVOKED, REFRESH_EXPIRED,
        REFRESH_OF_ANOTHER, CONSENT_ENDED.
        """

    async def withdraw(self, jti: str, holder: Holder, now: int) -> bool:
        """Revoke the consent behind a token, and all its tokens (개별인증-004). The token may be expired or revoked.

        False when the holder has no such token, or its consent is over.
        """

    async def issue_integrated(
        self,
        consent: Consent,
        pair: Pair,
        spent: Sequence[tuple[str, str]],
        evidence: Sequence[Evidence],
        now: int,
        form: bytes | None = None,
    ) -> None:
        """Keep a consent of integrated authentication with its tokens and evidence; a former one is replaced.

        `spent` are what may be used once: ("tx_id", value), ("nonce", value). `form` is the digest of the form that
        brings them, by which `issued_for` finds the pair again. Raises NotGranted: TX_ID_SPENT, NONCE_SPENT.
        """

    async def issued_for(
        self, tx_id: str, form: bytes, holder: Holder, again_s: int, now: int
    ) -> tuple[Consent, Pair] | None:
        """The consent and the pair that this form was given within the last `again_s` seconds, while both tokens live.

        None for another form or holder, and once the pair was refreshed or the consent is over.
        """

    async def is_spent(self, spent: Sequence[tuple[str, str]]) -> Why | None:
        """Whether one of these was used before; asked early, before signatures are checked."""

    async def end_overdue(self, now: int) -> int:
        """End every consent past its end_date (Korea) and revoke its refresh token; how many there were.

        A consent whose code was never spent ends a day after the code expired.

        Its access tokens ended with it by themselves: a call with one is told that the consent is over (40106).
        """


class CustomerConsents(Protocol):
    """What the portal asks about one customer (지원-103)."""

    async def consents_in_force(
        self, ci: str, *, provider: str | None = None, operator: str | None = None
    ) -> Sequence[Consent]:
        """The consents of a customer that hold, at one institution, of one operator, or all; the oldest first."""


class GrantSource(Protocol):
    """What a gateway asks the ledger."""

    async def consent_behind(self, jti: str) -> tuple[TokenRecord, Consent] | None:
        """The access token `jti` and its consent, whatever became of them; None when no such token was issued."""

    async def revocation_head(self) -> int:
        """The number of the latest revocation, 0 when there was none."""

    async def revoked_after(self, number: int) -> tuple[int, Sequence[str]]:
        """What was revoked after revocation `number`: the latest number and the jtis of access tokens.

        Numbers become visible in their order: none appears later below one that was seen.
        """
