import pytest
from pydantic import ValidationError

from relay.policy.settings.core import CoreSettings, split_address


def test_the_capacity_is_that_of_all_lines():
    core = CoreSettings(addresses=("core-1.example:9100", "core-2.example:9100"), lines=3, requests=4)
    assert core.capacity == 24


@pytest.mark.parametrize(
    ("address", "parts"),
    [("10.0.0.5:9100", ("10.0.0.5", 9100)), ("core.example:1", ("core.example", 1)), ("[::1]:65535", ("::1", 65535))],
)
def test_an_address_is_host_and_port(address, parts):
    assert CoreSettings(addresses=(address,)).addresses == (address,)
    assert split_address(address) == parts


@pytest.mark.parametrize("address", ["10.0.0.5", ":9100", "core:0", "core:65536", "::1:9100", "[zz]:1", "a b:1"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ValidationError):
        CoreSettings(addresses=(address,))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "listen: is missing, and addresses, too"),
        ({"addresses": ["core:1"], "listen": "0.0.0.0:1", "peers": ["10.0.0.0/8"]}, "listen: is set, and addresses"),
        ({"addresses": ["core:1", "CORE:1"]}, "addresses: has an address twice"),
        ({"listen": "0.0.0.0:1"}, "peers: is empty, but listen is set"),
        ({"addresses": ["core:1"], "peers": ["10.0.0.0/8"]}, "peers: is set, but listen is not"),
    ],
)
def test_lines_are_opened_by_one_side(values, words):
    with pytest.raises(ValidationError, match=words):
        CoreSettings.model_validate(values)


def test_the_lines_that_a_core_opens_are_bounded():
    assert CoreSettings(listen="0.0.0.0:9100", peers=("10.0.0.0/8",), lines=3).capacity == 3


@pytest.mark.parametrize("change", [{"lines": 0}, {"requests": 0}, {"answer_s": 0}, {"line": 1}])
def test_a_value_that_makes_no_line_is_refused(change):
    with pytest.raises(ValidationError):
        CoreSettings.model_validate({"addresses": ["core:1"], **change})
