"""전자서명: the signatures that prove a consent, sealed and stored with it."""

from collections.abc import Sequence

from sqlalchemy import insert

from relay.domain.ledger import Evidence
from relay.infra.ledger.database.tables import EVIDENCE
from relay.infra.ledger.transaction import Transaction


def context(consent_id: str, position: int) -> str:
    """Returns the sealing context of a piece of evidence."""
    return f"evidence of a consent:{position}:{consent_id}"


async def add(transaction: Transaction, consent_id: str, evidence: Sequence[Evidence]) -> None:
    """Inserts the evidence of a consent."""
    rows = [
        {
            "consent_id": consent_id,
            "position": position,
            "kind": piece.kind,
            "content": transaction.sealer.seal(piece.content, context(consent_id, position)),
        }
        for position, piece in enumerate(evidence)
    ]
    if rows:
        await transaction.connection.execute(insert(EVIDENCE), rows)
