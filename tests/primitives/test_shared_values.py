"""Equal values become one object, and few are remembered."""

from hypothesis import given
from hypothesis import strategies as st

from relay.primitives.shared_values import SharedValues

VALUES = st.one_of(
    st.integers(0, 3), st.floats(0, 3, width=16), st.booleans(), st.text("ab", max_size=2), st.just(b"a")
)


def copy_of(text):
    return "".join(list(text))


def test_equal_values_are_one_object():
    shared = SharedValues(10)
    first = shared.share(copy_of("ZOPA000001"))
    assert shared.share(copy_of("ZOPA000001")) is first
    assert shared.share(copy_of("ZOPA000002")) is not first


@given(st.lists(VALUES))
def test_a_shared_value_equals_the_given_one(values):
    shared = SharedValues(4)
    for value in values:
        known = shared.share(value)
        assert (known, type(known)) == (value, type(value))


def test_values_of_other_types_are_others():
    shared = SharedValues(10)
    assert [type(shared.share(value)) for value in (1, True, 1.0)] == [int, bool, float]


def test_falsy_values_are_shared():
    shared = SharedValues(10)
    first = shared.share(frozenset())
    assert shared.share(frozenset()) is first
    assert (shared.share(""), shared.share(0.0)) == ("", 0.0)


def test_a_value_that_was_not_used_lately_is_forgotten():
    shared = SharedValues(4)
    first = shared.share(copy_of("rare"))
    for number in range(10):
        shared.share(f"value {number}")
    assert shared.share(copy_of("rare")) is not first
