"""What a gateway remembers of the ledger: asked once, heard of, forgotten."""

import asyncio
import json
from datetime import date

import pytest

from relay.domain.authorization.consent import Asset, Authentication, Consent, ConsentState, Particulars, Target
from relay.domain.authorization.grant import NotYet
from relay.domain.authorization.issued_tokens import TokenKind, TokenRecord, TokenState
from relay.domain.fault import Refusal
from relay.domain.ledger import Unreachable, WrongLedger
from relay.infra.registry.grants import RememberedGrants

TRUST_S = 60.0


def consent(state=ConsentState.ACTIVE, **particulars):
    targets = (Target("bank.list"), Target("bank.deposit", (Asset("1"), Asset("2", "01"))))
    said = {
        "is_scheduled": True,
        "end_date": date(2024, 1, 31),
        "purpose": "시험",
        "period": date(2024, 2, 1),
        "targets": targets,
        "fnd_cycle": "1/w",
        "add_cycle": "1/w",
        "is_consent_trans_memo": False,
    }
    told = Particulars(**said | particulars)
    return Consent("c", "ZBAA000001", "ZOPA000001", "one", Authentication.INDIVIDUAL, told, 1, "the-ci", state)


def record(jti="a", kind=TokenKind.ACCESS, state=TokenState.LIVE):
    return TokenRecord(jti, kind, "c", "bank.list bank.deposit", 1, 2, b"", state=state)


class Source:
    """A ledger that answers what it is told to, when it is told to."""

    def __init__(self):
        self.found, self.asked, self.revoked, self.number = {}, [], {}, 0
        self.broken, self.spoken = None, asyncio.Event()
        self.spoken.set()

    def add(self, jti="a", known=None, **of_record):
        self.found[jti] = (record(jti, **of_record), known or consent())

    def revoke(self, *jtis):
        self.number += 1
        self.revoked[self.number] = jtis

    async def _answer(self):
        await self.spoken.wait()  # as it is when the question comes
        if self.broken is not None:
            raise self.broken

    async def consent_behind(self, jti):
        self.asked.append(jti)
        found = self.found.get(jti)
        await self._answer()
        return found

    async def revocation_head(self):
        await self._answer()
        return self.number

    async def revoked_after(self, number):
        await self._answer()
        return self.number, [jti for at in self.revoked if at > number for jti in self.revoked[at]]


class Memory:
    """Grants over a source, at a time that is told."""

    def __init__(self, most=8):
        self.now, self.source = 1000.0, Source()
        self.grants = RememberedGrants(self.source, {"ZBAA000001": "bank"}.get, most, TRUST_S, lambda: self.now)

    async def fetched(self, jti="a"):
        await self.grants.fetch(jti)
        return self.of(jti)

    def of(self, jti="a"):
        """A grant, or the name of the fault, or "not yet"."""
        try:
            return self.grants.of(jti, self.now)
        except Refusal as refusal:
            return refusal.fault.name
        except NotYet as unknown:
            return "not yet" if unknown.jti == jti else unknown.jti


async def until(reached):
    async with asyncio.timeout(5):
        while not reached():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


@pytest.fixture
async def memory():
    return Memory()


async def test_a_grant_is_the_consent_as_a_gateway_needs_it(memory):
    memory.source.add()
    assert memory.of() == "not yet"
    grant = await memory.fetched()
    assert (grant.jti, grant.scheduled, grant.ci, grant.revoked) == ("a", True, b"the-ci", False)
    assert grant.ends == 1_706_713_200.0  # 2024-02-01 00:00 in Korea
    assert grant.assets == {"bank.list": None, "bank.deposit": frozenset({("1", ""), ("2", "01")})}
    assert grant.withheld >= {"trans_memo"}
    assert "the-ci" not in repr(grant)
    assert memory.of() is grant
    assert memory.source.asked == ["a"]


