import pytest

from relay.domain.queue_full import QueueFull
from relay.infra.authority.fair_permits import FairPermits, Share

A, B, C = "operator-a", "operator-b", "operator-c"
PASSWORD, REFRESH, CODE = "password", "refresh_token", "authorization_code"


def fill(permits, share, most=1000):
    """Take permits for a share until an item is queued. Returns the number of permits."""
    for number in range(most):
        if not permits.take(share, f"{share.operator}-{share.kind}-{number}"):
            return number
    raise AssertionError("no item was queued")


@pytest.mark.parametrize(("total", "quarter", "half"), [(128, 32, 64), (8, 2, 4), (2, 1, 1), (1, 1, 1)])
def test_a_share_holds_a_quarter_and_an_operator_half_of_the_permits(total, quarter, half):
    permits = FairPermits(total, 100)
    assert fill(permits, Share(A, PASSWORD)) == quarter
    counts = [fill(permits, Share(A, kind)) for kind in (REFRESH, CODE)]
    assert quarter + sum(counts) == max(quarter, half)
    assert permits.taken == max(quarter, half)


def test_a_kind_of_call_holds_half_of_the_permits():
    permits = FairPermits(128, 1000)
    for operator in (A, B, C, "d"):
        fill(permits, Share(operator, PASSWORD))
    assert permits.taken == 64
    assert permits.take(Share(A, REFRESH), "at once")


def test_slow_password_calls_leave_permits_to_token_refreshes():
    permits = FairPermits(128, 512)
    refused = 0
    for number in range(700):
        try:
            permits.take(Share(A, PASSWORD), number)
        except QueueFull:
            refused += 1
    assert (permits.taken, permits.queued, refused) == (32, 256, 412)
    assert all(permits.take(Share(B, REFRESH), number) for number in range(32))


def test_shares_get_free_permits_in_turn():
    permits = FairPermits(1, 100)
    assert permits.take(Share(C, CODE), "first")
    for number in range(3):
        assert not permits.take(Share(A, REFRESH), f"a{number}")
    for number in range(2):
        assert not permits.take(Share(B, REFRESH), f"b{number}")
    order, share = [], Share(C, CODE)
    for _ in range(5):
        (item,) = permits.release(share)
        order.append(item)
        share = Share(A if item.startswith("a") else B, REFRESH)
    assert order == ["a0", "b0", "a1", "b1", "a2"]
    assert permits.release(share) == []
    assert (permits.taken, permits.queued) == (0, 0)


def test_a_queued_call_is_overtaken_by_shares_below_their_limit():
    permits = FairPermits(4, 100)
    assert permits.take(Share(A, PASSWORD), "a0")
    assert not permits.take(Share(A, PASSWORD), "a1")
    assert permits.take(Share(B, PASSWORD), "b0")
    assert not permits.take(Share(C, PASSWORD), "c0")
    assert permits.take(Share(C, REFRESH), "c1")
    assert permits.release(Share(C, REFRESH)) == []
    assert permits.release(Share(B, PASSWORD)) == ["c0"]
    assert permits.release(Share(A, PASSWORD)) == ["a1"]


def test_the_queue_is_limited_in_all_and_for_each_operator():
    permits = FairPermits(1, 4)
    permits.take(Share(C, CODE), "first")
    for operator in (A, B):
        permits.take(Share(operator, CODE), "1")
        permits.take(Share(operator, REFRESH), "2")
        with pytest.raises(QueueFull):
            permits.take(Share(operator, PASSWORD), "3")
    with pytest.raises(QueueFull):
        permits.take(Share(C, CODE), "4")


def test_a_withdrawn_item_leaves_no_state():
    permits = FairPermits(1, 4)
    permits.take(Share(A, CODE), "first")
    permits.take(Share(A, CODE), "second")
    permits.withdraw(Share(A, CODE), "second")
    assert permits.release(Share(A, CODE)) == []
    assert (permits.taken, permits.queued) == (0, 0)
    assert permits.take(Share(B, CODE), "next")


def test_without_a_queue_the_next_call_is_refused():
    permits = FairPermits(1, 0)
    assert permits.take(Share(A, CODE), "first")
    with pytest.raises(QueueFull):
        permits.take(Share(B, CODE), "second")
