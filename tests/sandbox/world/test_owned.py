"""A stranger and a thing that is not there are told apart."""

import pytest

from relay.sandbox.world.model import CUSTOMERS, Absent
from relay.sandbox.world.owned import find_asset, get_owned


@pytest.fixture
def data_request(build_client):
    return build_client("bank", CUSTOMERS[0]).build_request("은행-001")


def test_a_customer_owns_what_stands_under_their_number(data_request):
    assert get_owned({1: ("a", "b"), 2: ("c",)}, data_request) == ("a", "b")


def test_a_stranger_is_no_customer(data_request):
    with pytest.raises(Absent) as absent:
        get_owned({2: ("c",)}, data_request)
    assert (absent.value.status, absent.value.rsp_code) == (404, "40403")


def test_the_first_thing_that_fits_is_the_one():
    assert find_asset((3, 4, 5, 6), lambda number: number % 2 == 0) == 4


@pytest.mark.parametrize("things", [(), (1, 3)])
def test_where_nothing_fits_the_asset_is_absent(things):
    with pytest.raises(Absent) as absent:
        find_asset(things, lambda number: number % 2 == 0)
    assert (absent.value.status, absent.value.rsp_code) == (404, "40402")
