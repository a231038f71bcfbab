"""A scheduled transfer is made once a week, and never refused unless it was served."""

import pytest

from relay.domain.fault import Refusal
from relay.domain.korea import DAY_S, WEEK_S
from relay.domain.quota import Transfer
from relay.policy.quota import weekly_quota
from relay.policy.quota.weekly_quota import START_S, WeeklyQuota, compute_digest

SUNDAY = 1_795_273_200
"""22 November 2026, 00:00 in Korea."""
NOON = SUNDAY + 3 * DAY_S + 43_200
DIGEST, OTHER = compute_digest(b"key", b"one"), compute_digest(b"key", b"two")


class Gateway:
    """The digests of one gateway, and its calls."""

    def __init__(self, now=NOON, **limits):
        self.digests = WeeklyQuota(now, **limits)
        self.now = now
        self.monotonic = 100.0

    def call(self, *, page=1, digest=DIGEST):
        """Judges a call. Returns its transfer, None if it is refused."""
        try:
            week = self.digests.check([digest], self.now)
        except Refusal as refusal:
            self.refusal = refusal
            return None
        return Transfer(digest, week, page > 1)

    def serve(self, *, page=1, pages=1, digest=DIGEST):
        """Serves a page with a success. Returns whether the call was allowed."""
        transfer = self.call(page=page, digest=digest)
        if transfer is not None:
            self.complete(transfer, is_last=page == pages)
        return transfer is not None

    def complete(self, transfer, *, is_last=True):
        self.digests.complete(transfer, self.monotonic, is_last=is_last)

    def move_to(self, now):
        self.now = now
        self.digests.advance(now)

    def share_with(self, other):
        """Gives all digests that are not shared yet to another gateway."""
        while (unsaved := self.digests.get_unsaved()) is not None:
            other.digests.add(unsaved[0], b"".join(unsaved[1]))
            self.digests.confirm(unsaved[0], len(unsaved[1]))
        other.digests.decide(other.monotonic)


@pytest.fixture
def gateway():
    return Gateway()


def test_a_second_transfer_in_a_week_is_refused(gateway):
    assert [gateway.serve(), gateway.serve()] == [True, False]
    assert (gateway.refusal.fault.name, gateway.refusal.fault.rsp_code) == ("weekly_quota", "42901")


def test_other_transfers_are_not_affected(gateway):
    gateway.serve()
    assert gateway.serve(digest=OTHER)


def test_a_call_may_be_repeated_until_one_success(gateway):
    assert [gateway.call() is not None for _ in range(3)] == [True] * 3  # all failed
    assert [gateway.serve(), gateway.serve()] == [True, False]


def test_calls_in_flight_are_completed(gateway):
    first, second = gateway.call(), gateway.call()
    gateway.complete(first)
    gateway.complete(second)
    assert gateway.call() is None
    assert gateway.digests.waiting == 1


@pytest.mark.parametrize("now", [SUNDAY, SUNDAY + 0.5, NOON, SUNDAY + WEEK_S - 0.25])
def test_retry_after_ends_when_the_next_week_begins(now):
    gateway = Gateway(now)
    gateway.serve()
    assert gateway.call() is None
    assert now + gateway.refusal.retry_after == SUNDAY + WEEK_S
    gateway.move_to(SUNDAY + WEEK_S)
    assert gateway.serve()


def test_a_call_judged_before_sunday_counts_for_its_week():
    gateway = Gateway(SUNDAY + WEEK_S - 1)
    transfer = gateway.call()
    gateway.move_to(SUNDAY + WEEK_S)
    gateway.complete(transfer)
    assert gateway.serve()


class TestPages:
    def test_the_pages_of_a_transfer_belong_together(self, gateway):
        assert all(gateway.serve(page=page, pages=3) for page in (1, 2, 3))
        assert not any(gateway.serve(page=page, pages=3) for page in (1, 2, 3))

    def test_each_page_may_be_repeated_until_the_last_was_served(self, gateway):
        assert all(gateway.serve(page=page, pages=3) for page in (1, 1, 2, 2, 1, 2, 3))
        assert gateway.digests.waiting == 2  # that it began, that it was made

    def test_a_transfer_that_stopped_may_begin_again(self, gateway):
        assert all(gateway.serve(page=page, pages=9) for page in (1, 2, 3, 1, 2))

    def test_a_transfer_that_crosses_the_weeks_end_is_completed(self):
        gateway = Gateway(SUNDAY + WEEK_S - 1)
        assert gateway.serve(page=1, pages=3)
        gateway.move_to(SUNDAY + WEEK_S + 1)
        assert gateway.serve(page=2, pages=3)
        assert gateway.serve(page=3, pages=3)
        gateway.digests.decide(gateway.monotonic + 2 * START_S)
        assert [gateway.serve(page=page, pages=2) for page in (1, 2, 1)] == [True, True, False]

    def test_a_page_of_a_transfer_that_never_began_makes_nothing(self, gateway):
        assert gateway.serve(page=7, pages=7)
        gateway.digests.decide(gateway.monotonic + 2 * START_S)
        gateway.serve(page=1, pages=2)
        assert gateway.call() is not None

    def test_pages_may_come_through_several_gateways(self, gateway):
        other = Gateway()
        gateway.serve(page=1, pages=2)
        other.serve(page=2, pages=2)
        assert other.call() is not None  # whether it began this week is not known yet
        gateway.share_with(other)
        assert other.call() is None
        other.share_with(gateway)
        assert gateway.call() is None

    def test_a_beginning_that_is_heard_of_too_late_makes_nothing(self, gateway):
        other = Gateway()
        gateway.serve(page=1, pages=2)
        other.serve(page=2, pages=2)
        other.monotonic += START_S
        other.digests.decide(other.monotonic)
        gateway.share_with(other)
        assert other.call() is not None


