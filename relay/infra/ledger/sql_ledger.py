"""The ledger in SQL: `domain.ledger`'s promises, one transaction each. The rooms beside this one say how."""

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy import select

from relay.domain.authorization.consent import Consent
from relay.domain.authorization.issued_tokens import Pair, TokenKind, TokenRecord
from relay.domain.authorization.request import AuthorizationRequest, Code, RequestState
from relay.domain.ledger import Evidence, Holder, NotGranted, Why
from relay.domain.transition import Forbidden
from relay.infra.ledger import key_fingerprints as marks
from relay.infra.ledger import resealing
from relay.infra.ledger import schema as schemas
from relay.infra.ledger.believed_time import BelievedTime
from relay.infra.ledger.consents import consents, issuing, overdue, requests, revocations, tokens
from relay.infra.ledger.consents import evidence as proofs
from relay.infra.ledger.consents import single_use as once
from relay.infra.ledger.database import identity
from relay.infra.ledger.database.engine import engine_for, sqlite_path
from relay.infra.ledger.database.sealing import Sealer
from relay.infra.ledger.database.tables import CONSENTS, TOKENS
from relay.infra.ledger.jobs import SqlJobs
from relay.infra.ledger.registry.registry import SqlRegistry
from relay.infra.ledger.retention import SqlArchive
from relay.infra.ledger.statistics.statistics import SqlStatistics
from relay.infra.ledger.transaction import Work, Works


async def open_ledger(url: str, sealer: Sealer, connections: int) -> "SqlLedger":
    """The ledger at a URL, for the running loop; whoever opens it closes it there. Raises LedgerUrlWrong."""
    return ledger_at(url, sealer, connections)


def ledger_at(url: str, sealer: Sealer, connections: int, deadline_s: float | None = None) -> "SqlLedger":
    """The ledger at `sqlite:PATH` or `postgresql://HOST/DATABASE`; nothing is asked of it yet, see `check`.

    At most `connections` are open at a time; a transaction that takes longer than `deadline_s` is undone. Belongs to
    the loop that asks first. Raises LedgerUrlWrong.
    """
    return SqlLedger(url, Works(engine_for(url, connections), sealer, sqlite_path(url), deadline_s))


