import pytest

from relay.domain.queue_full import QueueFull
from relay.infra.authority.fair_slots import FairSlots, Share

A, B, C = "operator-a", "operator-b", "operator-c"
PASSWORD, REFRESH, CODE = "password", "refresh_token", "authorization_code"


def fill(slots, share, most=1000):
    """Take slots for a share until an item is queued. Returns the number of slots."""
    for number in range(most):
        if not slots.take(share, f"{share.operator}-{share.kind}-{number}"):
            return number
    raise AssertionError("no item was queued")


@pytest.mark.parametrize(("total", "quarter", "half"), [(128, 32, 64), (8, 2, 4), (2, 1, 1), (1, 1, 1)])
def test_a_share_holds_a_quarter_and_an_operator_half_of_the_slots(total, quarter, half):
    slots = FairSlots(total, 100)
    assert fill(slots, Share(A, PASSWORD)) == quarter
    counts = [fill(slots, Share(A, kind)) for kind in (REFRESH, CODE)]
    assert quarter + sum(counts) == max(quarter, half)
    assert slots.taken == max(quarter, half)


def test_a_kind_of_call_holds_half_of_the_slots():
    slots = FairSlots(128, 1000)
    for operator in (A, B, C, "d"):
        fill(slots, Share(operator, PASSWORD))
    assert slots.taken == 64
    assert slots.take(Share(A, REFRESH), "at once")


def test_slow_password_calls_leave_slots_to_token_refreshes():
    slots = FairSlots(128, 512)
    refused = 0
    for number in range(700):
        try:
            slots.take(Share(A, PASSWORD), number)
        except QueueFull:
            refused += 1
    assert (slots.taken, slots.queued, refused) == (32, 256, 412)
    assert all(slots.take(Share(B, REFRESH), number) for number in range(32))


def test_shares_get_free_slots_in_turn():
    slots = FairSlots(1, 100)
    assert slots.take(Share(C, CODE), "first")
    for number in range(3):
        assert not slots.take(Share(A, REFRESH), f"a{number}")
    for number in range(2):
        assert not slots.take(Share(B, REFRESH), f"b{number}")
    order, share = [], Share(C, CODE)
    for _ in range(5):
        (item,) = slots.release(share)
        order.append(item)
        share = Share(A if item.startswith("a") else B, REFRESH)
    assert order == ["a0", "b0", "a1", "b1", "a2"]
    assert slots.release(share) == []
    assert (slots.taken, slots.queued) == (0, 0)


def test_a_queued_call_is_overtaken_by_shares_below_their_limit():
    slots = FairSlots(4, 100)
    assert slots.take(Share(A, PASSWORD), "a0")
    assert not slots.take(Share(A, PASSWORD), "a1")
    assert slots.take(Share(B, PASSWORD), "b0")
    assert not slots.take(Share(C, PASSWORD), "c0")
    assert slots.take(Share(C, REFRESH), "c1")
    assert slots.release(Share(C, REFRESH)) == []
    assert slots.release(Share(B, PASSWORD)) == ["c0"]
    assert slots.release(Share(A, PASSWORD)) == ["a1"]


def test_the_queue_is_limited_in_all_and_for_each_operator():
    slots = FairSlots(1, 4)
    slots.take(Share(C, CODE), "first")
    for operator in (A, B):
        slots.take(Share(operator, CODE), "1")
        slots.take(Share(operator, REFRESH), "2")
        with pytest.raises(QueueFull):
            slots.take(Share(operator, PASSWORD), "3")
    with pytest.raises(QueueFull):
        slots.take(Share(C, CODE), "4")


def test_a_withdrawn_item_leaves_no_state():
    slots = FairSlots(1, 4)
    slots.take(Share(A, CODE), "first")
    slots.take(Share(A, CODE), "second")
    slots.withdraw(Share(A, CODE), "second")
    assert slots.release(Share(A, CODE)) == []
    assert (slots.taken, slots.queued) == (0, 0)
    assert slots.take(Share(B, CODE), "next")


def test_without_a_queue_the_next_call_is_refused():
    slots = FairSlots(1, 0)
    assert slots.take(Share(A, CODE), "first")
    with pytest.raises(QueueFull):
        slots.take(Share(B, CODE), "second")
