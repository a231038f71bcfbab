"""Gateways share the digests of scheduled transfers through the ledger; without it they go on."""

import asyncio

import pytest

from relay.domain.fault import Refusal
from relay.domain.korea import WEEK_S
from relay.domain.ledger import TRANSFER_ROWS, LedgerDown
from relay.infra.transfers import weekly_transfers
from relay.infra.transfers.weekly_transfers import WeeklyTransfers

NOON = 1_795_575_600.0
"""Wednesday, 25 November 2026, 12:00 in Korea."""
WEEK = 1_795_273_200
KEY, FORMER_KEY = b"1" * 32, b"2" * 32
ONE, TWO = b"the one", b"another"


class Store:
    """Digests in memory; `errors` are raised by the next calls, one by each."""

    def __init__(self):
        self.rows, self.errors, self.reads = [], [], 0

    async def add(self, week, digests, _now):
        self._fail()
        self.rows.append((week, b"".join(digests)))

    async def list_after(self, number, week):
        self.reads += 1
        self._fail()
        later = [row for row in self.rows[number:][:TRANSFER_ROWS] if row[0] >= week]
        return min(len(self.rows), number + TRANSFER_ROWS) if number <= len(self.rows) else len(self.rows), later

    def _fail(self):
        if self.errors:
            raise self.errors.pop(0)


class Gateway:
    """The transfers of one gateway. `transfers` follows the store only in `follow_once`."""

    def __init__(self, store, clock, keys=(KEY,)):
        self.is_on, self.now, self.clock = True, NOON, clock
        self.transfers = WeeklyTransfers(store, keys, lambda: self.is_on, lambda: self.now, clock)

    def begin(self, description=ONE, *, is_continuation=False):
        """Returns the transfer of a call, None if it is refused."""
        try:
            return self.transfers.begin(description, self.now, is_continuation=is_continuation)
        except Refusal:
            return None

    async def serve(self, description=ONE, *, page=1, pages=1, unsent=lambda: 0):
        """Serves a page with a success. Returns whether the call was allowed."""
        transfer = self.begin(description, is_continuation=page > 1)
        if transfer is not None:
            self.transfers.complete(transfer, unsent, is_last=page == pages)
            await asyncio.sleep(0)
        return transfer is not None

    async def follow_once(self):
        """Saves and reads once."""
        self.clock.now += 1
        await self.transfers.settle()

    @property
    def gauges(self):
        return {name.removeprefix("relay_transfers_"): value for name, value in self.transfers.gauges().items()}


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def gateway(store, clock):
    return Gateway(store, clock)


@pytest.fixture
def other(store, clock):
    return Gateway(store, clock)


async def test_a_transfer_is_refused_at_once_where_it_was_made(gateway):
    assert [await gateway.serve(), await gateway.serve(), await gateway.serve(TWO)] == [True, False, True]


async def test_a_transfer_is_refused_by_the_others_once_they_heard_of_it(gateway, other):
    await gateway.serve()
    await gateway.follow_once()
    await other.follow_once()
    assert not await other.serve()
    assert other.gauges == {"known": 1, "waiting": 0, "lost": 0}


async def test_a_gateway_that_starts_knows_this_weeks_transfers(gateway, other):
    for number in range(3):
        await gateway.serve(b"%d" % number)
        await gateway.follow_once()
    await other.transfers.start()
    assert [other.begin(b"%d" % number) for number in range(3)] == [None] * 3


async def test_many_rows_are_read_at_the_start(store, clock, gateway, monkeypatch):
    monkeypatch.setattr(weekly_transfers, "TRANSFER_ROWS", 2)
    monkeypatch.setitem(Store.list_after.__globals__, "TRANSFER_ROWS", 2)
    store.rows = [(WEEK, bytes([number]) * 16) for number in range(5)]
    await gateway.transfers.start()
    assert gateway.gauges["known"] == 5


async def test_the_ledger_keeps_no_account(gateway, store):
    await gateway.serve(b"110-222-333333")
    await gateway.follow_once()
    assert [(week, len(digests)) for week, digests in store.rows] == [(WEEK, 16)]
    assert b"110" not in store.rows[0][1]


