"""Consents in the ledger: kept, found by their customer, ended. One of a customer, service and provider holds."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.authorization.consent import (
    CONSENT_MOVES,
    KOREA,
    Asset,
    Authentication,
    Consent,
    ConsentState,
    Particulars,
    Target,
)
from relay.domain.authorization.issued_tokens import TokenKind
from relay.domain.transition import moved
from relay.infra.ledger.consents import tokens
from relay.infra.ledger.database.sealing import Sealer
from relay.infra.ledger.database.tables import CONSENT_SCOPES, CONSENTS
from relay.infra.ledger.transaction import Work


def ci_place(consent_id: str) -> str:
    """Where a consent's CI is sealed."""
    return f"ci of a consent:{consent_id}"


def purpose_place(consent_id: str) -> str:
    """Where a consent's purpose is sealed."""
    return f"purpose of a consent:{consent_id}"


def assets_place(consent_id: str, position: int) -> str:
    """Where the asset list of a consent's scope is sealed."""
    return f"assets of a consent:{position}:{consent_id}"


async def keep(work: Work, consent: Consent, why: str) -> None:
    """Keep a new consent with its targets. Raises ValueError when it is not active."""
    if consent.state is not ConsentState.ACTIVE:
        raise ValueError("a new consent is active")
    told = consent.particulars
    row = {
        "consent_id": consent.consent_id,
        "provider": consent.provider,
        "operator": consent.operator,
        "client_id": consent.client_id,
        "authentication": consent.authentication.value,
        "is_scheduled": told.is_scheduled,
        "fnd_cycle": told.fnd_cycle,
        "add_cycle": told.add_cycle,
        "end_date": told.end_date,
        "purpose": work.sealer.seal(told.purpose.encode(), purpose_place(consent.consent_id)),
        "period": told.period,
        "is_consent_trans_memo": told.is_consent_trans_memo,
        "is_consent_merchant_name_regno": told.is_consent_merchant_name_regno,
        "is_consent_trans_category": told.is_consent_trans_category,
        "given_at": consent.given_at,
        "customer": work.sealer.customer(consent.ci),
        "ci": work.sealer.seal(consent.ci.encode(), ci_place(consent.consent_id)),
        "state": consent.state.value,
    }
    await work.rows.execute(insert(CONSENTS), row)
    if told.targets:
        await work.rows.execute(insert(CONSENT_SCOPES), _scopes(work.sealer, consent))
    work.moved("consent", consent.consent_id, None, consent.state, why)


def _scopes(sealer: Sealer, consent: Consent) -> list[dict[str, object]]:
    return [
        {
            "consent_id": consent.consent_id,
            "position": position,
            "scope": target.scope,
            "all_assets": target.assets is None,
            "assets": _sealed(sealer, assets_place(consent.consent_id, position), target.assets),
        }
        for position, target in enumerate(consent.particulars.targets)
    ]


def _sealed(sealer: Sealer, place: str, assets: Sequence[Asset] | None) -> bytes | None:
    if assets is None:
        return None
    return sealer.seal(json.dumps([[asset.asset, asset.seqno] for asset in assets]).encode(), place)


async def lock_customer(work: Work, ci: str) -> None:
    """Let nobody else give a consent of this customer until the transaction ends.

    A row cannot be locked before it is there. SQLite has one writer anyway. Each key's name of the customer is locked,
    in one order, so that processes with other keys in front wait as well.
    """
    if work.rows.dialect.name == "postgresql":
        numbers = sorted(int.from_bytes(name[:8], signed=True) for name in work.sealer.customers(ci))
        for number in numbers:
            await work.rows.execute(select(func.pg_advisory_xact_lock(number)))


async def replace(work: Work, consent: Consent) -> None:
    """End the consents that this new one takes the place of, and revoke their tokens (규격 2.2: at once)."""
    why = "replaced by a new consent"
    state = moved(CONSENT_MOVES, ConsentState.ACTIVE, ConsentState.REPLACED)
    found = in_force(work.sealer, consent.ci, consent.client_id, consent.provider)
    replaced = update(CONSENTS).where(found).values(state=state.value, ended_at=work.now)
    replaced = replaced.returning(CONSENTS.c.consent_id)
    for (consent_id,) in (await work.rows.execute(replaced)).all():
        work.moved("consent", consent_id, ConsentState.ACTIVE, state, why)
        await tokens.revoke(work, consent_id, TokenKind, why)


