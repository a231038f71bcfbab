"""A stranger and a thing that is not there are told apart."""

import pytest

from relay.sandbox.world.model import CUSTOMERS, Absent
from relay.sandbox.world.owned import owned, the_one


@pytest.fixture
def ask(teller):
    return teller("bank", CUSTOMERS[0]).ask("은행-001")


def test_a_customer_owns_what_stands_under_their_number(ask):
    assert owned({1: ("a", "b"), 2: ("c",)}, ask) == ("a", "b")


def test_a_stranger_is_no_customer(ask):
    with pytest.raises(Absent) as absent:
        owned({2: ("c",)}, ask)
    assert (absent.value.status, absent.value.rsp_code) == (404, "40403")


def test_the_first_thing_that_fits_is_the_one():
    assert the_one((3, 4, 5, 6), lambda number: number % 2 == 0) == 4


@pytest.mark.parametrize("things", [(), (1, 3)])
def test_where_nothing_fits_the_asset_is_absent(things):
    with pytest.raises(Absent) as absent:
        the_one(things, lambda number: number % 2 == 0)
    assert (absent.value.status, absent.value.rsp_code) == (404, "40402")
