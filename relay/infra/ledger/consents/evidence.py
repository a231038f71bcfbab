"""전자서명: what proves a consent, sealed beside it."""

from collections.abc import Sequence

from sqlalchemy import insert

from relay.domain.ledger import Evidence
from relay.infra.ledger.database.tables import EVIDENCE
from relay.infra.ledger.transaction import Work


def place(consent_id: str, position: int) -> str:
    """Where a piece of evidence is sealed."""
    return f"evidence of a consent:{position}:{consent_id}"


async def keep(work: Work, consent_id: str, evidence: Sequence[Evidence]) -> None:
    """Keep what proves a consent."""
    rows = [
        {
            "consent_id": consent_id,
            "position": position,
            "kind": piece.kind,
            "content": work.sealer.seal(piece.content, place(consent_id, position)),
        }
        for position, piece in enumerate(evidence)
    ]
    if rows:
        await work.rows.execute(insert(EVIDENCE), rows)
