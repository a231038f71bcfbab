"""Marks of customer keys: the ledger knows its keys again without having them.

A customer is found by HMAC. Under a wrong key nobody is found and everybody seems new, so nothing would ever break: a
second consent would just stand beside the first. Therefore a key is introduced once and compared at each start.
"""

import hmac
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, LargeBinary, and_, delete, func, insert, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.infra.ledger.database.sealing import SealBroken, Sealer
from relay.infra.ledger.database.tables import KEY_MARKS
from relay.infra.ledger.resealing import SEALED, Sealed


class Misfit(StrEnum):
    """What can be wrong between the keys of the settings and those the ledger knows."""

    ANOTHER = "another"
    NEW = "new"
    MISSING = "missing"


_TOLD: Final = {
    Misfit.ANOTHER: "the customer key {!r} is not the one of that name which the ledger knows: bring the former key"
    " back, and give a new key a kid of its own",
    Misfit.NEW: "the customer key {!r} is new to the ledger: `relay migrate -c relay.yaml` introduces it",
    Misfit.MISSING: "the ledger knows the customer key {!r}, which is not among ledger.customer_keys: add it, or, when"
    " nothing is sealed under it any more, let `relay migrate --reseal` forget it",
}


class KeysUnfit(Exception):
    """The customer keys of the settings are not those of the ledger. The text names them and says what to do."""


def misfits(configured: Mapping[str, bytes], known: Mapping[str, bytes]) -> list[tuple[Misfit, str]]:
    """What is wrong, with the kid; marks by kid. The order is that of the settings, then that of the kids."""
    found = [
        (Misfit.ANOTHER if kid in known else Misfit.NEW, kid)
        for kid, mark in configured.items()
        if not hmac.compare_digest(mark, known.get(kid, b""))
    ]
    return found + [(Misfit.MISSING, kid) for kid in sorted(set(known) - set(configured))]


def told(found: Sequence[tuple[Misfit, str]]) -> str:
    """All that is wrong in words, in one line, with what to do."""
    return "; ".join(_TOLD[misfit].format(kid) for misfit, kid in found)


async def expect_known(rows: AsyncConnection, sealer: Sealer) -> None:
    """Raises KeysUnfit unless the sealer's keys are exactly those the ledger knows."""
    _refuse(misfits(sealer.marks, await _known(rows)), set(Misfit))


async def introduce(rows: AsyncConnection, sealer: Sealer, *, leaving: bool = False) -> tuple[str, ...]:
    """Make the sealer's new keys known; their kids. Raises KeysUnfit, and then none is.

    `leaving`: keys may be missing, for they are about to be forgotten. A ledger that knows no key yet, as before step
    0002, is opened here and there first.
    """
    known = await _known(rows)
    found = misfits(sealer.marks, known)
    _refuse(found, {Misfit.ANOTHER} if leaving else {Misfit.ANOTHER, Misfit.MISSING})
    if not known:
        await _tried(rows, sealer)
    new = tuple(kid for misfit, kid in found if misfit is Misfit.NEW)
    if new:
        await rows.execute(insert(KEY_MARKS), [{"kid": kid, "mark": sealer.marks[kid]} for kid in new])
    return new


async def forget(rows: AsyncConnection, sealer: Sealer) -> tuple[str, ...]:
    """Forget the keys that the sealer has not; their kids. Only after everything was sealed anew."""
    gone = delete(KEY_MARKS).where(KEY_MARKS.c.kid.not_in(list(sealer.marks))).returning(KEY_MARKS.c.kid)
    return tuple(sorted((await rows.execute(gone)).scalars()))


def _refuse(found: Sequence[tuple[Misfit, str]], refused: set[Misfit]) -> None:
    if wrong := [(misfit, kid) for misfit, kid in found if misfit in refused]:
        raise KeysUnfit(told(wrong))


async def _known(rows: AsyncConnection) -> dict[str, bytes]:
    return {row.kid: row.mark for row in await rows.execute(select(KEY_MARKS))}


async def _tried(rows: AsyncConnection, sealer: Sealer) -> None:
    """Open a blob of each key, and one of none of them, from each table. Raises KeysUnfit."""
    for sealed in SEALED:
        of_each = [_begins(sealed, head) for head in sealer.heads]
        for chosen in (*of_each, and_(sealed.column.is_not(None), not_(or_(*of_each)))):
            wanted = select(*sealed.table.primary_key, sealed.column.label("sealed_blob")).where(chosen).limit(1)
            row: Any = (await rows.execute(wanted)).one_or_none()
            try:
                if row is not None:
                    sealer.unseal(row.sealed_blob, sealed.place(row))
            except SealBroken as error:
                raise KeysUnfit(f"{error}: bring back the key it was sealed under") from error


def _begins(sealed: Sealed, head: bytes) -> ColumnElement[bool]:
    return func.substr(sealed.column, 1, len(head), type_=LargeBinary) == head
