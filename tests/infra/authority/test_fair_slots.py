import pytest

from relay.infra.authority.fair_slots import FairSlots, QueueFull, Share

A, B, C = "operator-a", "operator-b", "operator-c"
PASSWORD, REFRESH, CODE = "password", "refresh_token", "authorization_code"


def fill(slots, share, most=1000):
    """Takes for a share until something waits; how many have a slot."""
    for number in range(most):
        if not slots.take(share, f"{share.operator}-{share.kind}-{number}"):
            return number
    raise AssertionError("nothing waits")


@pytest.mark.parametrize(("total", "quarter", "half"), [(128, 32, 64), (8, 2, 4), (2, 1, 1), (1, 1, 1)])
def test_a_share_holds_a_quarter_an_operator_half(total, quarter, half):
    slots = FairSlots(total, 100)
    assert fill(slots, Share(A, PASSWORD)) == quarter
    taken = [fill(slots, Share(A, kind)) for kind in (REFRESH, CODE)]
    assert quarter + sum(taken) == max(quarter, half)
    assert slots.taken == max(quarter, half)


def test_a_kind_holds_half_whoever_calls():
    slots = FairSlots(128, 1000)
    for operator in (A, B, C, "d"):
        fill(slots, Share(operator, PASSWORD))
    assert slots.taken == 64
    assert slots.take(Share(A, REFRESH), "at once")


def test_seven_hundred_calls_at_a_silent_certifier_leave_refreshes_alone():
    slots = FairSlots(128, 512)
    refused = 0
    for number in range(700):
        try:
            slots.take(Share(A, PASSWORD), number)
        except QueueFull:
            refused += 1
    assert (slots.taken, slots.queued, refused) == (32, 256, 412)
    assert all(slots.take(Share(B, REFRESH), number) for number in range(32))


def test_shares_take_turns():
    slots = FairSlots(1, 100)
    assert slots.take(Share(C, CODE), "first")
    for number in range(3):
        assert not slots.take(Share(A, REFRESH), f"a{number}")
    for number in range(2):
        assert not slots.take(Share(B, REFRESH), f"b{number}")
    order, share = [], Share(C, CODE)
    for _ in range(5):
        (item,) = slots.give_back(share)
        order.append(item)
        share = Share(A if item.startswith("a") else B, REFRESH)
    assert order == ["a0", "b0", "a1", "b1", "a2"]
    assert slots.give_back(share) == []
    assert (slots.taken, slots.queued) == (0, 0)


def test_a_call_is_passed_by_those_whose_share_has_room():
    slots = FairSlots(4, 100)
    assert slots.take(Share(A, PASSWORD), "a0")
    assert not slots.take(Share(A, PASSWORD), "a1")
    assert slots.take(Share(B, PASSWORD), "b0")
    assert not slots.take(Share(C, PASSWORD), "c0")
    assert slots.take(Share(C, REFRESH), "c1")
    assert slots.give_back(Share(C, REFRESH)) == []
    assert slots.give_back(Share(B, PASSWORD)) == ["c0"]
    assert slots.give_back(Share(A, PASSWORD)) == ["a1"]


def test_waiting_is_bounded_in_all_and_for_each_operator():
    slots = FairSlots(1, 4)
    slots.take(Share(C, CODE), "first")
    for operator in (A, B):
        slots.take(Share(operator, CODE), "1")
        slots.take(Share(operator, REFRESH), "2")
        with pytest.raises(QueueFull):
            slots.take(Share(operator, PASSWORD), "3")
    with pytest.raises(QueueFull):
        slots.take(Share(C, CODE), "4")


def test_what_is_withdrawn_leaves_nothing_behind():
    slots = FairSlots(1, 4)
    slots.take(Share(A, CODE), "first")
    slots.take(Share(A, CODE), "second")
    slots.withdraw(Share(A, CODE), "second")
    assert slots.give_back(Share(A, CODE)) == []
    assert (slots.taken, slots.queued) == (0, 0)
    assert slots.take(Share(B, CODE), "next")


def test_without_places_to_wait_the_next_is_refused():
    slots = FairSlots(1, 0)
    assert slots.take(Share(A, CODE), "first")
    with pytest.raises(QueueFull):
        slots.take(Share(B, CODE), "second")