class TestSharing:
    def test_a_digest_of_another_gateway_refuses(self, gateway):
        other = Gateway()
        gateway.serve()
        gateway.share_with(other)
        assert other.call() is None
        assert (gateway.digests.waiting, other.digests.waiting) == (0, 0)

    def test_a_gateway_whose_clock_is_behind_learns_of_the_next_week(self):
        ahead, behind = Gateway(SUNDAY + WEEK_S), Gateway(SUNDAY + WEEK_S - 1)
        ahead.serve()
        ahead.share_with(behind)
        assert behind.call() is not None
        behind.move_to(SUNDAY + WEEK_S)
        assert behind.call() is None

    @pytest.mark.parametrize("week", [SUNDAY - WEEK_S, SUNDAY + 2 * WEEK_S, 0])
    def test_digests_of_other_weeks_are_not_kept(self, gateway, week):
        gateway.digests.add(week, DIGEST)
        assert len(gateway.digests) == 0

    def test_digests_are_shared_in_batches(self, gateway):
        count = 2 * weekly_quota.BATCH + 1
        for number in range(count):
            gateway.serve(digest=compute_digest(b"key", b"%d" % number))
        sizes = []
        while (unsaved := gateway.digests.get_unsaved()) is not None:
            sizes.append(len(unsaved[1]))
            gateway.digests.confirm(unsaved[0], len(unsaved[1]))
        assert sizes == [weekly_quota.BATCH, weekly_quota.BATCH, 1]
        assert gateway.digests.waiting == 0

    def test_a_digest_that_came_meanwhile_is_not_confirmed(self, gateway):
        gateway.serve()
        week, digests = gateway.digests.get_unsaved()
        gateway.serve(digest=OTHER)
        gateway.digests.confirm(week, len(digests))
        assert gateway.digests.get_unsaved() == (week, [OTHER])

    def test_digests_of_two_weeks_are_shared_apart(self):
        gateway = Gateway(SUNDAY + WEEK_S - 1)
        gateway.serve()
        gateway.move_to(SUNDAY + WEEK_S)
        gateway.serve()
        week, digests = gateway.digests.get_unsaved()
        assert (week, digests) == (SUNDAY, [DIGEST])
        gateway.digests.confirm(week, 1)
        assert gateway.digests.get_unsaved() == (SUNDAY + WEEK_S, [DIGEST])


class TestBounds:
    def test_digests_beyond_the_queue_are_known_here_alone(self):
        gateway = Gateway(max_unsaved=1)
        gateway.serve()
        gateway.serve(digest=OTHER)
        assert (gateway.digests.waiting, gateway.digests.lost) == (1, 1)
        assert gateway.call(digest=OTHER) is None

    def test_a_digest_beyond_the_memory_allows_a_repeat(self):
        gateway = Gateway(max_digests=1)
        gateway.serve()
        gateway.serve(digest=OTHER)
        assert gateway.digests.lost == 1
        assert gateway.call(digest=OTHER) is not None
        assert gateway.call() is None

    def test_undecided_pages_are_bounded(self, gateway, monkeypatch):
        monkeypatch.setattr(weekly_quota, "MAX_UNDECIDED", 1)
        gateway.serve(page=2, pages=2)
        gateway.serve(page=2, pages=2, digest=OTHER)
        assert gateway.digests.lost == 1

    def test_a_former_week_is_forgotten(self, gateway):
        gateway.serve()
        gateway.move_to(NOON + WEEK_S)
        assert len(gateway.digests) == 0

    def test_a_clock_that_is_set_back_allows_a_repeat_at_most(self, gateway):
        gateway.serve()
        gateway.move_to(NOON + WEEK_S)
        gateway.serve()
        gateway.move_to(NOON)
        assert gateway.serve()
        gateway.move_to(NOON + WEEK_S)
        assert not gateway.serve()


def test_digests_depend_on_their_key_and_show_no_account():
    assert compute_digest(b"key", b"110-222") != compute_digest(b"yek", b"110-222")
    assert len(compute_digest(b"key", b"110-222")) == 16


def test_a_digest_of_a_former_key_refuses_too(gateway):
    gateway.serve(digest=OTHER)
    with pytest.raises(Refusal):
        gateway.digests.check([DIGEST, OTHER], NOON)
