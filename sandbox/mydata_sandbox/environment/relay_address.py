"""The address of a relay that is started by hand (`--relay URL`)."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from mydata_sandbox.parties import LOOPBACK

_HTTPS = 443
_ANY = "0.0.0.0"  # noqa: S104 - the listener of a relay that other machines call


def parse_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Returns the IP address that `host` is, None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class RelayAddress:
    """Where a relay listens, and the address at which it reaches the sandbox."""

    host: str
    port: int
    sandbox_address: str = LOOPBACK

    @classmethod
    def parse(cls, url: str, sandbox_address: str = LOOPBACK) -> Self:
        """Returns the address of `https://HOST[:PORT]`. Raises ValueError for another URL."""
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.path not in {"", "/"} or parts.query:
            raise ValueError(f"{url} is not https://HOST:PORT")
        try:
            port = _HTTPS if parts.port is None else parts.port
        except ValueError as error:
            raise ValueError(f"{url} has no port from 1 to 65535") from error
        if port == 0:
            raise ValueError(f"{url} has port 0: name the port at which the relay listens")
        if parse_address(sandbox_address) is None:
            raise ValueError(f"{sandbox_address} is not an IP address")
        return cls(parts.hostname, port, sandbox_address)

    @property
    def url(self) -> str:
        """The relay's base URL."""
        return f"https://{self._bracketed_host}:{self.port}"

    @property
    def listen(self) -> str:
        """The address of the relay's listeners in the example settings: loopback for a relay on loopback."""
        if self.host == "localhost":
            return LOOPBACK
        address = parse_address(self.host)
        return self.host if address is not None and address.is_loopback else _ANY

    def iter_addresses(self) -> Iterator[str]:
        """Yields the sandbox's and the relay's addresses that are not loopback. A host name is none."""
        for text in dict.fromkeys((self.sandbox_address, self.host)):
            if (address := parse_address(text)) is not None and not address.is_loopback:
                yield text

    def build_url(self, port: int) -> str:
        """Returns the base URL of another port of the relay's host."""
        return f"https://{self._bracketed_host}:{port}"

    def describe(self) -> dict[str, Any]:
        """Returns the members that the facts of a sandbox store."""
        return {"url": self.url, "sandbox_address": self.sandbox_address}

    @property
    def _bracketed_host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host
