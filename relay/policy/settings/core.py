"""The section of an institution's file about its core system (계정계), which speaks telegrams (전문)."""

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from relay.policy.settings.scalars import Seconds, Section

_ADDRESS = re.compile(r"(?:([A-Za-z0-9.-]+)|\[([0-9A-Fa-f:.]+)\]):([0-9]{1,5})")


def _check_address(value: str) -> str:
    match = _ADDRESS.fullmatch(value)
    if match is None or not 1 <= int(match[3]) <= 65535:  # noqa: PLR2004 - 16 bits
        raise ValueError("an address of a core is written HOST:PORT")
    if match[2] is not None:
        ipaddress.IPv6Address(match[2])
    return value


CoreAddress = Annotated[str, AfterValidator(_check_address), Field(description="HOST:PORT, for example 10.20.0.5:9100")]


class CoreSettings(Section):
    """Lines (회선) to a core that speaks telegrams. The adapter keeps `lines` connections open to each address.

    One line carries `requests` at once; more than one needs a unique number in the header. `answer_s` is how long a
    response may take, `test_s` how long a line is silent before it is tested.
    """

    addresses: Annotated[tuple[CoreAddress, ...], Field(min_length=1, max_length=16)]
    lines: Annotated[int, Field(ge=1, le=64)] = 2
    requests: Annotated[int, Field(ge=1, le=256)] = 1
    answer_s: Seconds = 10.0
    test_s: Seconds = 60.0

    @property
    def capacity(self) -> int:
        """How many requests all lines carry at once."""
        return len(self.addresses) * self.lines * self.requests


def split_address(address: str) -> tuple[str, int]:
    """Returns host and port of a CoreAddress."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
