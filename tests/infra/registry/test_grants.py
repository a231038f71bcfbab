"""The gateway's cache of grants: fetched once, revoked, forgotten."""

import asyncio
import gc
import json
from datetime import date

import pytest

from relay.domain.authorization.consent import Asset, Authentication, Consent, ConsentState, Particulars, Target
from relay.domain.authorization.grant import NotCached
from relay.domain.authorization.issued_tokens import TokenKind, TokenRecord, TokenState
from relay.domain.fault import Refusal
from relay.domain.ledger import LedgerDown, WrongLedger
from relay.infra.registry.grants import GrantCache

TRUST_S = 60.0


def consent(state=ConsentState.ACTIVE, **particulars):
    targets = (Target("bank.list"), Target("bank.deposit", (Asset("1"), Asset("2", "01"))))
    fields = {
        "is_scheduled": True,
        "end_date": date(2024, 1, 31),
        "purpose": "시험",
        "period": date(2024, 2, 1),
        "targets": targets,
        "fnd_cycle": "1/w",
        "add_cycle": "1/w",
        "is_consent_trans_memo": False,
    }
    particulars_ = Particulars(**fields | particulars)
    return Consent("c", "ZBAA000001", "ZOPA000001", "one", Authentication.INDIVIDUAL, particulars_, 1, "the-ci", state)


def record(jti="a", kind=TokenKind.ACCESS, state=TokenState.LIVE):
    return TokenRecord(jti, kind, "c", "bank.list bank.deposit", 1, 2, b"", state=state)


class Source:
    """A ledger with controlled answers: `error` is raised, `answers` delays."""

    def __init__(self):
        self.rows, self.requests, self.revoked, self.number = {}, [], {}, 0
        self.error, self.answers = None, asyncio.Event()
        self.answers.set()

    def add(self, jti="a", known=None, **of_record):
        self.rows[jti] = (record(jti, **of_record), known or consent())

    def revoke(self, *jtis):
        self.number += 1
        self.revoked[self.number] = jtis

    async def _answer(self):
        await self.answers.wait()  # the event at the time of the request
        if self.error is not None:
            raise self.error

    async def find_token_and_consent(self, jti):
        self.requests.append(jti)
        row = self.rows.get(jti)
        await self._answer()
        return row

    async def get_revocation_head(self):
        await self._answer()
        return self.number

    async def list_revoked_after(self, number):
        await self._answer()
        return self.number, [jti for at in self.revoked if at > number for jti in self.revoked[at]]


class CacheHarness:
    """A cache with a source and a controlled time."""

    def __init__(self, most=8):
        self.now, self.source = 1000.0, Source()
        self.grants = GrantCache(self.source, {"ZBAA000001": "bank"}.get, most, TRUST_S, lambda: self.now)

    async def fetched(self, jti="a"):
        await self.grants.fetch(jti)
        return self.of(jti)

    def of(self, jti="a"):
        """Returns a grant, the name of the fault, or "not yet"."""
        try:
            return self.grants.get(jti, self.now)
        except Refusal as refusal:
            return refusal.fault.name
        except NotCached as unknown:
            return "not yet" if unknown.jti == jti else unknown.jti


async def until(reached):
    async with asyncio.timeout(5):
        while not reached():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


@pytest.fixture
async def cache():
    return CacheHarness()


async def test_a_grant_has_what_a_gateway_needs(cache):
    cache.source.add()
    assert cache.of() == "not yet"
    grant = await cache.fetched()
    assert (grant.jti, len(grant.consent), grant.is_scheduled, grant.ci) == ("a", 15, True, b"the-ci")
    assert grant.ends_at == 1_706_713_200.0  # 2024-02-01 00:00 in Korea
    assert sorted(grant.assets.split("\n")) == ["", "", "bank.deposit\t1\t", "bank.deposit\t2\t01", "bank.list"]
    assert grant.withheld >= {"trans_memo"}
    assert "the-ci" not in repr(grant)
    assert not gc.is_tracked(grant)
    assert not grant.is_revoked
    assert cache.of() is grant
    assert cache.source.requests == ["a"]


