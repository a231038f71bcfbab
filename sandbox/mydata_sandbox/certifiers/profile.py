"""Who the simulated certifiers are."""

import socket
from dataclasses import dataclass, field

from mydata_sandbox.certifiers.pki import CertifierPki
from mydata_sandbox.credentials.authority import CertificateFiles
from mydata_sandbox.sockets import build_url


@dataclass(frozen=True, slots=True)
class Certifiers:
    """Both certifiers (통합인증기관): PKI of one, client credentials of the other, and their bound sockets."""

    pki: CertifierPki
    client_id: str
    client_secret: str = field(repr=False)
    identity_listener: socket.socket
    signature_listener: socket.socket
    pair: CertificateFiles

    @property
    def signature(self) -> str:
        """The base URL of the 전자서명인증사업자."""
        return build_url(self.signature_listener)