def of_customer(sealer: Sealer, ci: str) -> ColumnElement[bool]:
    """What is true of the consents of a customer that hold."""
    return and_(CONSENTS.c.customer.in_(sealer.customers(ci)), CONSENTS.c.state == ConsentState.ACTIVE.value)


def in_force(sealer: Sealer, ci: str, client_id: str, provider: str) -> ColumnElement[bool]:
    """What is true of the consents of a customer for a service and provider that hold."""
    return and_(of_customer(sealer, ci), CONSENTS.c.client_id == client_id, CONSENTS.c.provider == provider)


def is_in_force(row: Row[Any], now: int) -> bool:
    """Whether the consent of a row holds at `now`: it is active and its last day in Korea is not over."""
    return ConsentState(row.state) is ConsentState.ACTIVE and not _is_last_day_over(row, now)


def is_past(row: Row[Any], now: int) -> bool:
    """Whether the consent of a row ended by itself: its last day is over, and it was neither revoked nor replaced."""
    state = ConsentState(row.state)
    return state is ConsentState.ENDED or (state is ConsentState.ACTIVE and _is_last_day_over(row, now))


def _is_last_day_over(row: Row[Any], now: int) -> bool:
    last_day: date = row.end_date
    return datetime.fromtimestamp(now, KOREA).date() > last_day


async def end(work: Work, consent_id: str, was: ConsentState, to: ConsentState, why: str) -> None:
    """Move a locked consent to where it is over, and revoke its tokens."""
    await become(work, consent_id, was, to, why)
    await tokens.revoke(work, consent_id, TokenKind, why)


async def become(work: Work, consent_id: str, was: ConsentState, to: ConsentState, why: str) -> None:
    """Move a locked consent to where it is over. Raises Forbidden."""
    state = moved(CONSENT_MOVES, was, to)
    this = update(CONSENTS).where(CONSENTS.c.consent_id == consent_id)
    await work.rows.execute(this.values(state=state.value, ended_at=work.now))
    work.moved("consent", consent_id, was, state, why)


async def locked(work: Work, consent_id: ColumnElement[Any]) -> Row[Any] | None:
    """The row of a consent, nobody else's until the transaction ends. `consent_id` may be a subquery."""
    found = select(CONSENTS).where(CONSENTS.c.consent_id == consent_id).with_for_update()
    return (await work.rows.execute(found)).one_or_none()


async def consent_of(rows: AsyncConnection, sealer: Sealer, row: Row[Any]) -> Consent:
    """The consent of a row of CONSENTS, with its targets."""
    scopes = select(CONSENT_SCOPES).where(CONSENT_SCOPES.c.consent_id == row.consent_id)
    targets = tuple(_target(sealer, scope) for scope in await rows.execute(scopes.order_by(CONSENT_SCOPES.c.position)))
    return Consent(
        consent_id=row.consent_id,
        provider=row.provider,
        operator=row.operator,
        client_id=row.client_id,
        authentication=Authentication(row.authentication),
        particulars=_particulars(sealer, row, targets),
        given_at=row.given_at,
        ci=sealer.unseal(row.ci, ci_place(row.consent_id)).decode(),
        state=ConsentState(row.state),
    )


def _particulars(sealer: Sealer, row: Row[Any], targets: tuple[Target, ...]) -> Particulars:
    return Particulars(
        is_scheduled=row.is_scheduled,
        end_date=row.end_date,
        purpose=sealer.unseal(row.purpose, purpose_place(row.consent_id)).decode(),
        period=row.period,
        targets=targets,
        fnd_cycle=row.fnd_cycle,
        add_cycle=row.add_cycle,
        is_consent_trans_memo=row.is_consent_trans_memo,
        is_consent_merchant_name_regno=row.is_consent_merchant_name_regno,
        is_consent_trans_category=row.is_consent_trans_category,
    )


def _target(sealer: Sealer, row: Row[Any]) -> Target:
    if row.assets is None:
        return Target(row.scope)
    listed = json.loads(sealer.unseal(row.assets, assets_place(row.consent_id, row.position)))
    return Target(row.scope, tuple(Asset(asset, seqno) for asset, seqno in listed))
