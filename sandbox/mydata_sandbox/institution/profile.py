"""Who a simulated institution is."""

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mydata_sandbox.credentials.authority import CertificateFiles
from relay.domain.api import Api, Catalogue


@dataclass(frozen=True, slots=True)
class Institution:
    """A simulated institution with its bound socket and the base URL of its APIs, or the address of its core.

    `speaks` is `standard`, or what the relay converts. `left_out` are api_codes that it does not offer. `identity` is
    its server certificate, None on a line without TLS. `settings` are those of the file of an institution under
    development, which the sandbox does not serve; None for a simulated one.
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
    settings: Mapping[str, Any] | None = None

    @property
    def port(self) -> int:
        """The port of the socket."""
        return urlsplit(self.url).port or 0

    @property
    def authentication(self) -> str:
        """`authentication` of its settings file."""
        if self.settings is not None:
            return str(self.settings.get("authentication", "none"))
        return "hosted" if self.speaks == "standard" else "none"

    @property
    def has_login_pages(self) -> bool:
        """Whether the relay shows the login pages of its customers (`authentication: hosted`)."""
        return self.authentication == "hosted"

    @property
    def can_misbehave(self) -> bool:
        """Whether the sandbox serves it and failure rules apply to it: it is simulated and speaks the standard."""
        return self.settings is None and self.speaks == "standard"

    def iter_apis(self, catalogue: Catalogue) -> Iterator[Api]:
        """Yields the APIs of its industry that it offers."""
        return (api for api in catalogue.iter_apis(self.industry) if api.api_code not in self.left_out)