async def test_what_the_customer_consented_to_is_told_in_the_words_of_the_standard(memory):
    memory.source.add()
    assert json.loads((await memory.fetched()).told) == {
        "rsp_code": "00000",
        "rsp_msg": "성공",
        "is_scheduled": "true",
        "fnd_cycle": "1/w",
        "add_cycle": "1/w",
        "end_date": "20240131",
        "purpose": "시험",
        "period": "20240201",
        "is_consent_trans_memo": "false",
    }


async def test_a_consent_may_hold_to_the_end_of_the_calendar(memory):
    memory.source.add(known=consent(end_date=date.max))
    assert (await memory.fetched()).ends == 253_402_268_400.0


@pytest.mark.parametrize(
    ("of_record", "state", "name"),
    [
        ({"kind": TokenKind.REFRESH}, ConsentState.ACTIVE, "token_unknown"),
        ({"state": TokenState.REVOKED}, ConsentState.ACTIVE, "token_revoked"),
        ({}, ConsentState.REVOKED, "token_revoked"),
        ({}, ConsentState.REPLACED, "token_revoked"),
        (None, ConsentState.ACTIVE, "token_unknown"),
    ],
)
async def test_a_token_that_opens_nothing_is_remembered_as_such(memory, of_record, state, name):
    if of_record is not None:
        memory.source.add(known=consent(state), **of_record)
    assert await memory.fetched() == name
    memory.now += 86_400
    assert memory.of() == name
    assert memory.source.asked == ["a"]


async def test_the_token_of_an_ended_consent_still_tells_that_it_ended(memory):
    memory.source.add(known=consent(ConsentState.ENDED))
    assert (await memory.fetched()).ends == 1_706_713_200.0


async def test_fifty_calls_at_once_ask_once(memory):
    memory.source.add()
    memory.source.spoken.clear()
    calls = [asyncio.ensure_future(memory.fetched()) for _ in range(50)]
    await asyncio.sleep(0)
    memory.source.spoken.set()
    assert len(set(map(id, await asyncio.gather(*calls)))) == 1
    assert memory.source.asked == ["a"]


