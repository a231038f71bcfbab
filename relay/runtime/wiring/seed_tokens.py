"""Tokens straight into the ledger, for the sandbox, tests and benchmarks: a consent to everything, given by nobody."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from relay.domain.authorization.consent import KOREA, Authentication, Consent, Particulars, Target
from relay.domain.authorization.issued_tokens import Pair, TokenKind, TokenRecord
from relay.domain.ledger import Ledger
from relay.policy.call.withheld import FLAGS

_YEAR: Final = timedelta(days=364)
_FOR_EVER: Final = datetime(9999, 12, 31, tzinfo=UTC).date()


@dataclass(frozen=True, slots=True)
class Handout:
    """What a token is recorded for: its claims (`jti`, `org_code`, `aud`, `client_id`, `scope`, `exp`) and customer."""

    claims: Mapping[str, Any]
    ci: str = field(repr=False)


async def hand_out(ledger: Ledger, handouts: Sequence[tuple[Handout, Consent]], now: datetime) -> None:
    """Record each token with its consent; a former one of the same customer, service and institution is replaced."""
    at = int(now.timestamp())
    for handout, consent in handouts:
        access = _record(handout.claims["jti"], TokenKind.ACCESS, consent, at, int(handout.claims["exp"]))
        refresh = _record(secrets.token_hex(16), TokenKind.REFRESH, consent, at, at + 86_400)
        await ledger.issue_integrated(consent, Pair(access, refresh), (), (), at)


def consent_for(handout: Handout, now: datetime) -> Consent:
    """The consent behind a token as if the customer had given it now: scheduled, all assets.

    It has the flags that the industries of its scopes know, and no other (규격 6.2).
    """
    claims = handout.claims
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
            end_date=(now.astimezone(KOREA) + _YEAR).date(),
            purpose="시험",
            period=_FOR_EVER,
            targets=tuple(map(Target, scopes)),
            fnd_cycle="1/w",
            add_cycle="1/w",
            **flags,
        ),
        given_at=int(now.timestamp()),
        ci=handout.ci,
    )


def _record(jti: str, kind: TokenKind, consent: Consent, issued_at: int, expires_at: int) -> TokenRecord:
    digest = hashlib.sha256(jti.encode()).digest()
    return TokenRecord(
        jti, kind, consent.consent_id, " ".join(consent.particulars.scopes), issued_at, expires_at, digest
    )
