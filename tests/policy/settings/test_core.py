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


@pytest.mark.parametrize("change", [{"addresses": ()}, {"lines": 0}, {"requests": 0}, {"answer_s": 0}, {"line": 1}])
def test_a_value_that_makes_no_line_is_refused(change):
    with pytest.raises(ValidationError):
        CoreSettings.model_validate({"addresses": ["core:1"], **change})