class SqlLedger:
    """`domain.ledger.Ledger`, `GrantSource` and `CustomerConsents` over SQLite or PostgreSQL.

    `registry`, `statistics` and `jobs` are the other books of the same ledger, `archive` what it keeps of what is over,
    `time` tells by which time irrevocable work goes.
    Every method of all of them may raise Unreachable.
    """

    def __init__(self, url: str, works: Works) -> None:
        self._url = url
        self._works = works
        self.registry = SqlRegistry(works)
        self.statistics = SqlStatistics(works)
        self.jobs = SqlJobs(works)
        self.archive = SqlArchive(works)
        self.time = BelievedTime(works)

    async def close(self) -> None:
        """Close all connections."""
        await self._works.engine.dispose()

    def announce_revocations(self, announce: Callable[[Sequence[str]], None]) -> None:
        """Have `announce` called with the access tokens that a transaction of this ledger revoked, after its commit."""
        self._works.announce = announce

    async def check(self) -> None:
        """Raises SchemaProblem or KeysUnfit, which say what to do, unless tables and customer keys are the right ones.

        Whoever serves asks this first: under wrong keys nothing breaks, customers are just not found.
        """
        await schemas.expect_fit(self._url, self._works.sealer)

    async def begin_generation(self) -> int:
        """Tell every process on this ledger that it was brought back from a backup. Raises SchemaProblem."""
        schemas.expect_current(await schemas.state(self._url))
        async with schemas.changing(self._url) as rows:
            return await identity.begin_generation(rows)

    async def reseal(self) -> resealing.Resealed:
        """Seal everything anew that is not under the first customer key, and forget the keys that are not there.

        Raises SchemaProblem, KeysUnfit, SealBroken; then no key is forgotten.
        """
        schemas.expect_current(await schemas.state(self._url))
        sealer = self._works.sealer
        async with schemas.changing(self._url) as rows:
            introduced = await marks.introduce(rows, sealer, leaving=True)
        count = await resealing.reseal(self._works)
        async with schemas.changing(self._url) as rows:
            return resealing.Resealed(count, introduced, await marks.forget(rows, sealer))

    async def open_request(self, request: AuthorizationRequest) -> None:
        """Keep a new request."""
        async with self._works.writing(request.asked_at) as work:
            await requests.keep(work, request)

    async def request(self, request_id: str, browser: bytes | None, now: int) -> AuthorizationRequest:
        """A request that may still be answered. The first `browser` that asks owns it. Raises NotGranted."""
        async with self._works.reading() as rows:
            row = await requests.found(rows, request_id)
        owned = browser is None or requests.is_owned(row, browser)
        requests.standing(row, now)
        if browser is not None and not owned:
            async with self._works.writing(now) as work:
                row = await requests.own(work, request_id, browser)
            requests.standing(row, now)
        return requests.request_of(self._works.sealer, row)

    async def login_failed(self, request_id: str, now: int) -> AuthorizationRequest:
        """Count a wrong login; the LOGINS_MOST-th locks the request. Raises NotGranted."""
        async with self._works.writing(now) as work:
            return await requests.count_failure(work, request_id)

    async def answer_request(self, request_id: str, state: RequestState, why: str, now: int) -> None:
        """Move a request to AUTHENTICATED, DENIED or LOCKED. Raises NotGranted; Forbidden for another state."""
        if state is RequestState.CONSENTED:
            raise Forbidden("a request becomes consented by a consent")
        async with self._works.writing(now) as work:
            await requests.answer(work, request_id, state, why)

    async def consent_of(self, ci: str, client_id: str, provider: str) -> Consent | None:
        """The consent in force of this customer for this service and provider."""
        sealer = self._works.sealer
        async with self._works.reading() as rows:
            wanted = select(CONSENTS).where(consents.in_force(sealer, ci, client_id, provider))
            row = (await rows.execute(wanted)).first()
            return None if row is None else await consents.consent_of(rows, sealer, row)

    async def consents_in_force(
        self, ci: str, *, provider: str | None = None, operator: str | None = None
    ) -> Sequence[Consent]:
        """The consents of a customer that hold, at one institution, of one operator, or all; the oldest first.

        One past its last day is among them until `end_overdue` ends it.
        """
        sealer = self._works.sealer
        wanted = select(CONSENTS).where(consents.of_customer(sealer, ci))
        if provider is not None:
            wanted = wanted.where(CONSENTS.c.provider == provider)
        if operator is not None:
            wanted = wanted.where(CONSENTS.c.operator == operator)
        async with self._works.snapshot() as rows:
            found = (await rows.execute(wanted.order_by(CONSENTS.c.given_at, CONSENTS.c.consent_id))).all()
            return [await consents.consent_of(rows, sealer, row) for row in found]

    async def give_consent(self, request_id: str, consent: Consent, code: Code, now: int) -> None:
        """An authenticated request becomes a consent with a code; a former consent is replaced. Raises NotGranted.

        Raises ValueError for a consent that is not the one the request asked for.
        """
        async with self._works.writing(now) as work:
            await consents.lock_customer(work, consent.ci)
            row = await requests.answer(work, request_id, RequestState.CONSENTED, "consent given")
            asked = requests.request_of(work.sealer, row)
            if _parties(asked) != _parties(consent):
                raise ValueError("a consent is of the customer, service and provider that its request names")
            await consents.replace(work, consent)
            await consents.keep(work, consent, "given in individual authentication")
            await issuing.keep_code(work, code, consent.consent_id, row)

    async def spend_code(
        self, digest: bytes, holder: Holder, redirect_uri: str, issue: Callable[[Consent], Pair], now: int
    ) -> tuple[Consent, Pair]:
        """Spend a code once for the pair that `issue` makes. Raises NotGranted.

        CODE_SPENT after its tokens and the consent behind them are revoked.
        """
        async with self._works.writing(now) as work:
            given = await issuing.spend_code(work, digest, holder, redirect_uri, issue)
        if given is None:
            raise NotGranted(Why.CODE_SPENT)
        return given

    async def refresh(
        self, jti: str, holder: Holder, issue: Callable[[Consent, TokenRecord], TokenRecord], again_s: int, now: int
    ) -> tuple[Consent, TokenRecord]:
        """An access token for a refresh token: what it gave within `again_s` seconds, else a new one. NotGranted."""
        async with self._works.writing(now) as work:
            return await issuing.refresh(work, jti, holder, issue, again_s)

    async def withdraw(self, jti: str, holder: Holder, now: int) -> bool:
        """Revoke the consent in force behind a token of the holder, with all its tokens; False when there is none."""
        async with self._works.writing(now) as work:
            return await issuing.withdraw(work, jti, holder)

    async def issue_integrated(
        self,
        consent: Consent,
        pair: Pair,
        spent: Sequence[tuple[str, str]],
        evidence: Sequence[Evidence],
        now: int,
        form: bytes | None = None,
    ) -> None:
        """Keep a consent of integrated authentication with tokens and evidence; a former one is replaced.

        Raises NotGranted TX_ID_SPENT, NONCE_SPENT.
        """
        async with self._works.writing(now) as work:
            await consents.lock_customer(work, consent.ci)
            await once.spend(work, spent, consent.consent_id, form)
            await consents.replace(work, consent)
            await consents.keep(work, consent, "given in integrated authentication")
            await proofs.keep(work, consent.consent_id, evidence)
            await issuing.keep_pair(work, consent, pair)

    async def issued_for(
        self, tx_id: str, form: bytes, holder: Holder, again_s: int, now: int
    ) -> tuple[Consent, Pair] | None:
        """The consent and the pair that this form was given within `again_s` seconds, while both tokens live."""
        async with self._works.snapshot() as rows:
            consent_id = await once.spent_by(rows, tx_id, form, now - again_s)
            if consent_id is None:
                return None
            return await issuing.issued(rows, self._works.sealer, consent_id, holder, now)

    async def is_spent(self, spent: Sequence[tuple[str, str]]) -> Why | None:
        """Whether one of these was used before."""
        async with self._works.reading() as rows:
            return await once.first_spent(rows, spent)

    async def end_overdue(self, now: int) -> int:
        """End every consent past its last day, or whose code was never spent; how many there were.

        Each ends whole; many take several transactions.
        """
        return sum([await self._end_all(end_some, now) for end_some in (overdue.end_some, overdue.end_unspent)])

    async def _end_all(self, end_some: Callable[[Work], Awaitable[int]], now: int) -> int:
        count = 0
        while True:
            async with self._works.writing(now) as work:
                some = await end_some(work)
            count += some
            if some < overdue.BATCH:
                return count

    async def consent_behind(self, jti: str) -> tuple[TokenRecord, Consent] | None:
        """The access token `jti` and its consent, whatever became of them; None when no such token was issued."""
        wanted = select(CONSENTS, *tokens.TOKEN_COLUMNS).join(TOKENS, TOKENS.c.consent_id == CONSENTS.c.consent_id)
        wanted = wanted.where(TOKENS.c.jti == jti, TOKENS.c.kind == TokenKind.ACCESS.value)
        async with self._works.reading() as rows:
            row = (await rows.execute(wanted)).one_or_none()
            if row is None:
                return None
            return tokens.token_of(row), await consents.consent_of(rows, self._works.sealer, row)

    async def revocation_head(self) -> int:
        """The number of the latest revocation, 0 when there was none."""
        async with self._works.reading() as rows:
            return await revocations.head(rows)

    async def revoked_after(self, number: int) -> tuple[int, Sequence[str]]:
        """What was revoked after revocation `number`: the latest number and the jtis of access tokens."""
        async with self._works.reading() as rows:
            return await revocations.after(rows, number)


def _parties(thing: AuthorizationRequest | Consent) -> tuple[str, str, str, str]:
    return thing.ci, thing.client_id, thing.operator, thing.provider
