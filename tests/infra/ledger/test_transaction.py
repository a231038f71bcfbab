"""A process killed between any two writes leaves the old or the new state, and the ledger works on.

A child process runs one action and is killed before or after its n-th statement or commit, for every n until it
survives. The signal is SIGKILL, as in a crash of the machine.
"""

import asyncio
import os
import signal
import traceback
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import text

from relay.domain.authorization.request import RequestState
from relay.domain.ledger import Evidence, LedgerRefused, Reason
from relay.domain.registry import Organisation, OrgType, RegisteredService, RegistryChanges
from relay.domain.statistics import Batch, Line, Pulse
from relay.infra.ledger.database.engine import build_engine, sqlite_path
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.infra.ledger.transaction import Transactions

SEALER = Sealer([CustomerKey("first", b"1" * 32)])
LAST_DAY = date(2027, 1, 14)

STATE = {
    "consents": "SELECT state, count(*) FROM consents WHERE client_id = :client_id GROUP BY state ORDER BY state",
    "tokens": "SELECT kind, tokens.state, refreshed, count(*) FROM tokens JOIN consents USING (consent_id) "
    "WHERE client_id = :client_id GROUP BY kind, tokens.state, refreshed ORDER BY 1, 2, 3",
    "scopes": "SELECT count(*) FROM consent_scopes JOIN consents USING (consent_id) WHERE client_id = :client_id",
    "evidence": "SELECT count(*) FROM evidence JOIN consents USING (consent_id) WHERE client_id = :client_id",
    "codes": "SELECT count(*), count(spent_at) FROM codes "
    "JOIN consents USING (consent_id) WHERE client_id = :client_id",
    "requests": "SELECT state FROM authorization_requests WHERE client_id = :client_id",
    "revoked": "SELECT count(*) FROM revocations JOIN tokens USING (jti) JOIN consents USING (consent_id) "
    "WHERE client_id = :client_id",
    "history": "SELECT thing, became, why, count(*) FROM history WHERE thing_id IN "
    "(SELECT consent_id FROM consents WHERE client_id = :client_id UNION "
    "SELECT jti FROM tokens JOIN consents USING (consent_id) WHERE client_id = :client_id UNION "
    "SELECT request_id FROM authorization_requests WHERE client_id = :client_id) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    "counted": "SELECT api_code, counted FROM statistics WHERE client_id = :client_id ORDER BY api_code",
    "pulse": "SELECT failures FROM pulses WHERE provider = :client_id",
    "organisations": "SELECT name, gone FROM organisations WHERE org_code LIKE :client_id || '-%' ORDER BY name",
    "services": "SELECT name, gone FROM services WHERE operator = :client_id",
}
"""All rows of one service and its customers, without names."""

NEVER = {
    "a live token without a consent in force": "SELECT jti FROM tokens LEFT JOIN consents USING (consent_id) "
    "WHERE tokens.state = 'live' AND (consents.state IS NULL OR consents.state NOT IN ('active', 'ended'))",
    "two live access tokens of one consent": "SELECT consent_id FROM tokens "
    "WHERE state = 'live' AND kind = 'access' GROUP BY consent_id HAVING count(*) > 1",
    "two consents in force": "SELECT client_id FROM consents WHERE state = 'active' GROUP BY client_id, customer, "
    "provider HAVING count(*) > 1",
    "a revoked access token without a number": "SELECT tokens.jti FROM tokens LEFT JOIN revocations "
    "ON revocations.jti = tokens.jti WHERE kind = 'access' AND state = 'revoked' AND number IS NULL",
    "a number without a revocation": "SELECT head.number FROM revocation_head AS head "
    "WHERE head.number <> (SELECT count(*) FROM revocations)",
    "a revocation above the head": "SELECT revocations.number FROM revocations, revocation_head AS head "
    "WHERE revocations.number > head.number",
    "a registered number above the head": "SELECT org_code FROM organisations, registry_head AS head "
    "WHERE organisations.number > head.number UNION SELECT client_id FROM services, registry_head AS head "
    "WHERE services.number > head.number",
    "a head without its row": "SELECT number FROM registry_head WHERE number > 0 AND number NOT IN "
    "(SELECT number FROM organisations UNION SELECT number FROM services)",
}


