"""The followed registry is always a committed one, whatever is written or fails meanwhile."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.ledger import LedgerDown
from relay.domain.registry import Organisation, OrgType, RegisteredService, RegistryChanges, RegistryHead
from relay.infra.registry import follower as follower_module
from relay.infra.registry.follower import RegistryFollower

NOW = 1_800_000_000


def organisation(org_code, name="one"):
    return Organisation(org_code, OrgType.OPERATOR, name, "999-81-01001", ("192.0.2.1",))


def service(client_id, name="one"):
    return RegisteredService(client_id, "ZOPA000001", name, "$scrypt$")


class LedgerUnavailable(LedgerDown): ...


class Source:
    """A registry in memory with the ledger's queries: rows by the number of their last change, removed ones too.

    `before` is called before each page is read. `states` has the content after each commit, by number.
    """

    def __init__(self):
        self.rows, self.number, self.synced_at, self.held_since = {}, 0, 0, 0
        self.states = {0: ({}, {})}
        self.heads = self.pages = 0
        self.is_unavailable, self.before = False, lambda: None

    def commit(self, organisations=None, services=None):
        """Commits one sync, visible at once."""
        for kind, changed in (("organisations", organisations or {}), ("services", services or {})):
            for key, value in changed.items():
                self.number += 1
                self.rows[kind, key] = (self.number, value)
        self.synced_at = NOW + self.number
        current = ({}, {})
        for (kind, key), (_, value) in self.rows.items():
            if value is not None:
                current[kind == "services"][key] = value
        self.states[self.number] = current

    def copy(self):
        """Returns a backup."""
        backup = Source()
        backup.rows, backup.number, backup.synced_at, backup.states = dict(self.rows), self.number, self.synced_at, {}
        backup.states.update(self.states)
        return backup

    def restore(self, backup):
        self.rows, self.number, self.synced_at = dict(backup.rows), backup.number, backup.synced_at

    async def registry_head(self):
        self.heads += 1
        if self.is_unavailable:
            raise LedgerUnavailable
        return RegistryHead(self.number, self.synced_at, self.held_since)

    async def registry_after(self, number, most):
        self.before()
        self.pages += 1
        if self.is_unavailable:
            raise LedgerUnavailable
        later = sorted((at, key, value) for key, (at, value) in self.rows.items() if at > number)[:most]
        organisations = {key: value for _, (kind, key), value in later if kind == "organisations"}
        services = {key: value for _, (kind, key), value in later if kind == "services"}
        return (later[-1][0] if later else number), RegistryChanges(organisations, services, "", "")


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def clock(clock):
    clock.now = float(NOW)
    return clock


@pytest.fixture
def followed(source, clock):
    return RegistryFollower(source, clock)


def many(count, name="one"):
    return {f"Z{number:09}": organisation(f"Z{number:09}", name) for number in range(count)}


def known(followed):
    return followed.registry.organisations, followed.registry.services


async def test_an_existing_registry_is_read_page_by_page(followed, source):
    source.commit(many(follower_module.PAGE * 2 + 1), {"svc1": service("svc1")})
    assert await followed.poll() is True
    assert known(followed) == source.states[source.number]
    assert source.pages == 4  # the last page is empty
    assert (followed.registry.number, followed.registry.synced_at) == (source.number, source.synced_at)


async def test_without_changes_nothing_is_read(followed, source):
    source.commit(many(3))
    await followed.poll()
    before, pages = followed.registry, source.pages
    source.synced_at += 600  # a sync without a change
    assert await followed.poll() is False
    assert (followed.registry, source.pages) == (before, pages)
    assert followed.head.synced_at == source.synced_at


async def test_only_changes_are_read_and_removed_ones_dropped(followed, source):
    source.commit(many(3), {"svc1": service("svc1"), "svc2": service("svc2")})
    await followed.poll()
    reads = []
    source.before = lambda: reads.append(source.number)
    source.commit({"Z000000001": None, "Z000000002": organisation("Z000000002", "other")}, {"svc2": None})
    former = followed.registry
    assert await followed.poll() is True
    assert sorted(followed.registry.organisations) == ["Z000000000", "Z000000002"]
    assert followed.registry.organisations["Z000000002"].name == "other"
    assert sorted(followed.registry.services) == ["svc1"]
    assert len(former.organisations) == 3  # users of the former registry keep it
    assert len(reads) == 2


@pytest.mark.parametrize("pages", [0, 1, 2])
async def test_a_ledger_that_fails_during_a_read_changes_nothing(followed, source, pages):
    source.commit(many(3))
    await followed.poll()
    before, head = followed.registry, followed.head
    source.commit(many(follower_module.PAGE + 1, "other"))
    left = [None] * pages

    def fail():
        source.is_unavailable = not left
        left[:] = left[1:]

    source.before = fail
    with pytest.raises(LedgerUnavailable):
        await followed.poll()
    assert (followed.registry, followed.head) == (before, head)
    source.before, source.is_unavailable = (lambda: None), False
    assert await followed.poll() is True
    assert known(followed) == source.states[source.number]


async def test_a_restored_older_ledger_is_read_from_the_beginning(followed, source):
    source.commit(many(3))
    backup = source.copy()
    source.commit({"Z000000000": None, "Z000000009": organisation("Z000000009")})
    await followed.poll()
    source.restore(backup)
    assert await followed.poll() is True
    assert known(followed) == source.states[3]
    assert followed.registry.number == 3
    assert await followed.poll() is False


async def test_the_age_counts_from_the_last_sync_or_process_start(followed, source, clock):
    clock.now += 30
    assert followed.age == 30
    source.commit(many(1))
    source.synced_at = NOW + 20
    await followed.poll()
    assert followed.age == 10
    source.synced_at = NOW + 100  # another machine's clock is ahead
    await followed.poll()
    assert followed.age == 0


async def test_the_time_since_a_sync_is_held(followed, source, clock):
    assert followed.held_seconds == 0
    source.held_since = NOW - 60
    await followed.poll()
    clock.now += 5
    assert followed.held_seconds == 65
    for since, seconds in ((NOW + 30 * 86_400, 5), (0, 0)):  # a wrong clock hides no age
        source.held_since = since
        await followed.poll()
        assert followed.held_seconds == seconds


class Follower:
    """Follows like a process and records applied registries; it fails `refusals` times."""

    def __init__(self, followed):
        self.followed, self.applied, self.refusals = followed, [], 0
        self.stop, self.changed = asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(followed.follow(0.001, self.stop, self._changed))

    async def _changed(self, registry):
        self.applied.append(registry.number)
        self.changed.set()
        if self.refusals:
            self.refusals -= 1
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
    """A following process; it ends after the test."""
    process = Follower(followed)
    yield process
    await process.end()


async def test_each_change_is_applied_once(follower, source):
    source.commit(many(2))
    await follower.until(lambda: follower.applied == [2])
    heads = source.heads
    await follower.until(lambda: source.heads > heads + 3)
    source.commit({"Z000000001": None})
    await follower.until(lambda: follower.applied == [2, 3])


async def test_a_failed_change_is_applied_again_until_it_succeeds(follower, source, caplog):
    follower.refusals = 2
    source.commit(many(2))
    await follower.until(lambda: len(follower.applied) == 3)
    heads = source.heads
    await follower.until(lambda: source.heads > heads + 3)
    assert follower.applied == [2, 2, 2]
    assert [line for line in caplog.messages if "ValueError" in line] == caplog.messages
    assert (len(caplog.messages), follower.followed.failures) == (1, 0)
    assert "not now" not in caplog.text


async def test_an_unavailable_ledger_keeps_the_last_registry(follower, source, caplog):
    source.commit(many(2))
    await follower.until(lambda: follower.applied == [2])
    source.is_unavailable = True
    await follower.until(lambda: follower.followed.failures > 2)
    assert known(follower.followed) == source.states[2]
    source.commit({"Z000000001": None})
    source.is_unavailable = False
    await follower.until(lambda: follower.applied == [2, 3])
    assert follower.followed.failures == 0
    assert caplog.messages == []


async def test_a_hanging_ledger_is_not_waited_for(follower, source, monkeypatch):
    monkeypatch.setattr(follower_module, "POLL_TIMEOUT_S", 0.01)
    never = asyncio.Event()
    answers, source.registry_head = source.registry_head, never.wait
    await follower.until(lambda: follower.followed.failures > 1)
    source.registry_head = answers
    source.commit(many(2))
    await follower.until(lambda: follower.applied == [2])


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
def test_concurrent_writes_leave_a_consistent_registry(first, hearings, page):
    """Commits may happen between two pages: the registry is always the ledger's content at one moment."""
    source = Source()
    followed = RegistryFollower(source, lambda: float(NOW))
    for sync in first:
        write(source, sync)

    async def follow_all():
        for meanwhile in hearings:
            remaining = list(meanwhile)

            def between(remaining=remaining):
                if remaining and (sync := remaining.pop(0)) is not None:
                    write(source, sync)

            source.before = between
            await followed.poll()
            assert known(followed) == source.states[followed.registry.number]
        source.before = lambda: None
        await followed.poll()
        assert known(followed) == source.states[source.number]

    with pytest.MonkeyPatch.context() as small:
        small.setattr(follower_module, "PAGE", page)
        asyncio.run(follow_all())


@given(
    syncs=st.lists(SYNC, min_size=1, max_size=6),
    backup=st.integers(0, 5),
    again=st.lists(SYNC, max_size=2),
    page=st.integers(1, 4),
)
def test_a_restored_ledger_is_followed_correctly(syncs, backup, again, page):
    source = Source()
    followed = RegistryFollower(source, lambda: float(NOW))
    backups = [source.copy()]
    for sync in syncs:
        write(source, sync)
        backups.append(source.copy())

    async def follow_all():
        await followed.poll()
        source.restore(backups[min(backup, len(syncs))])
        await followed.poll()
        for sync in again:
            write(source, sync)
            await followed.poll()
        assert known(followed) == source.states[source.number]

    with pytest.MonkeyPatch.context() as small:
        small.setattr(follower_module, "PAGE", page)
        asyncio.run(follow_all())
