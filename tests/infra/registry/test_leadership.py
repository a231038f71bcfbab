"""Leader election by the ledger or by Redis: one leads, and former leaders cannot write."""

import asyncio
import time

import pytest
import pytest_asyncio
from redis.exceptions import RedisError

from relay.domain.jobs import Superseded, Term
from relay.infra.ledger import upgrading
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import create_ledger
from relay.infra.redis_client import make_redis_client
from relay.infra.registry import leadership
from relay.infra.registry.leadership import LedgerLeadership, RedisLeadership

TERM_S = 15
KEY = "relay:leader"


class Clock:
    """Controlled epoch seconds; each test has its own hour on the shared ledgers."""

    hours = 0

    def __init__(self):
        Clock.hours += 1
        self.now = 1_800_000_000 + 3_600 * Clock.hours

    def __call__(self):
        return float(self.now)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(scope="module")
def urls(tmp_path_factory, request):
    """Returns a function that creates ledgers on first use."""
    urls_by_kind = {}

    def create(kind):
        if kind not in urls_by_kind:
            folder = tmp_path_factory.mktemp("ledger")
            sqlite = kind == "sqlite"
            urls_by_kind[kind] = f"sqlite:{folder}/l.db" if sqlite else request.getfixturevalue("postgresql").database()
            asyncio.run(upgrading.upgrade(urls_by_kind[kind]))
        return urls_by_kind[kind]

    return create


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, urls):
    return urls(request.param)


@pytest_asyncio.fixture
async def store(url):
    ledger = create_ledger(url, Sealer([CustomerKey("first", b"1" * 32)]), 10)
    yield ledger.jobs
    await ledger.close()


@pytest_asyncio.fixture
async def forget(redis, redis_server):
    """Returns a function that restarts Redis empty, with closed connections."""

    async def restart():
        redis_server.kill()
        redis_server.start()
        await redis.connection_pool.disconnect()

    return restart


@pytest.fixture
def by_redis(redis, store, clock):
    """Returns a function that makes candidates by Redis."""
    return lambda name, client=redis: RedisLeadership(client, store, name, TERM_S, clock)


@pytest.fixture(params=["ledger", "redis"])
def kind(request):
    return request.param


@pytest.fixture
def candidate(kind, request, store, clock):
    """Returns a function that makes candidates of either kind."""
    if kind == "redis":
        return request.getfixturevalue("by_redis")
    return lambda name: LedgerLeadership(store, name, TERM_S, clock)


@pytest.fixture
def run_out(kind, request, clock):
    """Returns a function that lets the current term expire."""

    async def ran_out():
        clock.now += TERM_S
        if kind == "redis":
            await request.getfixturevalue("redis").pexpire(KEY, 0)

    return ran_out


async def test_one_of_ten_candidates_leads_and_stays_leader(candidate, clock, store):
    ten = [candidate(f"c{number}") for number in range(10)]
    first = await asyncio.gather(*(candidate_.campaign(clock.now) for candidate_ in ten))
    (leader,) = [term for term in first if term]
    assert leader.until == clock.now + TERM_S
    for _ in range(5):
        clock.now += TERM_S // 3
        terms = await asyncio.gather(*(candidate_.campaign(clock.now) for candidate_ in ten))
        assert [term and term.holder for term in terms] == [term and term.holder for term in first]
        assert {term for term in terms if term} == {Term(leader.holder, leader.fence, clock.now + TERM_S)}
        assert await store.load_leader() == Term(leader.holder, leader.fence, clock.now + TERM_S)


async def test_an_expired_term_is_followed_by_a_higher_fence(candidate, clock, run_out):
    fences = []
    for name in ("one", "two", "one", "three"):
        term = await candidate(name).campaign(clock.now)
        assert term.holder == name
        fences.append(term.fence)
        await run_out()
    assert fences == sorted(set(fences))


async def test_a_former_leader_waits_and_its_writes_are_refused(candidate, clock, run_out, store):
    old, new = candidate("old"), candidate("new")
    before = await old.campaign(clock.now)
    await store.record_start("sync", before.fence, clock.now)
    await run_out()
    after = await new.campaign(clock.now)
    assert await old.campaign(clock.now) is None
    with pytest.raises(Superseded):
        await store.record_end("sync", before.fence, well=True, result="late", due_at=0, now=clock.now)
    assert (await store.load_states())["sync"].result != "late"
    await store.record_end("sync", after.fence, well=True, result="in time", due_at=0, now=clock.now)
    await run_out()
    again = await old.campaign(clock.now)
    assert again.fence > after.fence


async def test_after_a_resignation_another_leads_at_once(candidate, clock):
    first_candidate, second_candidate = candidate("one"), candidate("two")
    first = await first_candidate.campaign(clock.now)
    assert await second_candidate.campaign(clock.now) is None
    await first_candidate.resign()
    second = await second_candidate.campaign(clock.now)
    assert second.fence > first.fence
    assert await first_candidate.campaign(clock.now) is None


async def test_an_instance_that_does_not_lead_cannot_resign(candidate, clock, store):
    first_candidate, second_candidate = candidate("one"), candidate("two")
    term = await first_candidate.campaign(clock.now)
    await second_candidate.resign()
    assert await second_candidate.campaign(clock.now) is None
    assert await first_candidate.campaign(clock.now) == term == await store.load_leader()


