"""Fingerprints of customer keys: the ledger recognizes its keys without storing them.

Customers are looked up by HMAC. A wrong key causes no error: every customer seems new and gets a second consent.
Therefore a key is introduced once and compared at each start.
"""

import hmac
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, LargeBinary, and_, delete, func, insert, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.infra.ledger.database.sealing import Sealer, UnsealError
from relay.infra.ledger.database.tables import KEY_FINGERPRINTS
from relay.infra.ledger.resealing import SEALED, Sealed


class KeyMismatch(StrEnum):
    """A difference between the keys of the settings and those that the ledger knows."""

    ANOTHER = "another"
    NEW = "new"
    MISSING = "missing"


_MESSAGES: Final = {
    KeyMismatch.ANOTHER: "the customer key {!r} is not the one of that name which the ledger knows: bring the former"
    " key back, and give a new key a kid of its own",
    KeyMismatch.NEW: "the customer key {!r} is new to the ledger: `relay migrate -c relay.yaml` introduces it",
    KeyMismatch.MISSING: "the ledger knows the customer key {!r}, which is not among ledger.customer_keys: add it, or,"
    " when nothing is sealed under it any more, remove it with `relay migrate --reseal`",
}


class CustomerKeyError(Exception):
    """The customer keys of the settings are not those of the ledger. The text names the keys and the remedy."""


def find_mismatches(configured: Mapping[str, bytes], known: Mapping[str, bytes]) -> list[tuple[KeyMismatch, str]]:
    """Compares fingerprints by kid. Returns differences with their kid, in the order of the settings, then of kids."""
    mismatches = [
        (KeyMismatch.ANOTHER if kid in known else KeyMismatch.NEW, kid)
        for kid, fingerprint in configured.items()
        if not hmac.compare_digest(fingerprint, known.get(kid, b""))
    ]
    return mismatches + [(KeyMismatch.MISSING, kid) for kid in sorted(set(known) - set(configured))]


def describe(mismatches: Sequence[tuple[KeyMismatch, str]]) -> str:
    """Returns all differences with their remedies, in one line."""
    return "; ".join(_MESSAGES[mismatch].format(kid) for mismatch, kid in mismatches)


async def require_known(connection: AsyncConnection, sealer: Sealer) -> None:
    """Raises CustomerKeyError unless the sealer's keys are exactly those that the ledger knows."""
    _refuse(find_mismatches(sealer.fingerprints, await _load_known(connection)), set(KeyMismatch))


async def introduce(connection: AsyncConnection, sealer: Sealer, *, allow_missing: bool = False) -> tuple[str, ...]:
    """Stores the fingerprints of the sealer's new keys. Returns their kids. Raises CustomerKeyError and stores none.

    `allow_missing` accepts missing keys, which the caller is about to remove. In a ledger without any fingerprint, as
    before migration 0002, the keys must first unseal samples.
    """
    known = await _load_known(connection)
    mismatches = find_mismatches(sealer.fingerprints, known)
    _refuse(mismatches, {KeyMismatch.ANOTHER} if allow_missing else {KeyMismatch.ANOTHER, KeyMismatch.MISSING})
    if not known:
        await _unseal_samples(connection, sealer)
    new = tuple(kid for mismatch, kid in mismatches if mismatch is KeyMismatch.NEW)
    if new:
        rows = [{"kid": kid, "mark": sealer.fingerprints[kid]} for kid in new]
        await connection.execute(insert(KEY_FINGERPRINTS), rows)
    return new


async def forget(connection: AsyncConnection, sealer: Sealer) -> tuple[str, ...]:
    """Removes the keys that the sealer does not have. Returns their kids. Only to be called after resealing."""
    kid = KEY_FINGERPRINTS.c.kid
    removal = delete(KEY_FINGERPRINTS).where(kid.not_in(list(sealer.fingerprints))).returning(kid)
    return tuple(sorted((await connection.execute(removal)).scalars()))


def _refuse(mismatches: Sequence[tuple[KeyMismatch, str]], refused: set[KeyMismatch]) -> None:
    if wrong := [(mismatch, kid) for mismatch, kid in mismatches if mismatch in refused]:
        raise CustomerKeyError(describe(wrong))


async def _load_known(connection: AsyncConnection) -> dict[str, bytes]:
    return {row.kid: row.mark for row in await connection.execute(select(KEY_FINGERPRINTS))}


async def _unseal_samples(connection: AsyncConnection, sealer: Sealer) -> None:
    """Unseals one blob of each key, and one of no known key, from each sealed column. Raises CustomerKeyError."""
    for sealed in SEALED:
        of_each_key = [_starts_with(sealed, prefix) for prefix in sealer.prefixes]
        for condition in (*of_each_key, and_(sealed.column.is_not(None), not_(or_(*of_each_key)))):
            query = select(*sealed.table.primary_key, sealed.column.label("sealed_blob")).where(condition).limit(1)
            row: Any = (await connection.execute(query)).one_or_none()
            try:
                if row is not None:
                    sealer.unseal(row.sealed_blob, sealed.context(row))
            except UnsealError as error:
                raise CustomerKeyError(f"{error}: bring back the key it was sealed under") from error


def _starts_with(sealed: Sealed, prefix: bytes) -> ColumnElement[bool]:
    return func.substr(sealed.column, 1, len(prefix), type_=LargeBinary) == prefix
