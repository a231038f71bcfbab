"""The section of an institution's file about its core system (계정계), which speaks telegrams (전문)."""

import ipaddress
import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from relay.policy.settings.scalars import Network, Seconds, Section, build_error

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
    """Lines (회선) to a core that speaks telegrams. The adapter keeps `lines` connections open to each of `addresses`.

    Or the core opens them: then the adapter listens at `listen`, for connections from `peers` only. One line carries
    `requests` at once; more than one needs a unique number in the header. `answer_s` is how long a response may take,
    `test_s` how long a line is silent before it is tested.
    """

    addresses: Annotated[tuple[CoreAddress, ...], Field(max_length=16)] = ()
    listen: CoreAddress | None = None
    peers: tuple[Network, ...] = ()
    lines: Annotated[int, Field(ge=1, le=64)] = 2
    requests: Annotated[int, Field(ge=1, le=256)] = 1
    answer_s: Seconds = 10.0
    test_s: Seconds = 60.0

    @property
    def capacity(self) -> int:
        """How many requests all lines carry at once."""
        return max(1, len(self.addresses)) * self.lines * self.requests

    @model_validator(mode="after")
    def _check_opening(self) -> Self:
        if bool(self.addresses) == (self.listen is not None):
            wrong = "is set, and addresses, too" if self.addresses else "is missing, and addresses, too"
            raise build_error("listen", wrong, "addresses to open lines, or listen for lines that the core opens")
        if len({address.lower() for address in self.addresses}) != len(self.addresses):
            raise build_error("addresses", "has an address twice", "each address once; `lines` is for more lines")
        if bool(self.peers) != (self.listen is not None):
            wrong = "is set, but listen is not" if self.peers else "is empty, but listen is set"
            raise build_error("peers", wrong, "the networks of the core, with listen only")
        return self


def split_address(address: str) -> tuple[str, int]:
    """Returns host and port of a CoreAddress."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
