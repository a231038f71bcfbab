"""Rows of consents: insert, look up, end. A customer has one consent in force for a service and provider."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from relay.domain.authorization.consent import (
    CONSENT_MOVES,
    Asset,
    Authentication,
    Consent,
    ConsentState,
    Particulars,
    Target,
)
from relay.domain.authorization.issued_tokens import TokenKind
from relay.domain.korea import date_in_korea
from relay.domain.transition import apply_transition
from relay.infra.ledger.consents import tokens
from relay.infra.ledger.database.sealing import Sealer
from relay.infra.ledger.database.tables import CONSENT_SCOPES, CONSENTS
from relay.infra.ledger.transaction import Transaction


def ci_context(consent_id: str) -> str:
    """Returns the sealing context of a consent's CI."""
    return f"ci of a consent:{consent_id}"


def purpose_context(consent_id: str) -> str:
    """Returns the sealing context of a consent's purpose."""
    return f"purpose of a consent:{consent_id}"


def assets_context(consent_id: str, position: int) -> str:
    """Returns the sealing context of the assets of a consent's scope."""
    return f"assets of a consent:{position}:{consent_id}"


async def add(transaction: Transaction, consent: Consent, why: str) -> None:
    """Inserts a new consent with its targets. Raises ValueError when it is not active."""
    if consent.state is not ConsentState.ACTIVE:
        raise ValueError("a new consent is active")
    particulars = consent.particulars
    row = {
        "consent_id": consent.consent_id,
        "provider": consent.provider,
        "operator": consent.operator,
        "client_id": consent.client_id,
        "authentication": consent.authentication.value,
        "is_scheduled": particulars.is_scheduled,
        "fnd_cycle": particulars.fnd_cycle,
        "add_cycle": particulars.add_cycle,
        "end_date": particulars.end_date,
        "purpose": transaction.sealer.seal(particulars.purpose.encode(), purpose_context(consent.consent_id)),
        "period": particulars.period,
        "is_consent_trans_memo": particulars.is_consent_trans_memo,
        "is_consent_merchant_name_regno": particulars.is_consent_merchant_name_regno,
        "is_consent_trans_category": particulars.is_consent_trans_category,
        "given_at": consent.given_at,
        "customer": transaction.sealer.customer_digest(consent.ci),
        "ci": transaction.sealer.seal(consent.ci.encode(), ci_context(consent.consent_id)),
        "state": consent.state.value,
    }
    await transaction.connection.execute(insert(CONSENTS), row)
    if particulars.targets:
        await transaction.connection.execute(insert(CONSENT_SCOPES), _scope_rows(transaction.sealer, consent))
    transaction.record_move("consent", consent.consent_id, None, consent.state, why)


def _scope_rows(sealer: Sealer, consent: Consent) -> list[dict[str, object]]:
    return [
        {
            "consent_id": consent.consent_id,
            "position": position,
            "scope": target.scope,
            "all_assets": target.assets is None,
            "assets": _seal_assets(sealer, assets_context(consent.consent_id, position), target.assets),
        }
        for position, target in enumerate(consent.particulars.targets)
    ]


def _seal_assets(sealer: Sealer, context: str, assets: Sequence[Asset] | None) -> bytes | None:
    if assets is None:
        return None
    return sealer.seal(json.dumps([[asset.asset, asset.seqno] for asset in assets]).encode(), context)


async def lock_customer(transaction: Transaction, ci: str) -> None:
    """Locks the customer until the transaction ends, so that other transactions cannot add a consent.

    It is an advisory lock: there may be no row yet. SQLite has one writer anyway. The digests of all keys are locked,
    in one order, so that processes with another first key wait as well.
    """
    if transaction.connection.dialect.name == "postgresql":
        numbers = sorted(int.from_bytes(digest[:8], signed=True) for digest in transaction.sealer.customer_digests(ci))
        for number in numbers:
            await transaction.connection.execute(select(func.pg_advisory_xact_lock(number)))


async def replace(transaction: Transaction, consent: Consent) -> None:
    """Ends the consents that this new one replaces, and revokes their tokens (규격 2.2: at once)."""
    why = "replaced by a new consent"
    state = apply_transition(CONSENT_MOVES, ConsentState.ACTIVE, ConsentState.REPLACED)
    is_former = active_for_service(transaction.sealer, consent.ci, consent.client_id, consent.provider)
    change = update(CONSENTS).where(is_former).values(state=state.value, ended_at=transaction.now)
    for (consent_id,) in (await transaction.connection.execute(change.returning(CONSENTS.c.consent_id))).all():
        transaction.record_move("consent", consent_id, ConsentState.ACTIVE, state, why)
        await tokens.revoke(transaction, consent_id, TokenKind, why)