async def test_a_call_that_is_given_up_leaves_the_answer_to_the_others(memory):
    memory.source.add()
    memory.source.spoken.clear()
    first, second = (asyncio.ensure_future(memory.fetched()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    memory.source.spoken.set()
    assert (await second).jti == "a"


async def test_whoever_holds_a_grant_sees_it_revoked(memory):
    memory.source.add()
    memory.source.add("b")
    grant, other = await memory.fetched(), await memory.fetched("b")
    memory.source.revoke("a", "never seen here")
    await memory.grants.hear()
    assert (grant.revoked, other.revoked) == (True, False)
    assert (memory.of(), memory.of("b")) == ("token_revoked", other)


async def test_a_revocation_is_heard_of_once_and_holds(memory):
    memory.source.add()
    await memory.fetched()
    memory.source.revoke("a")
    await memory.grants.hear()
    memory.source.revoked.clear()
    await memory.grants.hear()
    assert memory.of() == "token_revoked"


async def test_what_was_revoked_before_the_start_is_not_heard_of_again(memory):
    memory.source.revoke("a")
    await memory.grants.start()
    memory.source.add()  # as the ledger would never say
    assert (await memory.fetched()).jti == "a"
    await memory.grants.hear()
    assert memory.of().jti == "a"


async def test_what_the_authority_revoked_is_refused_without_asking(memory):
    memory.source.add()
    memory.source.add("b")
    grant, other = await memory.fetched(), await memory.fetched("b")
    memory.grants.revoke(["a", "never seen here"])
    assert (grant.revoked, memory.of(), memory.of("b")) == (True, "token_revoked", other)


@pytest.mark.parametrize("by_authority", [True, False])
async def test_a_token_revoked_while_it_is_looked_up_opens_nothing(memory, by_authority):
    memory.source.add()
    late = memory.source.spoken = asyncio.Event()
    call = asyncio.ensure_future(memory.fetched())
    await until(lambda: memory.source.asked)  # from here on the ledger has read it as live
    memory.source.spoken = asyncio.Event()
    memory.source.spoken.set()
    if by_authority:
        memory.grants.revoke(["a"])
    else:
        memory.source.revoke("a")
        await memory.grants.hear()
    late.set()
    assert await call == "token_revoked"


@pytest.mark.parametrize("most", [2, 3, 8])
async def test_the_memory_forgets_what_is_not_asked_for_any_more(most):
    memory = Memory(most)
    for number in range(20):
        memory.source.add(str(number))
        await memory.fetched(str(number))
    held = len(memory.grants._young) + len(memory.grants._old)
    assert held <= max(2, most)
    assert memory.of("0") == "not yet"
    assert memory.of("19").jti == "19"


async def test_what_is_asked_for_stays():
    memory = Memory(8)
    memory.source.add("busy")
    grant = await memory.fetched("busy")
    for number in range(20):
        memory.source.add(str(number))
        await memory.fetched(str(number))
        assert memory.of("busy") is grant
    assert memory.source.asked.count("busy") == 1


async def test_a_revocation_reaches_the_older_half_too():
    memory = Memory(4)
    for jti in "abc":
        memory.source.add(jti)
        await memory.fetched(jti)
    assert "a" in memory.grants._old
    memory.source.revoke("a")
    await memory.grants.hear()
    assert memory.of("a") == "token_revoked"


async def test_nothing_is_opened_while_the_ledger_is_silent_for_too_long(memory):
    memory.source.add()
    grant = await memory.fetched()
    memory.now += TRUST_S
    assert memory.of() is grant
    memory.now += 0.1
    assert memory.of() == "ledger_unreachable"
    assert memory.grants.age == pytest.approx(TRUST_S + 0.1)
    await memory.grants.hear()
    assert memory.of() is grant


@pytest.mark.parametrize("error", [Unreachable(), OSError("secret of a driver"), ValueError()])
async def test_a_look_up_that_failed_is_tried_again_after_a_second(memory, caplog, error):
    memory.source.add()
    memory.source.broken = error
    assert await memory.fetched() == "ledger_unreachable"
    memory.source.broken = None
    memory.now += 0.9
    assert memory.of() == "ledger_unreachable"
    memory.now += 0.1
    assert memory.of() == "not yet"
    assert (await memory.fetched()).jti == "a"
    assert "secret" not in caplog.text


async def test_an_older_ledger_brought_back_makes_everything_forgotten(memory):
    memory.source.number = 5
    await memory.grants.start()
    memory.source.add()
    grant = await memory.fetched()
    memory.source.number = 3
    await memory.grants.hear()
    assert (grant.revoked, memory.of()) == (True, "not yet")


@pytest.mark.parametrize(("error", "is_wrong"), [(Unreachable(), False), (WrongLedger(), True)])
async def test_following_goes_on_through_failures(memory, error, is_wrong):
    memory.source.add()
    grant = await memory.fetched()
    stop = asyncio.Event()
    memory.source.broken = error
    following = asyncio.ensure_future(memory.grants.follow(0.001, stop))
    await until(lambda: memory.grants.failures == 3)
    assert memory.grants.is_wrong is is_wrong
    memory.source.broken = None
    memory.source.revoke("a")
    await until(lambda: grant.revoked)
    await until(lambda: memory.grants.failures == 0)
    assert not memory.grants.is_wrong
    stop.set()
    await following


async def test_who_is_hurried_asks_before_the_usual_time(memory):
    memory.source.add()
    grant = await memory.fetched()
    stop = asyncio.Event()
    following = asyncio.ensure_future(memory.grants.follow(3600, stop))
    memory.source.revoke("a")
    memory.grants.hurry()
    await until(lambda: grant.revoked)
    stop.set()
    memory.grants.hurry()
    await following


async def test_settling_waits_for_what_is_being_asked(memory):
    memory.source.add()
    memory.source.spoken.clear()
    call = asyncio.ensure_future(memory.fetched())
    await asyncio.sleep(0)
    settled = asyncio.ensure_future(memory.grants.settle())
    await asyncio.sleep(0)
    assert not settled.done()
    memory.source.spoken.set()
    await settled
    assert (await call).jti == "a"
