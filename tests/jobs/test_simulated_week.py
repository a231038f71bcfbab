"""A week with every failure: the portal's figures at its end equal the calls, one by one."""

import hashlib
import random
from dataclasses import replace
from datetime import date
from itertools import product

import pytest
import pytest_asyncio
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.portal.comparing import compare
from simulated import recount
from simulated.gateways import Gateway, World
from simulated.portal import FAILURE_MODES, FailingPortal
from simulated.traffic import DAY, FIRST, OPERATORS, PROVIDERS, WEEK, calls

from relay.domain.authorization.consent import Authentication, Consent, Particulars, Target
from relay.domain.authorization.issued_tokens import TokenKind, TokenPair, TokenRecord
from relay.domain.jobs import Superseded
from relay.domain.ledger import TokenHolder
from relay.domain.statistics import SendingState
from relay.infra.ledger import upgrading
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import create_ledger
from relay.jobs.runner import JobFailed
from relay.jobs.sending import StatisticsSender
from relay.policy.statistics.report import TYPES
from relay.policy.statistics.weeks import days_of, monday_due
from relay.standard.catalogue import load_catalogue

SEED = 20261227
CALLS = 200_000
LOT = 1250
"""Calls between two flushes, over all gateways."""
OUT = [range(20, 90), range(110, 114), range(152, 157)]
"""Lots during which the ledger is unreachable; the first is long enough that batches are merged."""
MONDAY = monday_due(WEEK, "0400")
API = load_catalogue().apis["지원-005"]
REQUEST = replace(API, response=API.request)
MEMBERS = PROVIDERS[:18]
"""Today's members; two institutions with counts have left."""
WEEKS = ("20261227", WEEK, "20270110")


@pytest_asyncio.fixture
async def ledger(tmp_path):
    url = f"sqlite:{tmp_path}/ledger.db"
    await upgrading.upgrade(url)
    opened = create_ledger(url, Sealer([CustomerKey("first", b"1" * 32)]), 10)
    yield opened
    await opened.close()


@pytest.fixture
def chance():
    return random.Random(SEED)


@pytest.fixture
def world(ledger, tmp_path):
    return World(ledger.statistics, tmp_path / "spool", SEED)


async def send_week(world, chance, calls_):
    """Sends the week's calls through three gateways, which are killed and restarted; one of them stays killed."""
    gateways = [Gateway(world, f"machine{number}") for number in range(3)]
    for number, lot in enumerate(calls_[start : start + LOT] for start in range(0, len(calls_), LOT)):
        world.now, world.out = lot[-1].ended, any(number in out for out in OUT)
        for position, gateway in enumerate(gateways):
            gateway.count(lot[position :: len(gateways)])
            if chance.random() < 0.02:
                await gateway.kill()
                gateways[position] = await Gateway.start(world, gateway.machine)
        for position, gateway in enumerate(gateways):
            await gateway.flush()
            if gateway.dying.is_set():
                await gateway.kill()
                gateways[position] = await Gateway.start(world, gateway.machine)
        if number == OUT[-1][-1]:
            left_dead = gateways.pop()
            await left_dead.kill()
    for gateway in gateways:
        await (await gateway.wait_delivered()).stop()
    return left_dead.machine


class ConsentSimulator:
    """Gives and withdraws consents in the ledger, and keeps its own list of them."""

    def __init__(self, ledger, chance):
        self._ledger = ledger
        self._chance = chance
        self.given = {}
        self.over = []

    async def run(self, number):
        for count in range(number):
            at = int(FIRST) - 3600 + count * (7 * DAY + 7200) // number
            ci, operator = f"ci-{self._chance.randrange(number // 3)}", self._chance.choice(list(OPERATORS))
            key = (ci, self._chance.choice(OPERATORS[operator]), self._chance.choice(PROVIDERS[:3]))
            if key in self.given and self._chance.random() < 0.5:
                await self._withdraw(key, at)
            else:
                await self._give(key, operator, f"consent-{count}", at)

    async def _give(self, key, operator, consent_id, at):
        ci, client_id, provider = key
        particulars = Particulars(False, date(2027, 6, 30), "purpose", date(2027, 6, 30), (Target("bank.list"),))
        consent = Consent(
            consent_id, provider, operator, client_id, Authentication.INTEGRATED, particulars, given_at=at, ci=ci
        )
        pair = TokenPair(*(self._token(consent, kind, at) for kind in (TokenKind.ACCESS, TokenKind.REFRESH)))
        await self._ledger.issue_integrated(consent, pair, [("tx_id", consent_id)], [], at)
        if key in self.given:
            self.over.append((provider, client_id, self.given.pop(key)[0], at, False))
        self.given[key] = (at, pair.access.jti)

    async def _withdraw(self, key, at):
        _, client_id, provider = key
        given_at, jti = self.given.pop(key)
        assert await self._ledger.withdraw(jti, TokenHolder(client_id, provider), at)
        self.over.append((provider, client_id, given_at, at, True))

    def _token(self, consent, kind, at):
        jti = f"{kind.value}-{consent.consent_id}"
        digest = hashlib.sha256(jti.encode()).digest()
        return TokenRecord(jti, kind, consent.consent_id, "bank.list", at, at + 30 * DAY, digest)

    @property
    def consents(self):
        standing = [(provider, client, at, None, False) for (_, client, provider), (at, _) in self.given.items()]
        return standing + self.over