def active_of_customer(sealer: Sealer, ci: str) -> ColumnElement[bool]:
    """Returns the condition for a customer's consents in force."""
    return and_(CONSENTS.c.customer.in_(sealer.customer_digests(ci)), CONSENTS.c.state == ConsentState.ACTIVE.value)


def active_for_service(sealer: Sealer, ci: str, client_id: str, provider: str) -> ColumnElement[bool]:
    """Returns the condition for a customer's consents in force for a service and provider."""
    return and_(active_of_customer(sealer, ci), CONSENTS.c.client_id == client_id, CONSENTS.c.provider == provider)


def is_in_force(row: Row[Any], now: int) -> bool:
    """Whether the consent of a row is in force at `now`: it is active and its last day in Korea is not over."""
    return ConsentState(row.state) is ConsentState.ACTIVE and not _is_last_day_over(row, now)


def is_past(row: Row[Any], now: int) -> bool:
    """Whether the consent of a row ended by itself: its last day is over, and it was neither revoked nor replaced."""
    state = ConsentState(row.state)
    return state is ConsentState.ENDED or (state is ConsentState.ACTIVE and _is_last_day_over(row, now))


def _is_last_day_over(row: Row[Any], now: int) -> bool:
    last_day: date = row.end_date
    return date_in_korea(now) > last_day


async def end(transaction: Transaction, consent_id: str, was: ConsentState, to: ConsentState, why: str) -> None:
    """Moves a locked consent to a final state and revokes its tokens. Raises InvalidTransition."""
    await change_state(transaction, consent_id, was, to, why)
    await tokens.revoke(transaction, consent_id, TokenKind, why)


async def change_state(
    transaction: Transaction, consent_id: str, was: ConsentState, to: ConsentState, why: str
) -> None:
    """Moves a locked consent to a final state. Raises InvalidTransition."""
    state = apply_transition(CONSENT_MOVES, was, to)
    change = update(CONSENTS).where(CONSENTS.c.consent_id == consent_id)
    await transaction.connection.execute(change.values(state=state.value, ended_at=transaction.now))
    transaction.record_move("consent", consent_id, was, state, why)


async def lock(transaction: Transaction, consent_id: ColumnElement[Any]) -> Row[Any] | None:
    """Returns the row of a consent, locked until the transaction ends. `consent_id` may be a subquery."""
    query = select(CONSENTS).where(CONSENTS.c.consent_id == consent_id).with_for_update()
    return (await transaction.connection.execute(query)).one_or_none()


async def load_consent(connection: AsyncConnection, sealer: Sealer, row: Row[Any]) -> Consent:
    """Returns the consent of a row of CONSENTS, with its targets."""
    scopes = select(CONSENT_SCOPES).where(CONSENT_SCOPES.c.consent_id == row.consent_id)
    targets = tuple(
        _read_target(sealer, scope) for scope in await connection.execute(scopes.order_by(CONSENT_SCOPES.c.position))
    )
    return Consent(
        consent_id=row.consent_id,
        provider=row.provider,
        operator=row.operator,
        client_id=row.client_id,
        authentication=Authentication(row.authentication),
        particulars=_read_particulars(sealer, row, targets),
        given_at=row.given_at,
        ci=sealer.unseal(row.ci, ci_context(row.consent_id)).decode(),
        state=ConsentState(row.state),
    )


def _read_particulars(sealer: Sealer, row: Row[Any], targets: tuple[Target, ...]) -> Particulars:
    return Particulars(
        is_scheduled=row.is_scheduled,
        end_date=row.end_date,
        purpose=sealer.unseal(row.purpose, purpose_context(row.consent_id)).decode(),
        period=row.period,
        targets=targets,
        fnd_cycle=row.fnd_cycle,
        add_cycle=row.add_cycle,
        is_consent_trans_memo=row.is_consent_trans_memo,
        is_consent_merchant_name_regno=row.is_consent_merchant_name_regno,
        is_consent_trans_category=row.is_consent_trans_category,
    )


def _read_target(sealer: Sealer, row: Row[Any]) -> Target:
    if row.assets is None:
        return Target(row.scope)
    assets = json.loads(sealer.unseal(row.assets, assets_context(row.consent_id, row.position)))
    return Target(row.scope, tuple(Asset(asset, seqno) for asset, seqno in assets))
