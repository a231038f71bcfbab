"""Who a simulated institution is."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from mydata_sandbox.credentials.authority import CertificateFiles
from relay.domain.api import Api, Catalogue


@dataclass(frozen=True, slots=True)
class Institution:
    """A simulated institution with its bound socket and the base URL of its APIs, or the address of its core.

    `speaks` is `standard`, or what the relay converts. `left_out` are api_codes that it does not offer. `identity` is
    its server certificate, None on a line without TLS.
    """

    org_code: str
    name: str
    industry: str
    serial_num: str
    identity: CertificateFiles | None
    listener: socket.socket
    url: str
    speaks: str = "standard"
    left_out: tuple[str, ...] = ()

    @property
    def port(self) -> int:
        """The port of the socket."""
        return urlsplit(self.url).port or 0

    def iter_apis(self, catalogue: Catalogue) -> Iterator[Api]:
        """Yields the APIs of its industry that it offers."""
        return (api for api in catalogue.iter_apis(self.industry) if api.api_code not in self.left_out)
