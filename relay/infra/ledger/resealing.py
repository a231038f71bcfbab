"""Reseals all blobs under the first key, so that older keys can be removed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, Row, Table, and_, select, tuple_, update

from relay.infra.ledger.consents import consents, evidence, requests
from relay.infra.ledger.database.sealing import Sealer
from relay.infra.ledger.database.tables import AUTHORIZATION_REQUESTS, CONSENT_SCOPES, CONSENTS, EVIDENCE
from relay.infra.ledger.transaction import Transaction, Transactions

BATCH: Final = 500
"""Rows in one transaction; other writers wait no longer than it takes."""


def _no_columns(_sealer: Sealer, _text: bytes) -> dict[str, object]:
    return {}


def _customer_column(sealer: Sealer, text: bytes) -> dict[str, object]:
    return {"customer": sealer.customer_digest(text.decode())}


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column of blobs: the sealing context of a row's blob, and the columns that depend on the key as well."""

    table: Table
    column: Column[Any]
    context: Callable[[Row[Any]], str]
    dependent_columns: Callable[[Sealer, bytes], dict[str, object]] = _no_columns


class ResealResult(NamedTuple):
    """The number of resealed blobs, and the kids of the keys that were introduced and removed."""

    blobs: int
    introduced: tuple[str, ...]
    forgotten: tuple[str, ...]


SEALED: Final = (
    Sealed(AUTHORIZATION_REQUESTS, AUTHORIZATION_REQUESTS.c.ci, lambda row: requests.ci_context(row.request_id)),
    Sealed(CONSENTS, CONSENTS.c.ci, lambda row: consents.ci_context(row.consent_id), _customer_column),
    Sealed(CONSENT_SCOPES, CONSENT_SCOPES.c.assets, lambda row: consents.assets_context(row.consent_id, row.position)),
    Sealed(EVIDENCE, EVIDENCE.c.content, lambda row: evidence.context(row.consent_id, row.position)),
    Sealed(
        AUTHORIZATION_REQUESTS,
        AUTHORIZATION_REQUESTS.c.oauth_state,
        lambda row: requests.state_context(row.request_id),
    ),
    Sealed(CONSENTS, CONSENTS.c.purpose, lambda row: consents.purpose_context(row.consent_id)),
)


async def reseal(transactions: Transactions) -> int:
    """Reseals everything that is not under the first key. Returns the number of blobs.

    The ledger stays usable after every batch. When interrupted, it continues with the rest at the next call.
    """
    return sum([await _reseal_column(transactions, sealed) for sealed in SEALED])


async def _reseal_column(transactions: Transactions, sealed: Sealed) -> int:
    count = 0
    last: Any = None
    while True:
        async with transactions.begin(0) as transaction:  # no state changes, so the time is not written
            rows = await _reseal_batch(transaction, sealed, last)
        if not rows:
            return count
        count += sum(not transactions.sealer.is_current(row.sealed_blob) for row in rows)
        last = rows[-1]


async def _reseal_batch(transaction: Transaction, sealed: Sealed, last: Any) -> list[Any]:
    sealer = transaction.sealer
    key = list(sealed.table.primary_key)
    query = select(*key, sealed.column.label("sealed_blob")).where(sealed.column.is_not(None))
    if last is not None:
        query = query.where(tuple_(*key) > tuple_(*last[:-1]))
    rows: list[Any] = list(await transaction.connection.execute(query.order_by(*key).limit(BATCH).with_for_update()))
    for row in rows:
        if not sealer.is_current(row.sealed_blob):
            context = sealed.context(row)
            text = sealer.unseal(row.sealed_blob, context)
            values = {sealed.column.name: sealer.seal(text, context), **sealed.dependent_columns(sealer, text)}
            is_row = and_(*(column == value for column, value in zip(key, row[:-1], strict=True)))
            await transaction.connection.execute(update(sealed.table).where(is_row).values(values))
    return rows
