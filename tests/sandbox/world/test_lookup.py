"""Look-up of assets: unknown customers and unknown assets have different codes."""

import pytest
from mydata_sandbox.world.lookup import find_asset, get_owned
from mydata_sandbox.world.model import CUSTOMERS, ApiError


@pytest.fixture
def data_request(build_client):
    return build_client("bank", CUSTOMERS[0]).build_request("은행-001")


def test_assets_are_looked_up_by_customer_number(data_request):
    assert get_owned({1: ("a", "b"), 2: ("c",)}, data_request) == ("a", "b")


def test_an_unknown_customer_is_rejected(data_request):
    with pytest.raises(ApiError) as error:
        get_owned({2: ("c",)}, data_request)
    assert (error.value.status, error.value.rsp_code) == (404, "40403")


def test_the_first_matching_asset_is_returned():
    assert find_asset((3, 4, 5, 6), lambda number: number % 2 == 0) == 4


@pytest.mark.parametrize("assets", [(), (1, 3)])
def test_an_unknown_asset_is_rejected(assets):
    with pytest.raises(ApiError) as error:
        find_asset(assets, lambda number: number % 2 == 0)
    assert (error.value.status, error.value.rsp_code) == (404, "40402")
