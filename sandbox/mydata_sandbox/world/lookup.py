"""Look-up of a customer's own assets."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from mydata_sandbox.world.model import ApiError, DataRequest

T = TypeVar("T")


def get_owned(table: Mapping[int, tuple[T, ...]], request: DataRequest) -> tuple[T, ...]:
    """Returns the assets of the customer. Raises ApiError (40403) for an unknown customer."""
    try:
        return table[request.customer.number]
    except KeyError as error:
        raise ApiError(404, "40403", "정보주체(고객) 미존재") from error


def find_asset(assets: tuple[T, ...], matches: Callable[[T], bool]) -> T:
    """Returns the first matching asset. Raises ApiError (40402) if there is none."""
    asset = next((candidate for candidate in assets if matches(candidate)), None)
    if asset is None:
        raise ApiError(404, "40402", "요청한 정보(자산)에 대한 정보 미존재")
    return asset
