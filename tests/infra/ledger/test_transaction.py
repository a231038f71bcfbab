"""Killed between any two writes, the ledger holds what was or what should be, and goes on from there.

A process of its own does one thing and is killed before or after its n-th statement or commit, for every n until it
survives. No process is asked to die gently: SIGKILL, as when the machine takes it away.
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
from relay.domain.jobs import Superseded
from relay.domain.ledger import Evidence, NotGranted, Why
from relay.domain.registry import Organisation, OrgType, RegisteredService, RegistryChanges
from relay.domain.statistics import Batch, Line, Pulse
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import ledger_at

SEALER = Sealer([CustomerKey("first", b"1" * 32)])
LAST_DAY = date(2027, 1, 14)

FACTS = {
    "consents": "SELECT state, count(*) FROM consents WHERE client_id = :who GROUP BY state ORDER BY state",
    "tokens": "SELECT kind, tokens.state, refreshed, count(*) FROM tokens JOIN consents USING (consent_id) "
    "WHERE client_id = :who GROUP BY kind, tokens.state, refreshed ORDER BY 1, 2, 3",
    "scopes": "SELECT count(*) FROM consent_scopes JOIN consents USING (consent_id) WHERE client_id = :who",
    "evidence": "SELECT count(*) FROM evidence JOIN consents USING (consent_id) WHERE client_id = :who",
    "codes": "SELECT count(*), count(spent_at) FROM codes JOIN consents USING (consent_id) WHERE client_id = :who",
    "requests": "SELECT state FROM authorization_requests WHERE client_id = :who",
    "revoked": "SELECT count(*) FROM revocations JOIN tokens USING (jti) JOIN consents USING (consent_id) "
    "WHERE client_id = :who",
    "history": "SELECT thing, became, why, count(*) FROM history WHERE thing_id IN "
    "(SELECT consent_id FROM consents WHERE client_id = :who UNION "
    "SELECT jti FROM tokens JOIN consents USING (consent_id) WHERE client_id = :who UNION "
    "SELECT request_id FROM authorization_requests WHERE client_id = :who) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    "counted": "SELECT api_code, counted FROM statistics WHERE client_id = :who ORDER BY api_code",
    "pulse": "SELECT failures FROM pulses WHERE provider = :who",
    "organisations": "SELECT name, gone FROM organisations WHERE org_code LIKE :who || '-%' ORDER BY name",
    "services": "SELECT name, gone FROM services WHERE operator = :who",
}
"""All that one service and its customers have in the ledger, without names."""

NEVER = {
    "a live token without a consent in force": "SELECT jti FROM tokens LEFT JOIN consents USING (consent_id) "
    "WHERE tokens.state = 'live' AND (consents.state IS NULL OR consents.state NOT IN ('active', 'ended'))",
    "two live access tokens of one consent": "SELECT consent_id FROM tokens "
    "WHERE state = 'live' AND kind = 'access' GROUP BY consent_id HAVING count(*) > 1",
    "two consents in force": "SELECT client_id FROM consents WHERE state = 'active' GROUP BY client_id, customer, "
    "provider HAVING count(*) > 1",
    "a revoked access token that nobody hears of": "SELECT tokens.jti FROM tokens LEFT JOIN revocations "
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
    """One service's customer: what stands before, and what is done."""

    who: str
    desk: Any
    ready: Any = None

    def consent(self, **changes):
        return self.desk.consent(ci=f"ci of {self.who}", client_id=self.who, **changes)

    def holder(self):
        return type(self.desk.holder)(self.who, self.desk.holder.provider)


class Spending:
    """A code becomes a pair."""

    again = Why.CODE_SPENT

    async def prepare(self, ledger, case):
        await case.desk.given(ledger, case.consent(), case.desk.code(case.who))

    async def do(self, ledger, case):
        desk = case.desk
        await ledger.spend_code(desk.code(case.who).digest, case.holder(), desk.callback, desk.pair, desk.now)


