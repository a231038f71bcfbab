"""Ends consents that are past their last day (GL: the issuer ends them) or whose code was never used."""

from typing import Final

from sqlalchemy import select

from relay.domain.authorization.consent import ConsentState
from relay.domain.authorization.issued_tokens import TokenKind
from relay.domain.korea import DAY_S, date_in_korea
from relay.infra.ledger.consents import consents, tokens
from relay.infra.ledger.database.tables import CODES, CONSENTS
from relay.infra.ledger.transaction import Transaction

BATCH: Final = 200
"""Consents ended in one transaction; other writers wait no longer than it takes."""
UNSPENT_S: Final = DAY_S
"""Seconds from the expiry of an unused code to the end of its consent, which has no token and can get none."""


async def end_expired(transaction: Transaction) -> int:
    """Ends at most BATCH consents whose last day is over in Korea. Returns their number.

    Does not revoke access tokens: they expired with the consent, and a call with one must get 40106.
    """
    today = date_in_korea(transaction.now)
    expired = select(CONSENTS.c.consent_id).where(
        CONSENTS.c.state == ConsentState.ACTIVE.value, CONSENTS.c.end_date < today
    )
    query = expired.order_by(CONSENTS.c.consent_id).limit(BATCH).with_for_update()
    ids = (await transaction.connection.execute(query)).scalars().all()
    for consent_id in ids:
        why = "past its last day"
        await consents.change_state(transaction, consent_id, ConsentState.ACTIVE, ConsentState.ENDED, why)
        await tokens.revoke(transaction, consent_id, (TokenKind.REFRESH,), "its consent ended")
    return len(ids)


async def end_unspent(transaction: Transaction) -> int:
    """Ends at most BATCH consents whose code expired unused a day ago or earlier. Returns their number."""
    unspent = select(CONSENTS.c.consent_id).join(CODES, CODES.c.consent_id == CONSENTS.c.consent_id)
    unspent = unspent.where(
        CODES.c.spent_at.is_(None),
        CODES.c.expires_at <= transaction.now - UNSPENT_S,
        CONSENTS.c.state == ConsentState.ACTIVE.value,
    )
    query = unspent.order_by(CONSENTS.c.consent_id).limit(BATCH).with_for_update(of=CONSENTS)
    ids = (await transaction.connection.execute(query)).scalars().all()
    for consent_id in ids:
        why = "its code was never spent"
        await consents.change_state(transaction, consent_id, ConsentState.ACTIVE, ConsentState.ENDED, why)
    return len(ids)
