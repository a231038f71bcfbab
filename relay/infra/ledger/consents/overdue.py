"""Consents that end by themselves: past their last day (GL: the issuer ends them), or with a code never spent."""

from datetime import datetime
from typing import Final

from sqlalchemy import select

from relay.domain.authorization.consent import KOREA, ConsentState
from relay.domain.authorization.issued_tokens import TokenKind
from relay.infra.ledger.consents import consents, tokens
from relay.infra.ledger.database.tables import CODES, CONSENTS
from relay.infra.ledger.transaction import Work

BATCH: Final = 200
"""So many in one transaction: others wait no longer than that takes."""


UNSPENT_S: Final = 86_400
"""A consent whose code was never spent ends so long after the code expired: no token was given, and none can be."""


async def end_some(work: Work) -> int:
    """End at most BATCH consents whose last day is over in Korea; how many there were.

    Access tokens stay as they are: they ended with the consent, and a call with one must be told so (40106).
    """
    today = datetime.fromtimestamp(work.now, KOREA).date()
    over = select(CONSENTS.c.consent_id).where(
        CONSENTS.c.state == ConsentState.ACTIVE.value, CONSENTS.c.end_date < today
    )
    found = over.order_by(CONSENTS.c.consent_id).limit(BATCH).with_for_update()
    ids = (await work.rows.execute(found)).scalars().all()
    for consent_id in ids:
        await consents.become(work, consent_id, ConsentState.ACTIVE, ConsentState.ENDED, "past its last day")
        await tokens.revoke(work, consent_id, (TokenKind.REFRESH,), "its consent ended")
    return len(ids)


async def end_unspent(work: Work) -> int:
    """End at most BATCH consents whose code expired unspent a day ago or before; how many there were."""
    unspent = select(CONSENTS.c.consent_id).join(CODES, CODES.c.consent_id == CONSENTS.c.consent_id)
    unspent = unspent.where(
        CODES.c.spent_at.is_(None),
        CODES.c.expires_at <= work.now - UNSPENT_S,
        CONSENTS.c.state == ConsentState.ACTIVE.value,
    )
    found = unspent.order_by(CONSENTS.c.consent_id).limit(BATCH).with_for_update(of=CONSENTS)
    ids = (await work.rows.execute(found)).scalars().all()
    for consent_id in ids:
        await consents.become(work, consent_id, ConsentState.ACTIVE, ConsentState.ENDED, "its code was never spent")
    return len(ids)