class Replaying(Spending):
    """A code comes a second time: all it gave is revoked."""

    async def prepare(self, ledger, case):
        await super().prepare(ledger, case)
        await super().do(ledger, case)

    async def do(self, ledger, case):
        with pytest.raises(NotGranted):
            await super().do(ledger, case)

    again = None


class Issuing:
    """A signed consent takes a former one's place."""

    again = Why.TX_ID_SPENT

    async def prepare(self, ledger, case):
        await case.desk.issued(ledger, case.consent())

    async def do(self, ledger, case):
        consent = case.consent()
        once = [("tx_id", f"MD of {case.who}"), ("nonce", f"nonce of {case.who}")]
        pair = case.desk.pair(consent)
        await ledger.issue_integrated(consent, pair, once, [Evidence("password", b"signed")], case.desk.now)


class Giving:
    """A consent given at the pages takes a former one's place."""

    again = Why.REQUEST_ANSWERED

    async def prepare(self, ledger, case):
        await case.desk.issued(ledger, case.consent())
        request = case.desk.request(case.consent())
        await ledger.open_request(request)
        await ledger.answer_request(request.request_id, RequestState.AUTHENTICATED, "logged in", case.desk.now)
        case.ready = request.request_id

    async def do(self, ledger, case):
        await ledger.give_consent(case.ready, case.consent(), case.desk.code(case.who), case.desk.now)


class Refreshing:
    """An access token takes a former one's place; who asks again gets the same one."""

    again = None

    async def prepare(self, ledger, case):
        _, case.ready = await case.desk.issued(ledger, case.consent())

    async def do(self, ledger, case):
        now = case.desk.now
        await ledger.refresh(case.ready.refresh.jti, case.holder(), case.desk.renewed(now), 30, now)


class Withdrawing(Refreshing):
    """A consent ends with its tokens."""

    async def do(self, ledger, case):
        await ledger.withdraw(case.ready.access.jti, case.holder(), case.desk.now)


class Ending:
    """A consent is past its last day."""

    again = None

    async def prepare(self, ledger, case):
        await case.desk.issued(ledger, case.consent(end=LAST_DAY))

    async def do(self, ledger, case):
        await ledger.end_overdue(case.desk.now)


class Counting:
    """A batch of counts is taken; who is not sure sends it again."""

    again = None

    def batch(self, case, batch_id, counted):
        line = Line("20270115", "00", "ZBAA000001", "ZOPA000001", case.who, "1", "BA01", "200_00000")
        lines = [line, line._replace(api_code="BA02")]
        return Batch(f"{batch_id} of {case.who}", dict.fromkeys(lines, counted), {case.who: Pulse(0, 1, counted)})

    async def prepare(self, ledger, case):
        await ledger.statistics.take_batch(self.batch(case, "former", 3), case.desk.now)

    async def do(self, ledger, case):
        await ledger.statistics.take_batch(self.batch(case, "newer", 5), case.desk.now)


class Syncing:
    """The portal's registry changes."""

    again = None

    def changes(self, case, *names):
        organisations = {
            f"{case.who}-{name}": Organisation(f"{case.who}-{name}", OrgType.OTHER, name) for name in names
        }
        service = RegisteredService(f"id-{case.who}", case.who, names[0], "$scrypt$1$1$1$c2FsdA$a2V5")
        return RegistryChanges(organisations, {service.client_id: service}, "1", "1")

    async def prepare(self, ledger, case):
        case.ready = await ledger.jobs.new_fence("here", 60, case.desk.now)
        await self.take(ledger, case, self.changes(case, "one", "two"))

    async def do(self, ledger, case):
        newer = self.changes(case, "three", "four")
        gone = {**newer.organisations, f"{case.who}-one": None}
        await self.take(ledger, case, replace(newer, organisations=gone))

    async def take(self, ledger, case, changes):
        stands = await ledger.registry.registry_head()
        await ledger.registry.take(changes, case.ready, case.desk.now, judged=stands.number)


def with_ledger(url, use, *args):
    async def run():
        ledger = ledger_at(url, SEALER, 2)
        try:
            return await use(ledger, *args)
        finally:
            await ledger.close()

    return asyncio.run(run())