@dataclass
class Case:
    """The customer of one service. `prepared` is what `prepare` hands to `run`."""

    client_id: str
    factory: Any
    prepared: Any = None

    def consent(self, **changes):
        return self.factory.build_consent(ci=f"ci of {self.client_id}", client_id=self.client_id, **changes)

    def code(self):
        return self.factory.build_code(self.client_id)

    def holder(self):
        return type(self.factory.holder)(self.client_id, self.factory.holder.provider)


class Action:
    """An action of a process that is killed. `denial` is the reason that a repetition gets."""

    denial = None


class Spending(Action):
    """A code is exchanged for a pair."""

    denial = Reason.CODE_SPENT

    async def prepare(self, ledger, case):
        await case.factory.give_consent(ledger, case.consent(), case.code())

    async def run(self, ledger, case):
        factory = case.factory
        await ledger.spend_code(case.code().digest, case.holder(), factory.callback, factory.build_pair, factory.now)


class Replaying(Spending):
    """A code is used a second time: its tokens are revoked."""

    async def prepare(self, ledger, case):
        await super().prepare(ledger, case)
        await super().run(ledger, case)

    async def run(self, ledger, case):
        with pytest.raises(LedgerRefused):
            await super().run(ledger, case)

    denial = None


class Issuing(Action):
    """A signed consent replaces a former one."""

    denial = Reason.TX_ID_SPENT

    async def prepare(self, ledger, case):
        await case.factory.issue(ledger, case.consent())

    async def run(self, ledger, case):
        consent = case.consent()
        spent = [("tx_id", f"MD of {case.client_id}"), ("nonce", f"nonce of {case.client_id}")]
        pair = case.factory.build_pair(consent)
        await ledger.issue_integrated(consent, pair, spent, [Evidence("password", b"signed")], case.factory.now)


class Giving(Action):
    """A consent of individual authentication replaces a former one."""

    denial = Reason.REQUEST_ANSWERED

    async def prepare(self, ledger, case):
        await case.factory.issue(ledger, case.consent())
        request = case.factory.build_request(case.consent())
        await ledger.open_request(request)
        await ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "logged in", case.factory.now)
        case.prepared = request.request_id

    async def run(self, ledger, case):
        await ledger.give_consent(case.prepared, case.consent(), case.code(), case.factory.now)


class Refreshing(Action):
    """An access token replaces a former one; a repeated refresh gets the same token."""

    async def prepare(self, ledger, case):
        _, case.prepared = await case.factory.issue(ledger, case.consent())

    async def run(self, ledger, case):
        now = case.factory.now
        await ledger.refresh(case.prepared.refresh.jti, case.holder(), case.factory.refresh_at(now), 30, now)


class Withdrawing(Refreshing):
    """A consent ends with its tokens."""

    async def run(self, ledger, case):
        await ledger.withdraw(case.prepared.access.jti, case.holder(), case.factory.now)


class Ending(Action):
    """A consent is past its last day."""

    async def prepare(self, ledger, case):
        await case.factory.issue(ledger, case.consent(end=LAST_DAY))

    async def run(self, ledger, case):
        await ledger.end_expired_consents(case.factory.now)


class Counting(Action):
    """A batch of counts is added; an uncertain sender repeats it."""

    def batch(self, case, batch_id, counted):
        line = Line("20270115", "00", "ZBAA000001", "ZOPA000001", case.client_id, "1", "BA01", "200_00000")
        counts = dict.fromkeys([line, line._replace(api_code="BA02")], counted)
        return Batch(f"{batch_id} of {case.client_id}", counts, {case.client_id: Pulse(0, 1, counted)})

    async def prepare(self, ledger, case):
        await ledger.statistics.take_batch(self.batch(case, "former", 3), case.factory.now)

    async def run(self, ledger, case):
        await ledger.statistics.take_batch(self.batch(case, "newer", 5), case.factory.now)


class Syncing(Action):
    """The portal's registry changes."""

    def changes(self, case, *names):
        codes = {f"{case.client_id}-{name}": name for name in names}
        organisations = {code: Organisation(code, OrgType.OTHER, name) for code, name in codes.items()}
        service = RegisteredService(f"id-{case.client_id}", case.client_id, names[0], "$scrypt$1$1$1$c2FsdA$a2V5")
        return RegistryChanges(organisations, {service.client_id: service}, "1", "1")

    async def prepare(self, ledger, case):
        case.prepared = await ledger.jobs.take_lead("here", 60, case.factory.now)
        await self.apply_changes(ledger, case, self.changes(case, "one", "two"))

    async def run(self, ledger, case):
        newer = self.changes(case, "three", "four")
        gone = {**newer.organisations, f"{case.client_id}-one": None}
        await self.apply_changes(ledger, case, replace(newer, organisations=gone))

    async def apply_changes(self, ledger, case, changes):
        head = await ledger.registry.registry_head()
        await ledger.registry.apply(changes, case.prepared, case.factory.now, judged=head.number)


