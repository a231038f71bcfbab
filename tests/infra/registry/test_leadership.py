"""One leads among many, by the ledger or by Redis, and whoever led before writes nothing any more."""

import asyncio
import time

import pytest
import pytest_asyncio
from redis.exceptions import RedisError

from relay.domain.jobs import Superseded, Term
from relay.infra.ledger import schema
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import open_ledger
from relay.infra.registry import leadership as room
from relay.infra.registry.leadership import LedgerLeadership, RedisLeadership, redis_at

TERM_S = 15
KEY = "relay:leader"


class Clock:
    """Epoch seconds that go on when told to; each test has an hour of its own on the ledgers they share."""

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
    """Ledgers with their tables, made when first asked for."""
    made = {}

    def of(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp("ledger")
            sqlite = kind == "sqlite"
            made[kind] = f"sqlite:{folder}/l.db" if sqlite else request.getfixturevalue("postgresql").database()
            asyncio.run(schema.upgrade(made[kind]))
        return made[kind]

    return of


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, urls):
    return urls(request.param)


@pytest_asyncio.fixture
async def book(url):
    ledger = await open_ledger(url, Sealer([CustomerKey("first", b"1" * 32)]), 10)
    yield ledger.jobs
    await ledger.close()


@pytest_asyncio.fixture
async def forget(redis, redis_server):
    """Redis ends and comes back empty; its former lines are seen to be closed."""

    async def forgot():
        redis_server.kill()
        redis_server.start()
        await redis.connection_pool.disconnect()

    return forgot


@pytest.fixture
def by_redis(redis, book, clock):
    """Makes candidates that ask Redis first, by name."""
    return lambda name, of=redis: RedisLeadership(of, book, name, TERM_S, clock)


@pytest.fixture(params=["ledger", "redis"])
def way(request):
    return request.param


@pytest.fixture
def candidate(way, request, book, clock):
    """Makes candidates of either kind, by name."""
    if way == "redis":
        return request.getfixturevalue("by_redis")
    return lambda name: LedgerLeadership(book, name, TERM_S, clock)


@pytest.fixture
def run_out(way, request, clock):
    """Lets the term that runs come to its end without being renewed."""

    async def ran_out():
        clock.now += TERM_S
        if way == "redis":
            await request.getfixturevalue("redis").pexpire(KEY, 0)

    return ran_out


async def test_of_ten_candidates_one_leads_and_stays_it(candidate, clock, book):
    ten = [candidate(f"c{number}") for number in range(10)]
    first = await asyncio.gather(*(one.campaign(clock.now) for one in ten))
    (leader,) = [term for term in first if term]
    assert leader.until == clock.now + TERM_S
    for _ in range(5):
        clock.now += TERM_S // 3
        terms = await asyncio.gather(*(one.campaign(clock.now) for one in ten))
        assert [term and term.holder for term in terms] == [term and term.holder for term in first]
        assert {term for term in terms if term} == {Term(leader.holder, leader.fence, clock.now + TERM_S)}
        assert await book.leader() == Term(leader.holder, leader.fence, clock.now + TERM_S)


async def test_a_term_that_is_not_renewed_runs_out_and_the_next_fence_is_higher(candidate, clock, run_out):
    fences = []
    for name in ("one", "two", "one", "three"):
        term = await candidate(name).campaign(clock.now)
        assert term.holder == name
        fences.append(term.fence)
        await run_out()
    assert fences == sorted(set(fences))


async def test_a_leader_that_came_back_late_waits_and_what_it_writes_is_refused(candidate, clock, run_out, book):
    old, new = candidate("old"), candidate("new")
    before = await old.campaign(clock.now)
    await book.begun("sync", before.fence, clock.now)
    await run_out()
    after = await new.campaign(clock.now)
    assert await old.campaign(clock.now) is None
    with pytest.raises(Superseded):
        await book.ended("sync", before.fence, well=True, told="late", due_at=0, now=clock.now)
    assert (await book.jobs())["sync"].told != "late"
    await book.ended("sync", after.fence, well=True, told="in time", due_at=0, now=clock.now)
    await run_out()
    again = await old.campaign(clock.now)
    assert again.fence > after.fence


async def test_who_resigns_gives_way_at_once(candidate, clock):
    one, two = candidate("one"), candidate("two")
    first = await one.campaign(clock.now)
    assert await two.campaign(clock.now) is None
    await one.resign()
    second = await two.campaign(clock.now)
    assert second.fence > first.fence
    assert await one.campaign(clock.now) is None


async def test_who_does_not_lead_has_nothing_to_resign(candidate, clock, book):
    one, two = candidate("one"), candidate("two")
    term = await one.campaign(clock.now)
    await two.resign()
    assert await two.campaign(clock.now) is None
    assert await one.campaign(clock.now) == term == await book.leader()


async def test_while_redis_is_away_who_leads_leads_on_and_it_is_told_once(by_redis, clock, redis_server, caplog):
    one, two = by_redis("one"), by_redis("two")
    term = await one.campaign(clock.now)
    redis_server.kill()
    try:
        for _ in range(3):
            clock.now += TERM_S // 3
            assert await one.campaign(clock.now) == Term("one", term.fence, clock.now + TERM_S)
            assert await two.campaign(clock.now) is None
    finally:
        redis_server.start()
    told = [line for line in caplog.messages if "the ledger tells who leads" in line]
    assert len(told) == 2  # each of the two, once


