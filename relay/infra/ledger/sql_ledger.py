"""The ledger in SQL: implements the ports of `domain.ledger`, one transaction for each method."""

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy import select

from relay.domain.authorization.consent import Consent
from relay.domain.authorization.issued_tokens import TokenKind, TokenPair, TokenRecord
from relay.domain.authorization.request import AuthorizationCode, AuthorizationRequest, RequestState
from relay.domain.ledger import Evidence, LedgerRefused, Reason, TokenHolder
from relay.domain.transition import InvalidTransition
from relay.infra.ledger import key_fingerprints, resealing
from relay.infra.ledger import schema as schemas
from relay.infra.ledger.consents import consents, issuing, overdue, requests, revocations, single_use, tokens
from relay.infra.ledger.consents import evidence as evidence_rows
from relay.infra.ledger.database import identity
from relay.infra.ledger.database.engine import build_engine, sqlite_path
from relay.infra.ledger.database.sealing import Sealer
from relay.infra.ledger.database.tables import CONSENTS, TOKENS
from relay.infra.ledger.jobs import SqlJobs
from relay.infra.ledger.registry.registry import SqlRegistry
from relay.infra.ledger.retention import SqlArchive
from relay.infra.ledger.statistics.statistics import SqlStatistics
from relay.infra.ledger.transaction import Transaction, Transactions
from relay.infra.ledger.transfers import SqlTransfers
from relay.infra.ledger.trusted_clock import TrustedClock


def create_ledger(url: str, sealer: Sealer, connections: int, deadline_s: float | None = None) -> "SqlLedger":
    """Returns the ledger at `sqlite:PATH` or `postgresql://HOST/DATABASE`; does not connect yet, see `check`.

    At most `connections` are open at a time. A transaction that takes longer than `deadline_s` is rolled back. The
    ledger belongs to the event loop that uses it first. Raises LedgerUrlError.
    """
    return SqlLedger(url, Transactions(build_engine(url, connections), sealer, sqlite_path(url), deadline_s))