class QueriedLedger(SqlLedger):
    """A ledger that a test also queries in SQL, by `transactions`."""

    def __init__(self, url):
        self.transactions = Transactions(build_engine(url, 2), SEALER, sqlite_path(url))
        super().__init__(url, self.transactions)


def with_ledger(url, function, *args):
    async def run():
        ledger = QueriedLedger(url)
        try:
            return await function(ledger, *args)
        finally:
            await ledger.close()

    return asyncio.run(run())


def add_kill_points(ledger, on_point):
    """Calls `on_point` before and after every statement and commit."""
    dialect = ledger.transactions.engine.dialect

    def wrap(method):
        def wrapper(*args, **kwargs):
            on_point()
            result = method(*args, **kwargs)
            on_point()
            return result

        return wrapper

    for name in ("do_execute", "do_executemany", "do_commit"):
        setattr(dialect, name, wrap(getattr(dialect, name)))


async def run_and_die(ledger, action, case, last):
    passed = 0

    def on_point():
        nonlocal passed
        passed += 1
        if passed == last:
            os.kill(os.getpid(), signal.SIGKILL)

    add_kill_points(ledger, on_point)
    await action.run(ledger, case)


def run_in_child(url, action, case, last):
    """Runs the action in a child process that is killed at point `last`. Returns whether the child survived."""
    child = os.fork()
    if child == 0:
        try:
            with_ledger(url, run_and_die, action, case, last)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in {0, signal.SIGKILL}, "the child failed, see its traceback above"
    return status == 0


async def read_state(ledger, case):
    async with ledger.transactions.connect() as connection:
        violations = {name: (await connection.execute(text(query))).all() for name, query in NEVER.items()}
        assert violations == {name: [] for name in NEVER}
        parameters = {"client_id": case.client_id}
        return {name: (await connection.execute(text(query), parameters)).all() for name, query in STATE.items()}


async def try_run(ledger, action, case):
    """Runs the whole action in this process. Returns the reason when the ledger denies it."""
    try:
        await action.run(ledger, case)
    except LedgerRefused as denied:
        return denied.reason
    return None


async def both_states(ledger, action, case):
    """Returns the states before and after an uninterrupted action."""
    await action.prepare(ledger, case)
    before = await read_state(ledger, case)
    assert await try_run(ledger, action, case) is None
    return before, await read_state(ledger, case)


async def repeat(ledger, action, case, next_case):
    """Returns the state that a killed process left, the result of a repetition, and its state. Prepares a next case."""
    left = await read_state(ledger, case)
    result = left, await try_run(ledger, action, case), await read_state(ledger, case)
    await action.prepare(ledger, next_case)
    return result


REPEATED = (Spending, Replaying, Refreshing, Issuing, Ending, Syncing, Counting)
FULL = [pytest.param(action(), marks=pytest.mark.full) for action in REPEATED]


@pytest.mark.parametrize("action", [Giving(), Withdrawing(), *FULL], ids=lambda action: type(action).__name__.lower())
def test_a_killed_process_leaves_the_old_or_the_new_state(url, factory, action):
    old, new = with_ledger(url, both_states, action, Case("svcwhole", factory))
    assert old != new
    committed = []
    case = Case("svc1", factory)
    with_ledger(url, action.prepare, case)
    while not run_in_child(url, action, case, len(committed) + 1):
        next_case = Case(f"svc{len(committed) + 2}", factory)
        left, denial, repeated = with_ledger(url, repeat, action, case, next_case)
        assert left in (old, new), f"killed at point {len(committed) + 1}"
        committed.append(left == new)
        assert denial is (action.denial if committed[-1] else None)
        assert committed[-1] or repeated == new
        case = next_case
    assert len(committed) >= 8
    assert committed == sorted(committed), "a committed state stays"
    assert (committed[0], committed[-1]) == (False, True)