async def test_a_digest_under_a_former_key_is_recognized(gateway, store, clock):
    former = Gateway(store, clock, keys=(FORMER_KEY, KEY))
    await former.serve()
    await former.follow_once()
    now = Gateway(store, clock, keys=(KEY, FORMER_KEY))
    await now.transfers.start()
    assert now.begin() is None


class TestSending:
    async def test_a_response_that_is_not_sent_yet_makes_no_transfer(self, gateway):
        unsent = [7]
        await gateway.serve(unsent=lambda: unsent[0])
        assert await gateway.serve(unsent=lambda: 1)
        unsent[0] = 0
        await gateway.follow_once()
        assert gateway.begin() is None

    async def test_a_lost_connection_makes_no_transfer(self, gateway):
        await gateway.serve(unsent=lambda: None)
        await gateway.follow_once()
        assert await gateway.serve()

    async def test_unsent_responses_are_bounded(self, gateway, monkeypatch):
        monkeypatch.setattr(weekly_transfers, "MAX_UNSENT", 1)
        await gateway.serve(unsent=lambda: 1)
        await gateway.serve(TWO)
        assert gateway.gauges["lost"] == 1
        assert gateway.begin(TWO) is not None


class TestOutages:
    @pytest.mark.parametrize("error", [LedgerDown(), TimeoutError(), RuntimeError()])
    async def test_digests_are_saved_once_the_ledger_is_back(self, gateway, other, store, error):
        store.errors = [error]
        await gateway.serve()
        await gateway.follow_once()
        assert gateway.gauges["waiting"] == 1
        assert gateway.begin() is None
        await gateway.follow_once()
        await other.follow_once()
        assert (gateway.gauges["waiting"], other.begin()) == (0, None)

    async def test_an_unexpected_error_is_logged_once(self, gateway, store, caplog):
        store.errors = [RuntimeError("a value"), RuntimeError("a value"), LedgerDown()]
        for _ in range(4):
            await gateway.follow_once()
        assert [record.getMessage() for record in caplog.records] == [
            "scheduled transfers not shared: reason=RuntimeError"
        ]

    async def test_a_stop_without_the_ledger_tells_what_is_lost(self, gateway, store, caplog):
        await gateway.serve()
        store.errors = [LedgerDown()]
        await gateway.transfers.settle()
        assert caplog.messages == ["scheduled transfers not stored, they may be repeated: count=1"]
        await gateway.transfers.settle()
        assert len(caplog.messages) == len(store.rows) == 1

    @pytest.mark.parametrize("error", [LedgerDown(), TimeoutError()])
    async def test_a_start_without_the_ledger_fails(self, gateway, store, error):
        store.errors = [error]
        with pytest.raises(LedgerDown):
            await gateway.transfers.start()

    async def test_a_restored_ledger_is_read_anew(self, gateway, other, store):
        await gateway.serve()
        await gateway.follow_once()
        await other.follow_once()
        store.rows = []
        await other.follow_once()
        await gateway.serve(TWO)
        await gateway.follow_once()
        await other.follow_once()
        assert [other.begin(), other.begin(TWO)] == [None, None]


class TestWeeks:
    async def test_the_next_week_allows_the_transfer_again(self, gateway, other):
        await gateway.serve()
        await gateway.follow_once()
        for each in (gateway, other):
            each.now += WEEK_S
            await each.follow_once()
        assert (gateway.gauges["known"], await other.serve()) == (0, True)

    async def test_pages_through_two_gateways_are_one_transfer(self, gateway, other):
        await gateway.serve(page=1, pages=2)
        await other.serve(page=2, pages=2)
        for each in (gateway, other, gateway):
            await each.follow_once()
        assert [gateway.begin(), other.begin()] == [None, None]


async def test_a_quota_that_is_off_leaves_the_ledger_alone(gateway, store):
    gateway.is_on = False
    await gateway.transfers.start()
    await gateway.follow_once()
    assert store.reads == 0
    gateway.is_on = True
    await gateway.follow_once()
    assert store.reads == 1


async def test_a_follower_saves_and_reads_until_it_is_stopped(gateway, store, clock):
    stop = asyncio.Event()
    following = asyncio.ensure_future(gateway.transfers.follow(0.001, stop))
    await gateway.serve()
    async with asyncio.timeout(20):
        while not store.rows or not store.reads:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.001)
        stop.set()
        await following