class Leaders:
    """Runs the job under changing leaders until nothing is owed."""

    def __init__(self, ledger, chance):
        self._ledger = ledger
        self._chance = chance
        self._fence = 0
        self.superseded = 0
        self.portal = FailingPortal(chance, self._perhaps_lose_the_lead)
        self._job = StatisticsSender(ledger.statistics, self.portal, lambda: MEMBERS, "0400")

    async def _perhaps_lose_the_lead(self):
        if self._chance.random() < 0.03:
            await self._ledger.jobs.take_lead("another", 15, MONDAY)

    async def run(self, now):
        """Returns the time of the end."""
        for _ in range(200):
            self._fence = self._fence or await self._ledger.jobs.take_lead("one", 15, now)
            try:
                await self._job.run(self._fence, now)
            except Superseded:
                self._fence, self.superseded = 0, self.superseded + 1
            except JobFailed:
                pass
            else:
                return now
            now += 60
        raise AssertionError("sending did not end")


@pytest.mark.full
async def test_the_portals_figures_equal_the_calls(ledger, world, chance):
    calls_ = calls(chance, CALLS)
    simulator = ConsentSimulator(ledger, chance)
    leaders = Leaders(ledger, chance)
    killed = await send_week(world, chance, calls_)
    await simulator.run(100)

    now = await leaders.run(MONDAY)
    early = recount.sum_messages(leaders.portal.taken)
    world.now = now + 10
    late = await (await Gateway.start(world, killed)).wait_delivered()  # finds what the killed gateway had written down
    await late.stop()
    now = await leaders.run(now + 60)
    await ledger.statistics.request_resend(WEEK, PROVIDERS[0], ["1", "2"], now)
    now = await leaders.run(now + 60)
    await leaders.run(monday_due(WEEKS[-1], "0400"))

    check_failures(world, leaders)
    placed = [(recount.key_of_call(call), call) for call in calls_]
    lost = {id(call) for call in world.lost}
    agreed = recount.sum_calls(key for key in placed if key[1].is_identified and id(key[1]) not in lost)
    apart = {place for place, call in placed if not call.is_identified or id(call) in lost}
    sent = leaders.portal.taken
    assert early != agreed
    assert recount.sum_messages(sent) == agreed
    assert compare(recount.operators_messages(agreed), sent) == []
    assert len(compare(recount.operators_messages(recount.sum_calls(placed)), sent)) == len(apart)

    days = [(week, day) for week in WEEKS for day in days_of(week)]
    assert recount.sum_sent_consents(sent) == recount.sum_consents(simulator.consents, days)
    seen = {(place[0], place[1]) for place in agreed}
    owed = {(*key, kind) for key in seen | set(product(WEEKS, MEMBERS)) for kind in TYPES}
    assert recount.last_messages(sent).keys() == owed
    assert all(find_strict_violations(REQUEST, body) == [] for body in sent[-40:])
    states = [row.state for week in WEEKS for row in await ledger.statistics.sendings(week)]
    assert states == [SendingState.ACCEPTED] * len(owed)


def check_failures(world, leaders):
    """Checks that every kind of failure happened, so that the test proves something."""
    assert len([lost for lost in world.kills if lost]) > 10
    assert world.resent > 20
    assert world.merged > 0
    assert leaders.superseded > 2
    assert set(leaders.portal.modes) == {"ok", *FAILURE_MODES}
