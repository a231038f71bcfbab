"""Writes tokens into the ledger without a customer, for tests and benchmarks: a consent to all assets."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from relay.domain.authorization.consent import Authentication, Consent, Particulars, Target
from relay.domain.authorization.issued_tokens import TokenKind, TokenPair, TokenRecord
from relay.domain.korea import date_in_korea
from relay.domain.ledger import Ledger
from relay.policy.call.withheld import FLAGS
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.ledger import build_ledger

_YEAR: Final = timedelta(days=364)
_FOR_EVER: Final = datetime(9999, 12, 31, tzinfo=UTC).date()


@dataclass(frozen=True, slots=True)
class SeedToken:
    """Claims of a token (`jti`, `org_code`, `aud`, `client_id`, `scope`, `exp`) and the CI of its customer."""

    claims: Mapping[str, Any]
    ci: str = field(repr=False)


async def record_tokens(settings: Path, claims: Sequence[Mapping[str, Any]], ci: str) -> None:
    """Records tokens with these claims in the ledger of `settings`, as consented to by the customer of `ci`."""
    ledger = build_ledger(load_settings(settings, {}).settings.ledger)
    now = datetime.now(UTC)
    try:
        seeds = [SeedToken(token, ci) for token in claims]
        await record_seed_tokens(ledger, [(seed, build_consent(seed, now)) for seed in seeds], now)
    finally:
        await ledger.close()


async def record_seed_tokens(ledger: Ledger, seeds: Sequence[tuple[SeedToken, Consent]], now: datetime) -> None:
    """Records each token with its consent, which replaces that of the same customer, service and institution."""
    at = int(now.timestamp())
    for seed, consent in seeds:
        access = _record(seed.claims["jti"], TokenKind.ACCESS, consent, at, int(seed.claims["exp"]))
        refresh = _record(secrets.token_hex(16), TokenKind.REFRESH, consent, at, at + 86_400)
        await ledger.issue_integrated(consent, TokenPair(access, refresh), (), (), at)


def build_consent(seed: SeedToken, now: datetime) -> Consent:
    """Returns a consent given at `now`: scheduled transfer, all assets, the flags of its industries (규격 6.2)."""
    claims = seed.claims
    scopes = claims["scope"].split()
    industries = {scope.partition(".")[0] for scope in scopes}
    flags = {name: True for name, flag in FLAGS.items() if not industries.isdisjoint(flag.industries)}
    return Consent(
        consent_id=secrets.token_hex(16),
        provider=claims["org_code"],
        operator=claims["aud"],
        client_id=claims["client_id"],
        authentication=Authentication.INTEGRATED,
        particulars=Particulars(
            is_scheduled=True,
            end_date=date_in_korea(now.timestamp()) + _YEAR,
            purpose="시험",
            period=_FOR_EVER,
            targets=tuple(map(Target, scopes)),
            fnd_cycle="1/w",
            add_cycle="1/w",
            **flags,
        ),
        given_at=int(now.timestamp()),
        ci=seed.ci,
    )


def _record(jti: str, kind: TokenKind, consent: Consent, issued_at: int, expires_at: int) -> TokenRecord:
    digest = hashlib.sha256(jti.encode()).digest()
    return TokenRecord(
        jti, kind, consent.consent_id, " ".join(consent.particulars.scopes), issued_at, expires_at, digest
    )
