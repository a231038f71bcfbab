"""A simulated 인증서 본인확인기관: identifies over TCP the owner of a signing certificate (UCPID).

It verifies signatures with its own code, not the relay's, so that a mistake in one is not hidden by the other.
"""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from mydata_sandbox.certifiers.pki import CertifierPki, SigningIdentity
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.model import CUSTOMERS, Customer
from relay.standard.ucpid import OK, VERSION, IspReqInfo, PersonInfo, UcpidRequest, UcpidResponse

CP_CODE: Final = "SANDBOX00001"
"""The relay's cp_code at this certifier."""

REFUSED: Final = 1
UNKNOWN: Final = 2
_LENGTH: Final = 4
_MAX_BYTES: Final = 65_536
_SIGNED_ATTRIBUTES: Final = b"\x31"
_DIGEST: Final = "message_digest"
_NO_SIGNATURE: Final = (KeyError, IndexError, TypeError, AttributeError, StopIteration)
"""Exceptions that a missing part of a signature raises."""


class Refused(Exception):
    """The requester is unknown or the request is invalid. The response has a status and no person."""


@dataclass(frozen=True, slots=True)
class UcpidService:
    """The UCPID service: its identity, the relay's certificate, and customers by their certificates (DER)."""

    identity: SigningIdentity
    relay: x509.Certificate
    customers: Mapping[bytes, Customer]

    @classmethod
    def from_pki(cls, pki: CertifierPki) -> "UcpidService":
        """Creates the service from the certificates of a sandbox."""
        customers = {_der(pki.customer(customer).certificate): customer for customer in CUSTOMERS}
        return cls(pki.identity("ucpid-responder"), pki.identity("ucpid-relay").certificate, customers)

    def answer(self, message: bytes) -> bytes:
        """Returns the UCPIDResponse to a UCPIDRequest, both DER. Raises ValueError for an invalid request."""
        request = UcpidRequest.load(message, strict=True)
        try:
            code, person = OK, self._build_person(request)
        except Refused:
            code, person = REFUSED, None
        except KeyError:
            code, person = UNKNOWN, None
        fields: dict[str, Any] = {
            "version": VERSION,
            "issuer_key_hash": request["issuer_key_hash"],
            "status": {"code": code, "texts": ["ok" if code == OK else "refused"]},
        }
        if person is not None:
            fields["person"] = cms.ContentInfo.load(person)
        response: bytes = UcpidResponse(fields).dump()
        return response

    def _build_person(self, request: UcpidRequest) -> bytes:
        content, signer = open_signature(request["request"].dump())
        info = IspReqInfo.load(content, strict=True)
        if signer != _der(self.relay) or info["sealed_for"].dump() != signer or request["cp_code"].native != CP_CODE:
            raise Refused
        _, customer = open_signature(info["signed_person_info_req"].dump())
        return self._encrypt(_build_person_info(info, self.customers[customer], customer))

    def _encrypt(self, person: PersonInfo) -> bytes:
        builder = pkcs7.PKCS7SignatureBuilder().set_data(person.dump())
        builder = builder.add_signer(self.identity.certificate, self.identity.private_key, hashes.SHA256())
        signed = builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])
        envelope = pkcs7.PKCS7EnvelopeBuilder().set_data(signed).add_recipient(self.relay)
        return envelope.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])


@asynccontextmanager
async def identity_certifier(service: UcpidService, listener: socket.socket) -> AsyncIterator[None]:
    """Serves `service` on `listener`, a bound socket, until the block ends."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            length = int.from_bytes(await reader.readexactly(_LENGTH), "big")
            if length <= _MAX_BYTES:
                answer = service.answer(await reader.readexactly(length))
                writer.write(len(answer).to_bytes(_LENGTH, "big") + answer)
                await writer.drain()
        except (ValueError, EOFError, OSError):
            writer.transport.abort()  # an invalid request gets no response
        finally:
            writer.close()

    server = await asyncio.start_server(handle, sock=listener)
    async with server:
        yield


def open_signature(data: bytes) -> tuple[bytes, bytes]:
    """Returns content and signer's certificate (DER) of a CMS SignedData. Raises Refused for an invalid one."""
    try:
        signed = cms.ContentInfo.load(data)["content"]
        content: bytes = signed["encap_content_info"]["content"].contents
        info = signed["signer_infos"][0]
        serial = info["sid"].chosen["serial_number"].native
        signer: bytes = next(
            item.chosen for item in signed["certificates"] if item.chosen.serial_number == serial
        ).dump()
        digest = next(item["values"][0].native for item in info["signed_attrs"] if item["type"].native == _DIGEST)
        signature, signed_bytes = info["signature"].native, _SIGNED_ATTRIBUTES + info["signed_attrs"].dump()[1:]
    except _NO_SIGNATURE:
        raise Refused from None
    key = x509.load_der_x509_certificate(signer).public_key()
    if not isinstance(key, rsa.RSAPublicKey) or digest != hashlib.sha256(content or b"").digest():
        raise Refused
    try:
        key.verify(signature, signed_bytes, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise Refused from None
    return content, signer


def _build_person_info(info: IspReqInfo, customer: Customer, certificate: bytes) -> PersonInfo:
    return PersonInfo(
        {
            "version": VERSION,
            "nonce": info["nonce"],
            "cp_request_number": info["cp_request_number"],
            "cert_dn": asn1_x509.Certificate.load(certificate).subject,
            "cp_code": CP_CODE,
            "real_name": customer.name,
            "birth_date": customer.born.strftime("%Y%m%d"),
            "ci_update": 1,
            "ci": get_ci(customer),
        }
    )


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
