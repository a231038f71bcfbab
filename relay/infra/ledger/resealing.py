"""Everything sealed under the first key: what makes an older key superfluous."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, Row, Table, and_, select, tuple_, update

from relay.infra.ledger.consents import consents, requests
from relay.infra.ledger.consents import evidence as proofs
from relay.infra.ledger.database.sealing import Sealer
from relay.infra.ledger.database.tables import AUTHORIZATION_REQUESTS, CONSENT_SCOPES, CONSENTS, EVIDENCE
from relay.infra.ledger.transaction import Work, Works

BATCH: Final = 500
"""So many rows in one transaction: others wait no longer than that takes."""


def _nothing(_sealer: Sealer, _text: bytes) -> dict[str, object]:
    return {}


def _found_by(sealer: Sealer, text: bytes) -> dict[str, object]:
    return {"customer": sealer.customer(text.decode())}


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column of blobs: where each one is sealed, and what else changes with it."""

    table: Table
    column: Column[Any]
    place: Callable[[Row[Any]], str]
    beside: Callable[[Sealer, bytes], dict[str, object]] = _nothing


class Resealed(NamedTuple):
    """How many blobs were sealed anew, and the kids of the keys that became known and that were forgotten."""

    blobs: int
    introduced: tuple[str, ...]
    forgotten: tuple[str, ...]


SEALED: Final = (
    Sealed(AUTHORIZATION_REQUESTS, AUTHORIZATION_REQUESTS.c.ci, lambda row: requests.ci_place(row.request_id)),
    Sealed(CONSENTS, CONSENTS.c.ci, lambda row: consents.ci_place(row.consent_id), _found_by),
    Sealed(CONSENT_SCOPES, CONSENT_SCOPES.c.assets, lambda row: consents.assets_place(row.consent_id, row.position)),
    Sealed(EVIDENCE, EVIDENCE.c.content, lambda row: proofs.place(row.consent_id, row.position)),
    Sealed(
        AUTHORIZATION_REQUESTS,
        AUTHORIZATION_REQUESTS.c.oauth_state,
        lambda row: requests.state_place(row.request_id),
    ),
    Sealed(CONSENTS, CONSENTS.c.purpose, lambda row: consents.purpose_place(row.consent_id)),
)


async def reseal(works: Works) -> int:
    """Seal everything anew that is not under the first key; how many blobs there were.

    Row by row the ledger stays as good as it was; broken off, it goes on where it is called again.
    """
    return sum([await _reseal(works, sealed) for sealed in SEALED])


async def _reseal(works: Works, sealed: Sealed) -> int:
    count = 0
    last: Any = None
    while True:
        async with works.writing(0) as work:  # nothing moves, so no moment is written down
            some = await _batch(work, sealed, last)
        if not some:
            return count
        count += sum(not works.sealer.is_current(row.sealed_blob) for row in some)
        last = some[-1]


async def _batch(work: Work, sealed: Sealed, last: Any) -> list[Any]:
    key = list(sealed.table.primary_key)
    found = select(*key, sealed.column.label("sealed_blob")).where(sealed.column.is_not(None))
    if last is not None:
        found = found.where(tuple_(*key) > tuple_(*last[:-1]))
    rows: list[Any] = list(await work.rows.execute(found.order_by(*key).limit(BATCH).with_for_update()))
    for row in rows:
        if not work.sealer.is_current(row.sealed_blob):
            place = sealed.place(row)
            text = work.sealer.unseal(row.sealed_blob, place)
            values = {sealed.column.name: work.sealer.seal(text, place), **sealed.beside(work.sealer, text)}
            this = and_(*(column == value for column, value in zip(key, row[:-1], strict=True)))
            await work.rows.execute(update(sealed.table).where(this).values(values))
    return rows