async def test_a_leader_that_dies_while_redis_is_away_is_followed_by_another(by_redis, clock, redis_server, book):
    term = await by_redis("one").campaign(clock.now)
    redis_server.kill()
    try:
        clock.now += TERM_S
        after = await by_redis("two").campaign(clock.now)
        assert after.fence > term.fence
        await by_redis("two").resign()
        assert (await book.leader()).until <= clock.now
    finally:
        redis_server.start()


async def test_a_redis_that_forgot_names_another_leader_whose_fence_is_higher(by_redis, clock, forget, book):
    old, new = by_redis("old"), by_redis("new")
    before = await old.campaign(clock.now)
    await forget()
    after = await new.campaign(clock.now)
    assert after.fence > before.fence
    assert await old.campaign(clock.now) is None
    with pytest.raises(Superseded):
        await book.begun("sync", before.fence, clock.now)
    await book.begun("sync", after.fence, clock.now)


async def test_a_redis_that_forgot_may_name_the_same_leader_again(by_redis, clock, forget, book):
    one = by_redis("one")
    before = await one.campaign(clock.now)
    await forget()
    after = await one.campaign(clock.now)
    assert after.fence > before.fence
    await book.begun("sync", after.fence, clock.now)


async def test_of_two_redises_that_disagree_the_ledger_hears_the_later_leader(by_redis, clock, redis, book):
    """A failover named another leader; then the former Redis came back and names the former one still."""
    one, two = by_redis("one"), by_redis("two")
    before = await one.campaign(clock.now)
    await redis.delete(KEY)
    after = await two.campaign(clock.now)
    await redis.set(KEY, "one", px=60_000)
    assert await one.campaign(clock.now) is None
    await book.begun("sync", after.fence, clock.now)
    clock.now += TERM_S
    assert (await one.campaign(clock.now)).fence > after.fence > before.fence


async def test_a_key_taken_without_a_fence_is_no_term_until_the_ledger_gives_one(by_redis, clock, book, monkeypatch):
    before = await by_redis("one").campaign(clock.now)
    await by_redis("one").resign()

    async def away(*_):
        raise ConnectionError

    one = by_redis("one")
    with monkeypatch.context() as broken:
        broken.setattr(book, "new_fence", away)
        with pytest.raises(ConnectionError):
            await one.campaign(clock.now)
    assert (await one.campaign(clock.now)).fence > before.fence


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_redis_that_does_not_answer_is_waited_for_once_and_shortly(
    by_redis, clock, redis_server, monkeypatch, caplog
):
    monkeypatch.setattr(room, "ANSWER_S", 0.1)
    one = by_redis("one", redis := redis_at(redis_server.url))
    await one.campaign(clock.now)
    redis_server.pause()
    try:
        took = []
        for _ in range(3):
            began = time.monotonic()
            assert await one.campaign(clock.now) is not None
            took.append(time.monotonic() - began)
        await one.resign()
    finally:
        redis_server.go_on()
    assert max(took) < 2.0  # redis-py's own retries take five seconds
    assert "its key runs out by itself" in caplog.text
    await redis.aclose()


@pytest.mark.parametrize(("term_s", "answer_s"), [(1, 1 / 3), (6, 2.0), (300, 2.0)])
def test_an_answer_is_waited_for_a_third_of_a_term_at_most(term_s, answer_s):
    assert RedisLeadership(None, None, "one", term_s, None)._answer_s == pytest.approx(answer_s)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_an_answer_that_comes_late_is_nobody_elses(by_redis, clock, gate, through, monkeypatch):
    """Yes to the one who gave up waiting must not be read by the next who asks over the same line."""
    monkeypatch.setattr(room, "ANSWER_S", 0.1)
    one, two = by_redis("one", through), by_redis("two", through)
    term = await one.campaign(clock.now)
    gate.open.clear()
    assert await one.campaign(clock.now) == term  # by the ledger: Redis heard it, its answer is held back
    gate.open.set()
    assert await two.campaign(clock.now) is None
    assert await one.campaign(clock.now) == term


async def test_a_line_that_breaks_is_tried_once(gate, through):
    gate.hangs_up = True
    with pytest.raises((RedisError, OSError)):
        await through.get("one")
    assert gate.lines == 1


async def test_cancelled_questions_leave_no_answer_for_others(gate, through, redis):
    """A canary for redis-py #2624, #2579, #2665: a command that was cancelled left its answer on a pooled line."""
    names = [f"key{number}" for number in range(300)]
    await redis.mset({name: f"value of {name}" for name in names})
    wrong, heard = [], 0

    async def ask(name):
        nonlocal heard
        value = await through.get(name)
        heard += 1
        if value != f"value of {name}".encode():
            wrong.append((name, value))

    for start in range(0, len(names), 50):
        gate.heard.clear()
        gate.open.clear()
        asked = [asyncio.create_task(ask(name)) for name in names[start : start + 50]]
        await gate.heard.wait()
        for number, task in enumerate(asked):
            if number % 3:  # some before their question went, some after, some are left in peace
                task.cancel()
            await asyncio.sleep(0)
        gate.open.set()
        await asyncio.gather(*asked, return_exceptions=True)
        for name in names[start : start + 50]:
            await ask(name)
    assert (wrong, heard) == ([], 300 + 6 * 17)