async def test_the_consent_is_answered_in_fields_of_the_standard(cache):
    cache.source.add()
    assert json.loads((await cache.fetched()).particulars_body) == {
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


async def test_a_consent_may_last_to_the_end_of_the_calendar(cache):
    cache.source.add(known=consent(end_date=date.max))
    assert (await cache.fetched()).ends_at == 253_402_268_400.0


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
async def test_an_unusable_token_is_cached_as_such(cache, of_record, state, name):
    if of_record is not None:
        cache.source.add(known=consent(state), **of_record)
    assert await cache.fetched() == name
    cache.now += 86_400
    assert cache.of() == name
    assert cache.source.requests == ["a"]


async def test_the_token_of_an_ended_consent_has_its_end(cache):
    cache.source.add(known=consent(ConsentState.ENDED))
    assert (await cache.fetched()).ends_at == 1_706_713_200.0


async def test_fifty_concurrent_calls_fetch_once(cache):
    cache.source.add()
    cache.source.answers.clear()
    calls = [asyncio.ensure_future(cache.fetched()) for _ in range(50)]
    await asyncio.sleep(0)
    cache.source.answers.set()
    assert len(set(map(id, await asyncio.gather(*calls)))) == 1
    assert cache.source.requests == ["a"]


async def test_a_cancelled_call_leaves_the_answer_to_the_others(cache):
    cache.source.add()
    cache.source.answers.clear()
    first, second = (asyncio.ensure_future(cache.fetched()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    cache.source.answers.set()
    assert (await second).jti == "a"


async def test_holders_of_a_grant_see_it_revoked(cache):
    cache.source.add()
    cache.source.add("b")
    grant, other = await cache.fetched(), await cache.fetched("b")
    cache.source.revoke("a", "never seen here")
    await cache.grants.poll()
    assert (grant.is_revoked, other.is_revoked) == (True, False)
    assert (cache.of(), cache.of("b")) == ("token_revoked", other)


async def test_a_revocation_is_read_once_and_stays(cache):
    cache.source.add()
    await cache.fetched()
    cache.source.revoke("a")
    await cache.grants.poll()
    cache.source.revoked.clear()
    await cache.grants.poll()
    assert cache.of() == "token_revoked"


async def test_revocations_before_the_start_are_not_read_again(cache):
    cache.source.revoke("a")
    await cache.grants.start()
    cache.source.add()  # impossible in a real ledger
    assert (await cache.fetched()).jti == "a"
    await cache.grants.poll()
    assert cache.of().jti == "a"


async def test_a_token_revoked_by_the_authority_is_refused_at_once(cache):
    cache.source.add()
    cache.source.add("b")
    grant, other = await cache.fetched(), await cache.fetched("b")
    cache.grants.revoke(["a", "never seen here"])
    assert (grant.is_revoked, cache.of(), cache.of("b")) == (True, "token_revoked", other)


@pytest.mark.parametrize("by_authority", [True, False])
async def test_a_token_revoked_during_its_fetch_is_refused(cache, by_authority):
    cache.source.add()
    late = cache.source.answers = asyncio.Event()
    call = asyncio.ensure_future(cache.fetched())
    await until(lambda: cache.source.requests)  # from now on the ledger has read it as live
    cache.source.answers = asyncio.Event()
    cache.source.answers.set()
    if by_authority:
        cache.grants.revoke(["a"])
    else:
        cache.source.revoke("a")
        await cache.grants.poll()
    late.set()
    assert await call == "token_revoked"


@pytest.mark.parametrize("most", [2, 3, 8])
async def test_unused_grants_leave_the_cache(most):
    cache = CacheHarness(most)
    for number in range(20):
        cache.source.add(str(number))
        await cache.fetched(str(number))
    assert cache.of("19").jti == "19"
    assert cache.of("0") == "not yet"
    assert sum(cache.of(str(number)) != "not yet" for number in range(20)) <= max(2, most)


async def test_used_grants_stay_in_the_cache():
    cache = CacheHarness(8)
    cache.source.add("busy")
    grant = await cache.fetched("busy")
    for number in range(20):
        cache.source.add(str(number))
        await cache.fetched(str(number))
        assert cache.of("busy") is grant
    assert cache.source.requests.count("busy") == 1


async def test_a_revocation_reaches_the_older_half():
    cache = CacheHarness(4)
    for jti in "abc":
        cache.source.add(jti)
        await cache.fetched(jti)
    cache.source.revoke("a", "b", "c")
    await cache.grants.poll()
    assert [cache.of(jti) for jti in "abc"] == ["token_revoked"] * 3


async def test_tokens_are_refused_while_the_ledger_is_silent_too_long(cache):
    cache.source.add()
    grant = await cache.fetched()
    cache.now += TRUST_S
    assert cache.of() is grant
    cache.now += 0.1
    assert cache.of() == "ledger_unreachable"
    assert cache.grants.age == pytest.approx(TRUST_S + 0.1)
    await cache.grants.poll()
    assert cache.of() is grant


@pytest.mark.parametrize("error", [LedgerDown(), OSError("secret of a driver"), ValueError()])
async def test_a_failed_fetch_is_retried_after_a_second(cache, caplog, error):
    cache.source.add()
    cache.source.error = error
    assert await cache.fetched() == "ledger_unreachable"
    cache.source.error = None
    cache.now += 0.9
    assert cache.of() == "ledger_unreachable"
    cache.now += 0.1
    assert cache.of() == "not yet"
    assert (await cache.fetched()).jti == "a"
    assert "secret" not in caplog.text


async def test_a_restored_older_ledger_empties_the_cache(cache):
    cache.source.number = 5
    await cache.grants.start()
    cache.source.add()
    grant = await cache.fetched()
    cache.source.number = 3
    await cache.grants.poll()
    assert (grant.is_revoked, cache.of()) == (True, "not yet")


@pytest.mark.parametrize(("error", "is_wrong"), [(LedgerDown(), False), (WrongLedger(), True)])
async def test_polling_goes_on_after_failures(cache, error, is_wrong):
    cache.source.add()
    grant = await cache.fetched()
    stop = asyncio.Event()
    cache.source.error = error
    following = asyncio.ensure_future(cache.grants.follow(0.001, stop))
    await until(lambda: cache.grants.failures == 3)
    assert cache.grants.is_wrong is is_wrong
    cache.source.error = None
    cache.source.revoke("a")
    await until(lambda: grant.is_revoked)
    await until(lambda: cache.grants.failures == 0)
    assert not cache.grants.is_wrong
    stop.set()
    await following


async def test_hurry_polls_before_the_usual_time(cache):
    cache.source.add()
    grant = await cache.fetched()
    stop = asyncio.Event()
    following = asyncio.ensure_future(cache.grants.follow(3600, stop))
    cache.source.revoke("a")
    cache.grants.refresh_soon()
    await until(lambda: grant.is_revoked)
    stop.set()
    cache.grants.refresh_soon()
    await following


async def test_settle_waits_for_running_fetches(cache):
    cache.source.add()
    cache.source.answers.clear()
    call = asyncio.ensure_future(cache.fetched())
    await asyncio.sleep(0)
    settled = asyncio.ensure_future(cache.grants.settle())
    await asyncio.sleep(0)
    assert not settled.done()
    cache.source.answers.set()
    await settled
    assert (await call).jti == "a"
