"""Who a simulated institution is."""

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from mydata_sandbox.credentials.authority import CertificateFiles


@dataclass(frozen=True, slots=True)
class Institution:
    """A simulated institution with its bound socket and the base URL of its APIs."""

    org_code: str
    name: str
    industry: str
    identity: CertificateFiles
    listener: socket.socket
    url: str

    @property
    def port(self) -> int:
        """The port of the socket."""
        return urlsplit(self.url).port or 0