async def test_a_leader_stays_while_redis_is_unavailable(by_redis, clock, redis_server, caplog):
    first_candidate, second_candidate = by_redis("one"), by_redis("two")
    term = await first_candidate.campaign(clock.now)
    redis_server.kill()
    try:
        for _ in range(3):
            clock.now += TERM_S // 3
            assert await first_candidate.campaign(clock.now) == Term("one", term.fence, clock.now + TERM_S)
            assert await second_candidate.campaign(clock.now) is None
    finally:
        redis_server.start()
    lines = ["redis unavailable: cause=ConnectionError failures=1"]
    assert caplog.messages == lines * 2  # once for each of the two
    assert await first_candidate.campaign(clock.now)
    assert caplog.messages[2].startswith("redis available again: after_s=")


async def test_a_killed_leader_is_replaced_without_redis(by_redis, clock, redis_server, store):
    term = await by_redis("one").campaign(clock.now)
    redis_server.kill()
    try:
        clock.now += TERM_S
        after = await by_redis("two").campaign(clock.now)
        assert after.fence > term.fence
        await by_redis("two").resign()
        assert (await store.load_leader()).until <= clock.now
    finally:
        redis_server.start()


async def test_an_emptied_redis_elects_another_with_a_higher_fence(by_redis, clock, forget, store):
    old, new = by_redis("old"), by_redis("new")
    before = await old.campaign(clock.now)
    await forget()
    after = await new.campaign(clock.now)
    assert after.fence > before.fence
    assert await old.campaign(clock.now) is None
    with pytest.raises(Superseded):
        await store.record_start("sync", before.fence, clock.now)
    await store.record_start("sync", after.fence, clock.now)


async def test_an_emptied_redis_may_elect_the_same_leader(by_redis, clock, forget, store):
    candidate_ = by_redis("one")
    before = await candidate_.campaign(clock.now)
    await forget()
    after = await candidate_.campaign(clock.now)
    assert after.fence > before.fence
    await store.record_start("sync", after.fence, clock.now)


async def test_the_ledger_accepts_the_later_of_two_leaders(by_redis, clock, redis, store):
    """After a failover elected another leader, the former Redis came back and still names the former one."""
    first_candidate, second_candidate = by_redis("one"), by_redis("two")
    before = await first_candidate.campaign(clock.now)
    await redis.delete(KEY)
    after = await second_candidate.campaign(clock.now)
    await redis.set(KEY, "one", px=60_000)
    assert await first_candidate.campaign(clock.now) is None
    await store.record_start("sync", after.fence, clock.now)
    clock.now += TERM_S
    assert (await first_candidate.campaign(clock.now)).fence > after.fence > before.fence


async def test_a_redis_key_without_a_fence_is_no_term(by_redis, clock, store, monkeypatch):
    before = await by_redis("one").campaign(clock.now)
    await by_redis("one").resign()

    async def fail(*_):
        raise ConnectionError

    candidate_ = by_redis("one")
    with monkeypatch.context() as broken:
        broken.setattr(store, "take_lead", fail)
        with pytest.raises(ConnectionError):
            await candidate_.campaign(clock.now)
    assert (await candidate_.campaign(clock.now)).fence > before.fence


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_hanging_redis_is_waited_for_once_and_briefly(by_redis, clock, redis_server, monkeypatch, caplog):
    monkeypatch.setattr(leadership, "RESPONSE_S", 0.1)
    candidate_ = by_redis("one", redis := make_redis_client(redis_server.url))
    await candidate_.campaign(clock.now)
    redis_server.pause()
    try:
        took = []
        for _ in range(3):
            began = time.monotonic()
            assert await candidate_.campaign(clock.now) is not None
            took.append(time.monotonic() - began)
        await candidate_.resign()
    finally:
        redis_server.go_on()
    assert max(took) < 2.0  # redis-py's own retries take five seconds
    assert "it expires" in caplog.text
    await redis.aclose()


@pytest.mark.parametrize(("term_s", "response_s"), [(1, 1 / 3), (6, 2.0), (300, 2.0)])
def test_the_timeout_of_redis_is_a_third_of_a_term_at_most(term_s, response_s):
    assert RedisLeadership(None, None, "one", term_s, None).response_s == pytest.approx(response_s)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_late_reply_reaches_no_other_candidate(by_redis, clock, gate, through, monkeypatch):
    """A late reply of Redis to one candidate must not be read by another on the same connection."""
    monkeypatch.setattr(leadership, "RESPONSE_S", 0.1)
    first_candidate, second_candidate = by_redis("one", through), by_redis("two", through)
    term = await first_candidate.campaign(clock.now)
    gate.open.clear()
    assert await first_candidate.campaign(clock.now) == term  # by the ledger: the reply of Redis is delayed
    gate.open.set()
    assert await second_candidate.campaign(clock.now) is None
    assert await first_candidate.campaign(clock.now) == term


async def test_a_broken_connection_is_tried_once(gate, through):
    gate.hangs_up = True
    with pytest.raises((RedisError, OSError)):
        await through.get("one")
    assert gate.lines == 1


async def test_cancelled_commands_leave_no_reply_for_others(gate, through, redis):
    """Detects redis-py #2624, #2579, #2665: a cancelled command left its reply on a pooled connection."""
    names = [f"key{number}" for number in range(300)]
    await redis.mset({name: f"value of {name}" for name in names})
    wrong, replies = [], 0

    async def ask(name):
        nonlocal replies
        value = await through.get(name)
        replies += 1
        if value != f"value of {name}".encode():
            wrong.append((name, value))

    for start in range(0, len(names), 50):
        gate.heard.clear()
        gate.open.clear()
        tasks = [asyncio.create_task(ask(name)) for name in names[start : start + 50]]
        await gate.heard.wait()
        for number, task in enumerate(tasks):
            if number % 3:  # some before their command was sent, some after
                task.cancel()
            await asyncio.sleep(0)
        gate.open.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        for name in names[start : start + 50]:
            await ask(name)
    assert (wrong, replies) == ([], 300 + 6 * 17)
