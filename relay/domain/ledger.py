"""The ports of the ledger, the durable store of consents and tokens. Each method is one transaction.

`now` and all times are whole seconds since the epoch. A method that raises LedgerRefused changes nothing, unless its
docstring says otherwise. A ledger that does not answer raises LedgerDown. Every state change of a consent, a token or
a request is written into the history with its reason, in the same transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from relay.domain.authorization.consent import Consent
from relay.domain.authorization.issued_tokens import TokenPair, TokenRecord
from relay.domain.authorization.request import AuthorizationCode, AuthorizationRequest, RequestState

TRANSFER_ROWS: Final = 200
"""Rows of digests that are read at once."""


class Reason(StrEnum):
    """The reason of a LedgerRefused."""

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


class LedgerRefused(Exception):
    """The ledger denies an operation. `reason` is for logs and error codes, never for a customer."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class LedgerDown(Exception):
    """The ledger did not answer. The operation happened completely or not at all; a retry is safe."""


class WrongLedger(LedgerDown):
    """The database is not the ledger that was opened, or its server lags behind. Its data must not be used."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """전자서명: a signature that proves a consent of integrated authentication. `kind` names the form field."""

    kind: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """The holder of a code or a token: the calling service, and the provider that the call names."""

    client_id: str
    provider: str


class Ledger(Protocol):
    """The ledger as the authority uses it."""

    async def open_request(self, request: AuthorizationRequest) -> None:
        """Stores a new request."""

    async def load_request(self, request_id: str, browser: bytes | None, now: int) -> AuthorizationRequest:
        """Returns a request that is open or authenticated. The first `browser` (a digest) becomes its owner.

        None as browser reads the request without owning it. Raises LedgerRefused: REQUEST_UNKNOWN (also for another
        browser), REQUEST_EXPIRED, REQUEST_ANSWERED, REQUEST_LOCKED.
        """

    async def count_failed_login(self, request_id: str, now: int) -> AuthorizationRequest:
        """Counts a wrong login of an open request; the MAX_LOGINS-th locks it. Raises as `load_request` does."""

    async def answer_request(self, request_id: str, state: RequestState, why: str, now: int) -> None:
        """Moves a request to AUTHENTICATED, DENIED or LOCKED. Raises LedgerRefused as `load_request` does."""

    async def find_consent(self, ci: str, client_id: str, provider: str) -> Consent | None:
        """Returns the customer's consent in force for a service and provider, None when there is none."""

    async def give_consent(self, request_id: str, consent: Consent, code: AuthorizationCode, now: int) -> None:
        """Completes an authenticated request with a consent and a code. Replaces a former consent, revokes its tokens.

        Raises LedgerRefused as `load_request` does; REQUEST_ANSWERED for a second submit.
        """

    async def spend_code(
        self, digest: bytes, holder: TokenHolder, redirect_uri: str, issue: Callable[[Consent], TokenPair], now: int
    ) -> tuple[Consent, TokenPair]:
        """Exchanges a code, once, for the pair that `issue` makes.

        Raises LedgerRefused: CODE_UNKNOWN, CODE_EXPIRED, CODE_OF_ANOTHER, REDIRECT_URI_DIFFERS, CONSENT_ENDED. Raises
        CODE_SPENT for a used code after it revoked the code's tokens and their consent (RFC 6749 4.1.2).
        """

    async def refresh(
        self,
        jti: str,
        holder: TokenHolder,
        issue: Callable[[Consent, TokenRecord], TokenRecord],
        again_s: int,
        now: int,
    ) -> tuple[Consent, TokenRecord]:
        """Returns an access token for the refresh token `jti`; `issue` makes it of the consent and that token's record.

        Returns the former access token when the refresh token was used within the last `again_s` seconds; otherwise
        revokes it and issues a new one. Raises LedgerRefused: REFRESH_UNKNOWN, REFRESH_REVOKED, REFRESH_EXPIRED,
        REFRESH_OF_ANOTHER, CONSENT_ENDED.
        """

    async def withdraw(self, jti: str, holder: TokenHolder, now: int) -> bool:
        """Revokes a token's consent with all its tokens (개별인증-004). The token may be expired or revoked.

        Returns False when the holder has no such token, or its consent is over.
        """

    async def issue_integrated(
        self,
        consent: Consent,
        pair: TokenPair,
        spent: Sequence[tuple[str, str]],
        evidence: Sequence[Evidence],
        now: int,
        form: bytes | None = None,
    ) -> None:
        """Stores a consent of integrated authentication with its tokens and evidence; replaces a former consent.

        `spent` are the single-use values: ("tx_id", value), ("nonce", value). `form` is the digest of their form, by
        which `find_issued` finds the pair again. Raises LedgerRefused: TX_ID_SPENT, NONCE_SPENT.
        """

    async def find_issued(
        self, tx_id: str, form: bytes, holder: TokenHolder, again_s: int, now: int
    ) -> tuple[Consent, TokenPair] | None:
        """Returns the consent and pair issued for this form in the last `again_s` seconds, while both tokens live.

        Returns None for another form or holder, and after the pair was refreshed or the consent ended.
        """

    async def find_spent(self, spent: Sequence[tuple[str, str]]) -> Reason | None:
        """Returns the reason to refuse the first value that was used before; None when all are unused.

        It is an early check, before signatures are verified.
        """

    async def end_expired_consents(self, now: int) -> int:
        """Ends every consent past its end_date (Korea) and revokes its refresh token. Returns the number of consents.

        A consent whose code was never used ends a day after the code expired. Access tokens are not revoked: they
        expired with the consent, and a call with one must get 40106.
        """


class TransferStore(Protocol):
    """The digests of scheduled transfers made (정기적 전송), which all gateways share."""

    async def add(self, week: int, digests: Sequence[bytes], now: int) -> None:
        """Adds digests of a week, which is named by the moment of its beginning. A digest may be there already."""

    async def list_after(self, number: int, week: int) -> tuple[int, Sequence[tuple[int, bytes]]]:
        """Returns the number that was reached, and rows added after `number`: TRANSFER_ROWS of them, or all there are.

        A row is a week, this one or a later one, and digests of it, joined. The number that was reached is below
        `number` if an older ledger was restored.
        """


class CustomerConsents(Protocol):
    """The consents of a customer, for the portal (지원-103)."""

    async def list_consents_in_force(
        self, ci: str, *, provider: str | None = None, operator: str | None = None
    ) -> Sequence[Consent]:
        """Returns a customer's consents in force, at one institution, of one operator, or all; the oldest first."""


class GrantSource(Protocol):
    """The ledger as a gateway uses it."""

    async def find_token_and_consent(self, jti: str) -> tuple[TokenRecord, Consent] | None:
        """Returns the access token `jti` and its consent, in any state; None when no such token was issued."""

    async def get_revocation_head(self) -> int:
        """Returns the number of the latest revocation, 0 when there is none."""

    async def list_revoked_after(self, number: int) -> tuple[int, Sequence[str]]:
        """Returns the latest revocation's number, and the jtis of access tokens revoked after `number`.

        Numbers become visible in their order: a lower one never appears after a higher one.
        """
