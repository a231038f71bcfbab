"""The registry as a process knows it is always one that was committed, whatever is written or breaks meanwhile."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.ledger import Unreachable
from relay.domain.registry import Organisation, OrgType, RegisteredService, RegistryChanges, RegistryHead
from relay.infra.registry import follower as room
from relay.infra.registry.follower import FollowedRegistry

NOW = 1_800_000_000


def organisation(org_code, name="one"):
    return Organisation(org_code, OrgType.OPERATOR, name, "999-81-01001", ("192.0.2.1",))


def service(client_id, name="one"):
    return RegisteredService(client_id, "ZOPA000001", name, "$scrypt$")


class LedgerAway(Unreachable): ...


class Source:
    """A registry in memory, read as the ledger's is: rows by the number of their last change, gone ones too.

    `before` is called before each page is read. `states` holds what stood after each commit, by number.
    """

    def __init__(self):
        self.rows, self.number, self.synced_at, self.held_since = {}, 0, 0, 0
        self.states = {0: ({}, {})}
        self.heads = self.pages = 0
        self.away, self.before = False, lambda: None

    def commit(self, organisations=None, services=None):
        """Everything of one sync, visible at once."""
        for kind, changed in (("organisations", organisations or {}), ("services", services or {})):
            for key, value in changed.items():
                self.number += 1
                self.rows[kind, key] = (self.number, value)
        self.synced_at = NOW + self.number
        standing = ({}, {})
        for (kind, key), (_, value) in self.rows.items():
            if value is not None:
                standing[kind == "services"][key] = value
        self.states[self.number] = standing

    def copy(self):
        """A backup."""
        kept = Source()
        kept.rows, kept.number, kept.synced_at, kept.states = dict(self.rows), self.number, self.synced_at, {}
        kept.states.update(self.states)
        return kept

    def bring_back(self, backup):
        self.rows, self.number, self.synced_at = dict(backup.rows), backup.number, backup.synced_at

    async def registry_head(self):
        self.heads += 1
        if self.away:
            raise LedgerAway
        return RegistryHead(self.number, self.synced_at, self.held_since)

    async def registry_after(self, number, most):
        self.before()
        self.pages += 1
        if self.away:
            raise LedgerAway
        later = sorted((at, key, value) for key, (at, value) in self.rows.items() if at > number)[:most]
        organisations = {key: value for _, (kind, key), value in later if kind == "organisations"}
        services = {key: value for _, (kind, key), value in later if kind == "services"}
        return (later[-1][0] if later else number), RegistryChanges(organisations, services, "", "")


class Clock:
    now = float(NOW)

    def __call__(self):
        return self.now


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def followed(source, clock):
    return FollowedRegistry(source, clock)


def many(count, name="one"):
    return {f"Z{number:09}": organisation(f"Z{number:09}", name) for number in range(count)}


def known(followed):
    return followed.registry.organisations, followed.registry.services


async def test_what_stands_already_is_read_page_by_page(followed, source):
    source.commit(many(room.PAGE * 2 + 1), {"svc1": service("svc1")})
    assert await followed.hear() is True
    assert known(followed) == source.states[source.number]
    assert source.pages == 4  # the last is empty: nothing came meanwhile
    assert (followed.registry.number, followed.registry.synced_at) == (source.number, source.synced_at)


async def test_who_hears_nothing_new_reads_nothing(followed, source):
    source.commit(many(3))
    await followed.hear()
    before, pages = followed.registry, source.pages
    source.synced_at += 600  # a sync without a change
    assert await followed.hear() is False
    assert (followed.registry, source.pages) == (before, pages)
    assert followed.head.synced_at == source.synced_at


async def test_only_what_changed_is_read_and_who_is_gone_goes(followed, source):
    source.commit(many(3), {"svc1": service("svc1"), "svc2": service("svc2")})
    await followed.hear()
    asked = []
    source.before = lambda: asked.append(source.number)
    source.commit({"Z000000001": None, "Z000000002": organisation("Z000000002", "other")}, {"svc2": None})
    former = followed.registry
    assert await followed.hear() is True
    assert sorted(followed.registry.organisations) == ["Z000000000", "Z000000002"]
    assert followed.registry.organisations["Z000000002"].name == "other"
    assert sorted(followed.registry.services) == ["svc1"]
    assert len(former.organisations) == 3  # who works with the former one keeps it whole
    assert len(asked) == 2


@pytest.mark.parametrize("pages", [0, 1, 2])
async def test_a_ledger_that_goes_while_it_is_read_changes_nothing(followed, source, pages):
    source.commit(many(3))
    await followed.hear()
    before, head = followed.registry, followed.head
    source.commit(many(room.PAGE + 1, "other"))
    left = [None] * pages

    def goes():
        source.away = not left
        left[:] = left[1:]

    source.before = goes
    with pytest.raises(LedgerAway):
        await followed.hear()
    assert (followed.registry, followed.head) == (before, head)
    source.before, source.away = (lambda: None), False
    assert await followed.hear() is True
    assert known(followed) == source.states[source.number]


async def test_an_older_ledger_brought_back_is_read_from_its_beginning(followed, source):
    source.commit(many(3))
    backup = source.copy()
    source.commit({"Z000000000": None, "Z000000009": organisation("Z000000009")})
    await followed.hear()
    source.bring_back(backup)
    assert await followed.hear() is True
    assert known(followed) == source.states[3]
    assert followed.registry.number == 3
    assert await followed.hear() is False


async def test_an_age_counts_from_the_last_sync_or_from_our_start(followed, source, clock):
    clock.now += 30
    assert followed.age == 30
    source.commit(many(1))
    source.synced_at = NOW + 20
    await followed.hear()
    assert followed.age == 10
    source.synced_at = NOW + 100  # another machine's clock is ahead
    await followed.hear()
    assert followed.age == 0


async def test_how_long_a_sync_is_held_back_is_told(followed, source, clock):
    assert followed.held == 0
    source.held_since = NOW - 60
    await followed.hear()
    clock.now += 5
    assert followed.held == 65
    for since, seconds in ((NOW + 30 * 86_400, 5), (0, 0)):  # a wrong clock hides no age
        source.held_since = since
        await followed.hear()
        assert followed.held == seconds


class Follower:
    """Follows as a process does and notes what it was told; `refuses` counts how often it cannot take it."""

    def __init__(self, followed):
        self.followed, self.told, self.refuses = followed, [], 0
        self.stop, self.news = asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(followed.follow(0.001, self.stop, self._changed))

    async def _changed(self, registry):
        self.told.append(registry.number)
        self.news.set()
        if self.refuses:
            self.refuses -= 1
            raise ValueError("not now")

    async def until(self, reached):
        async with asyncio.timeout(20):
            while not reached():
                await asyncio.wait({self._task}, timeout=0.001)
                assert not self._task.done()

    async def end(self):
        self.stop.set()
        await self._task


@pytest.fixture
async def follower(followed):
    """A process that follows; ended after the test."""
    made = Follower(followed)
    yield made
    await made.end()


async def test_each_change_is_told_once(follower, source):
    source.commit(many(2))
    await follower.until(lambda: follower.told == [2])
    heads = source.heads
    await follower.until(lambda: source.heads > heads + 3)
    source.commit({"Z000000001": None})
    await follower.until(lambda: follower.told == [2, 3])


async def test_what_could_not_be_taken_is_told_again_and_once_it_is_taken_no_more(follower, source, caplog):
    follower.refuses = 2
    source.commit(many(2))
    await follower.until(lambda: len(follower.told) == 3)
    heads = source.heads
    await follower.until(lambda: source.heads > heads + 3)
    assert follower.told == [2, 2, 2]
    assert [line for line in caplog.messages if "ValueError" in line] == caplog.messages
    assert (len(caplog.messages), follower.followed.failures) == (1, 0)
    assert "not now" not in caplog.text


async def test_a_ledger_that_is_away_leaves_the_last_good_registry_in_force(follower, source, caplog):
    source.commit(many(2))
    await follower.until(lambda: follower.told == [2])
    source.away = True
    await follower.until(lambda: follower.followed.failures > 2)
    assert known(follower.followed) == source.states[2]
    source.commit({"Z000000001": None})
    source.away = False
    await follower.until(lambda: follower.told == [2, 3])
    assert follower.followed.failures == 0
    assert caplog.messages == []


async def test_a_ledger_that_never_answers_is_not_waited_for(follower, source, monkeypatch):
    monkeypatch.setattr(room, "HEAR_S", 0.01)
    never = asyncio.Event()
    answers, source.registry_head = source.registry_head, never.wait
    await follower.until(lambda: follower.followed.failures > 1)
    source.registry_head = answers
    source.commit(many(2))
    await follower.until(lambda: follower.told == [2])


KEYS = st.sampled_from([f"K{number}" for number in range(6)])
SYNC = st.tuples(
    st.dictionaries(KEYS, st.none() | st.integers(0, 3), max_size=4),
    st.dictionaries(KEYS, st.none() | st.integers(0, 3), max_size=4),
)


def write(source, sync):
    organisations, services = sync
    source.commit(
        {key: None if value is None else organisation(key, str(value)) for key, value in organisations.items()},
        {key: None if value is None else service(key, str(value)) for key, value in services.items()},
    )


@given(
    first=st.lists(SYNC, max_size=3),
    hearings=st.lists(st.lists(st.none() | SYNC, max_size=6), min_size=1, max_size=5),
    page=st.integers(1, 4),
)
def test_while_others_write_what_is_heard_is_always_one_moments_registry(first, hearings, page):
    """Between any two pages anything may be committed: what is known then stood in the ledger, whole, at one time."""
    source = Source()
    followed = FollowedRegistry(source, lambda: float(NOW))
    for sync in first:
        write(source, sync)

    async def heard():
        for meanwhile in hearings:
            left = list(meanwhile)

            def between(left=left):
                if left and (sync := left.pop(0)) is not None:
                    write(source, sync)

            source.before = between
            await followed.hear()
            assert known(followed) == source.states[followed.registry.number]
        source.before = lambda: None
        await followed.hear()
        assert known(followed) == source.states[source.number]

    with pytest.MonkeyPatch.context() as small:
        small.setattr(room, "PAGE", page)
        asyncio.run(heard())


@given(
    syncs=st.lists(SYNC, min_size=1, max_size=6),
    kept=st.integers(0, 5),
    again=st.lists(SYNC, max_size=2),
    page=st.integers(1, 4),
)
def test_a_ledger_brought_back_is_followed_however_it_goes_on(syncs, kept, again, page):
    source = Source()
    followed = FollowedRegistry(source, lambda: float(NOW))
    backups = [source.copy()]
    for sync in syncs:
        write(source, sync)
        backups.append(source.copy())

    async def heard():
        await followed.hear()
        source.bring_back(backups[min(kept, len(syncs))])
        await followed.hear()
        for sync in again:
            write(source, sync)
            await followed.hear()
        assert known(followed) == source.states[source.number]

    with pytest.MonkeyPatch.context() as small:
        small.setattr(room, "PAGE", page)
        asyncio.run(heard())