def deadly(ledger, point):
    """Before and after everything that the database is told, `point` is passed."""
    dialect = ledger._works.engine.dialect

    def watched(tell):
        def around(*args, **more):
            point()
            answer = tell(*args, **more)
            point()
            return answer

        return around

    for name in ("do_execute", "do_executemany", "do_commit"):
        setattr(dialect, name, watched(getattr(dialect, name)))


async def die(ledger, doing, case, last):
    passed = 0

    def point():
        nonlocal passed
        passed += 1
        if passed == last:
            os.kill(os.getpid(), signal.SIGKILL)

    deadly(ledger, point)
    await doing.do(ledger, case)


def survived(url, doing, case, last):
    """Do it in a process of its own that dies at its `last` point; whether it had fewer."""
    child = os.fork()
    if child == 0:
        try:
            with_ledger(url, die, doing, case, last)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in {0, signal.SIGKILL}, "the child broke, see its words above"
    return status == 0


async def facts(ledger, case):
    async with ledger._works.reading() as rows:
        never = {what: (await rows.execute(text(query))).all() for what, query in NEVER.items()}
        assert never == {what: [] for what in NEVER}
        return {what: (await rows.execute(text(query), {"who": case.who})).all() for what, query in FACTS.items()}


async def done(ledger, doing, case):
    """Do it here, whole; why not."""
    try:
        await doing.do(ledger, case)
    except NotGranted as refusal:
        return refusal.why
    return None


async def both_states(ledger, doing, case):
    """What stands before and after, when nobody dies."""
    await doing.prepare(ledger, case)
    before = await facts(ledger, case)
    assert await done(ledger, doing, case) is None
    return before, await facts(ledger, case)


async def examined(ledger, doing, case, following):
    """What a killed process left, whether it can be done again, what stands then; and the next case made ready."""
    found = await facts(ledger, case)
    answer = found, await done(ledger, doing, case), await facts(ledger, case)
    await doing.prepare(ledger, following)
    return answer


REPEATED = (Spending, Replaying, Refreshing, Issuing, Ending, Syncing, Counting)
FULL = [pytest.param(each(), marks=pytest.mark.full) for each in REPEATED]


@pytest.mark.parametrize("doing", [Giving(), Withdrawing(), *FULL], ids=lambda doing: type(doing).__name__.lower())
def test_whoever_dies_leaves_the_old_or_the_new(url, desk, doing):
    old, new = with_ledger(url, both_states, doing, Case("svcwhole", desk))
    assert old != new
    seen = []
    case = Case("svc1", desk)
    with_ledger(url, doing.prepare, case)
    while not survived(url, doing, case, len(seen) + 1):
        following = Case(f"svc{len(seen) + 2}", desk)
        found, again, then = with_ledger(url, examined, doing, case, following)
        assert found in (old, new), f"killed at point {len(seen) + 1}"
        seen.append(found == new)
        assert again is (doing.again if seen[-1] else None)
        assert seen[-1] or then == new
        case = following
    assert len(seen) >= 8
    assert seen == sorted(seen), "once it is there, it stays"
    assert seen[0] is False
    assert seen[-1] is True


async def test_a_snapshot_sees_one_moment_whatever_is_written_meanwhile(ledger, desk):
    count = text("SELECT count(*) FROM consents")
    await desk.issued(ledger)
    async with ledger._works.snapshot() as rows:
        assert (await rows.execute(count)).scalar_one() == 1
        await desk.issued(ledger, desk.consent(ci="ci-two"))
        assert (await rows.execute(count)).scalar_one() == 1
    async with ledger._works.snapshot() as rows:
        assert (await rows.execute(count)).scalar_one() == 2


async def test_a_superseded_leader_undoes_what_it_wrote(ledger, desk, sql, url):
    fence = (await ledger.jobs.lead("here", 60, desk.now)).fence
    with pytest.raises(Superseded):
        async with ledger._works.writing(desk.now, fence=fence - 1) as work:
            await work.rows.execute(text("UPDATE revocation_head SET number = 7"))
    assert sql(url, "SELECT number FROM revocation_head") == ["0"]