class SqlLedger:
    """`domain.ledger.Ledger`, `GrantSource` and `CustomerConsents` over SQLite or PostgreSQL.

    `registry`, `statistics`, `jobs` and `transfers` are further ports of the same ledger. `archive` removes old
    rows. `trusted_clock` limits the clock for irreversible actions.
    Every method of all of them may raise LedgerDown.
    """

    def __init__(self, url: str, transactions: Transactions) -> None:
        self._url = url
        self._transactions = transactions
        self.registry = SqlRegistry(transactions)
        self.statistics = SqlStatistics(transactions)
        self.jobs = SqlJobs(transactions)
        self.transfers = SqlTransfers(transactions)
        self.archive = SqlArchive(transactions)
        self.trusted_clock = TrustedClock(transactions)

    @property
    def transfer_keys(self) -> tuple[bytes, ...]:
        """The keys that make marks of scheduled transfers, derived from the customer keys: the first key's first."""
        return self._transactions.sealer.transfer_keys

    async def close(self) -> None:
        """Closes all connections."""
        await self._transactions.engine.dispose()

    def announce_revocations(self, announce: Callable[[Sequence[str]], None]) -> None:
        """Registers `announce`: it gets the jtis of the access tokens that a transaction revoked, after its commit."""
        self._transactions.announce = announce

    async def check(self) -> None:
        """Raises SchemaError or CustomerKeyError, with a remedy, unless the tables and customer keys match.

        A server must call this at its start: wrong keys cause no error, customers are just not found.
        """
        await schemas.check_ledger(self._url, self._transactions.sealer)

    async def begin_generation(self) -> int:
        """Marks the ledger as restored from a backup: running processes stop using it. Raises SchemaError."""
        schemas.require_current(await schemas.read_state(self._url))
        async with schemas.begin_exclusive(self._url) as connection:
            return await identity.begin_generation(connection)

    async def reseal(self) -> resealing.ResealResult:
        """Reseals everything that is not under the first customer key, and removes keys that are not configured.

        Raises SchemaError, CustomerKeyError, UnsealError; then no key is removed.
        """
        schemas.require_current(await schemas.read_state(self._url))
        sealer = self._transactions.sealer
        async with schemas.begin_exclusive(self._url) as connection:
            introduced = await key_fingerprints.introduce(connection, sealer, allow_missing=True)
        count = await resealing.reseal(self._transactions)
        async with schemas.begin_exclusive(self._url) as connection:
            return resealing.ResealResult(count, introduced, await key_fingerprints.forget(connection, sealer))

    async def open_request(self, request: AuthorizationRequest) -> None:
        """Stores a new request."""
        async with self._transactions.begin(request.requested_at) as transaction:
            await requests.add(transaction, request)

    async def load_request(self, request_id: str, browser: bytes | None, now: int) -> AuthorizationRequest:
        """Returns a request that can still be answered. The first `browser` becomes its owner. Raises LedgerRefused."""
        async with self._transactions.connect() as connection:
            row = await requests.load_row(connection, request_id)
        is_owned = browser is None or requests.is_owned(row, browser)
        requests.require_unanswered(row, now)
        if browser is not None and not is_owned:
            async with self._transactions.begin(now) as transaction:
                row = await requests.bind_browser(transaction, request_id, browser)
            requests.require_unanswered(row, now)
        return requests.read_request(self._transactions.sealer, row)

    async def count_failed_login(self, request_id: str, now: int) -> AuthorizationRequest:
        """Counts a wrong login; the MAX_LOGINS-th locks the request. Raises LedgerRefused."""
        async with self._transactions.begin(now) as transaction:
            return await requests.count_failure(transaction, request_id)

    async def answer_request(self, request_id: str, state: RequestState, why: str, now: int) -> None:
        """Moves a request to AUTHENTICATED, DENIED or LOCKED. Raises LedgerRefused; InvalidTransition for others."""
        if state is RequestState.CONSENTED:
            raise InvalidTransition("only give_consent makes a request consented")
        async with self._transactions.begin(now) as transaction:
            await requests.answer(transaction, request_id, state, why)

    async def find_consent(self, ci: str, client_id: str, provider: str) -> Consent | None:
        """Returns the consent in force of a customer for a service and provider."""
        sealer = self._transactions.sealer
        async with self._transactions.connect() as connection:
            query = select(CONSENTS).where(consents.active_for_service(sealer, ci, client_id, provider))
            row = (await connection.execute(query)).first()
            return None if row is None else await consents.load_consent(connection, sealer, row)

    async def list_consents_in_force(
        self, ci: str, *, provider: str | None = None, operator: str | None = None
    ) -> Sequence[Consent]:
        """Returns a customer's consents in force, at one institution, of one operator, or all; the oldest first.

        A consent past its last day is included until `end_expired_consents` ends it.
        """
        sealer = self._transactions.sealer
        query = select(CONSENTS).where(consents.active_of_customer(sealer, ci))
        if provider is not None:
            query = query.where(CONSENTS.c.provider == provider)
        if operator is not None:
            query = query.where(CONSENTS.c.operator == operator)
        async with self._transactions.snapshot() as connection:
            rows = (await connection.execute(query.order_by(CONSENTS.c.given_at, CONSENTS.c.consent_id))).all()
            return [await consents.load_consent(connection, sealer, row) for row in rows]

    async def give_consent(self, request_id: str, consent: Consent, code: AuthorizationCode, now: int) -> None:
        """Completes an authenticated request with a consent and a code; replaces a former consent.

        Raises LedgerRefused; ValueError for a consent of another customer, service or provider than the request's.
        """
        async with self._transactions.begin(now) as transaction:
            await consents.lock_customer(transaction, consent.ci)
            row = await requests.answer(transaction, request_id, RequestState.CONSENTED, "consent given")
            request = requests.read_request(transaction.sealer, row)
            if _parties(request) != _parties(consent):
                raise ValueError("a consent is of the customer, service and provider that its request names")
            await consents.replace(transaction, consent)
            await consents.add(transaction, consent, "given in individual authentication")
            await issuing.add_code(transaction, code, consent.consent_id, row)

    async def spend_code(
        self, digest: bytes, holder: TokenHolder, redirect_uri: str, issue: Callable[[Consent], TokenPair], now: int
    ) -> tuple[Consent, TokenPair]:
        """Exchanges a code, once, for the pair that `issue` makes. Raises LedgerRefused.

        Raises CODE_SPENT after it revoked the code's tokens and their consent.
        """
        async with self._transactions.begin(now) as transaction:
            issued = await issuing.spend_code(transaction, digest, holder, redirect_uri, issue)
        if issued is None:
            raise LedgerRefused(Reason.CODE_SPENT)
        return issued

    async def refresh(
        self,
        jti: str,
        holder: TokenHolder,
        issue: Callable[[Consent, TokenRecord], TokenRecord],
        again_s: int,
        now: int,
    ) -> tuple[Consent, TokenRecord]:
        """Returns a refresh token's access token of the last `again_s` seconds, else a new one.

        Raises LedgerRefused.
        """
        async with self._transactions.begin(now) as transaction:
            return await issuing.refresh(transaction, jti, holder, issue, again_s)

    async def withdraw(self, jti: str, holder: TokenHolder, now: int) -> bool:
        """Revokes the consent in force of a holder's token, with all its tokens. Returns False when there is none."""
        async with self._transactions.begin(now) as transaction:
            return await issuing.withdraw(transaction, jti, holder)

    async def issue_integrated(
        self,
        consent: Consent,
        pair: TokenPair,
        spent: Sequence[tuple[str, str]],
        evidence: Sequence[Evidence],
        now: int,
        form: bytes | None = None,
    ) -> None:
        """Stores a consent of integrated authentication with tokens and evidence; replaces a former consent.

        Raises LedgerRefused TX_ID_SPENT, NONCE_SPENT.
        """
        async with self._transactions.begin(now) as transaction:
            await consents.lock_customer(transaction, consent.ci)
            await single_use.spend(transaction, spent, consent.consent_id, form)
            await consents.replace(transaction, consent)
            await consents.add(transaction, consent, "given in integrated authentication")
            await evidence_rows.add(transaction, consent.consent_id, evidence)
            await issuing.add_pair(transaction, consent, pair)

    async def find_issued(
        self, tx_id: str, form: bytes, holder: TokenHolder, again_s: int, now: int
    ) -> tuple[Consent, TokenPair] | None:
        """Returns the consent and pair issued for this form in the last `again_s` seconds, while both tokens live."""
        async with self._transactions.snapshot() as connection:
            consent_id = await single_use.find_consent_id(connection, tx_id, form, now - again_s)
            if consent_id is None:
                return None
            return await issuing.find_pair(connection, self._transactions.sealer, consent_id, holder, now)

    async def find_spent(self, spent: Sequence[tuple[str, str]]) -> Reason | None:
        """Returns the reason to refuse the first of these values that was used before; None when there is none."""
        async with self._transactions.connect() as connection:
            return await single_use.find_spent(connection, spent)

    async def end_expired_consents(self, now: int) -> int:
        """Ends every consent past its last day, or whose code was never used. Returns their number.

        Each consent ends in one transaction; many consents take several.
        """
        return sum([await self._end_all(end_batch, now) for end_batch in (overdue.end_expired, overdue.end_unspent)])

    async def _end_all(self, end_batch: Callable[[Transaction], Awaitable[int]], now: int) -> int:
        total = 0
        while True:
            async with self._transactions.begin(now) as transaction:
                count = await end_batch(transaction)
            total += count
            if count < overdue.BATCH:
                return total

    async def find_token_and_consent(self, jti: str) -> tuple[TokenRecord, Consent] | None:
        """Returns the access token `jti` and its consent, in any state; None when no such token was issued."""
        query = select(CONSENTS, *tokens.TOKEN_COLUMNS).join(TOKENS, TOKENS.c.consent_id == CONSENTS.c.consent_id)
        query = query.where(TOKENS.c.jti == jti, TOKENS.c.kind == TokenKind.ACCESS.value)
        async with self._transactions.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                return None
            return tokens.read_token(row), await consents.load_consent(connection, self._transactions.sealer, row)

    async def get_revocation_head(self) -> int:
        """Returns the number of the latest revocation, 0 when there is none."""
        async with self._transactions.connect() as connection:
            return await revocations.read_head(connection)

    async def list_revoked_after(self, number: int) -> tuple[int, Sequence[str]]:
        """Returns the latest revocation's number, and the jtis of access tokens revoked after `number`."""
        async with self._transactions.connect() as connection:
            return await revocations.read_after(connection, number)


def _parties(record: AuthorizationRequest | Consent) -> tuple[str, str, str, str]:
    return record.ci, record.client_id, record.operator, record.provider
