"""A pretended 인증서 본인확인기관: confirms over TCP whose certificate signed (UCPID), if the asking relay signed.

It reads signatures by its own few lines, not by the relay's, so that a mistake of one is not hidden by the other.
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

from relay.sandbox.certifier_papers import CertifierPapers, SigningIdentity
from relay.sandbox.customers import ci_of
from relay.sandbox.world.model import CUSTOMERS, Customer
from relay.standard.ucpid import OK, VERSION, IspReqInfo, PersonInfo, UcpidRequest, UcpidResponse

CP_CODE: Final = "SANDBOX00001"
"""The code under which the relay is known here."""

REFUSED: Final = 1
UNKNOWN: Final = 2
_LENGTH: Final = 4
_MOST: Final = 65_536
_SIGNED_ATTRIBUTES: Final = b"\x31"
_DIGEST: Final = "message_digest"
_NO_SIGNATURE: Final = (KeyError, IndexError, TypeError, AttributeError, StopIteration)
"""What reading raises where a part of a signature is not there."""


class Refused(Exception):
    """No answer but a status: who asks is not known, or what is asked makes no sense."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Who the desk is, whom it serves, and the customers by the certificates it gave them (DER)."""

    identity: SigningIdentity
    relay: x509.Certificate
    customers: Mapping[bytes, Customer]

    @classmethod
    def of(cls, papers: CertifierPapers) -> "Desk":
        """The desk of a sandbox's papers."""
        customers = {_der(papers.customer(customer).certificate): customer for customer in CUSTOMERS}
        return cls(papers.identity("ucpid-desk"), papers.identity("ucpid-relay").certificate, customers)

    def answer(self, message: bytes) -> bytes:
        """The UCPIDResponse to a UCPIDRequest, both DER. Raises ValueError when it is none."""
        request = UcpidRequest.load(message, strict=True)
        try:
            code, person = OK, self._person(request)
        except Refused:
            code, person = REFUSED, None
        except KeyError:
            code, person = UNKNOWN, None
        told: dict[str, Any] = {
            "version": VERSION,
            "issuer_key_hash": request["issuer_key_hash"],
            "status": {"code": code, "texts": ["ok" if code == OK else "refused"]},
        }
        if person is not None:
            told["person"] = cms.ContentInfo.load(person)
        found: bytes = UcpidResponse(told).dump()
        return found

    def _person(self, request: UcpidRequest) -> bytes:
        content, signer = opened_signature(request["request"].dump())
        info = IspReqInfo.load(content, strict=True)
        if signer != _der(self.relay) or info["sealed_for"].dump() != signer or request["cp_code"].native != CP_CODE:
            raise Refused
        _, customer = opened_signature(info["signed_person_info_req"].dump())
        return self._sealed(_told(info, self.customers[customer], customer))

    def _sealed(self, person: PersonInfo) -> bytes:
        builder = pkcs7.PKCS7SignatureBuilder().set_data(person.dump())
        builder = builder.add_signer(self.identity.certificate, self.identity.private_key, hashes.SHA256())
        signed = builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])
        envelope = pkcs7.PKCS7EnvelopeBuilder().set_data(signed).add_recipient(self.relay)
        return envelope.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])


@asynccontextmanager
async def identity_certifier(desk: Desk, door: socket.socket) -> AsyncIterator[None]:
    """The desk answers on `door`, a bound socket, until the block ends."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            length = int.from_bytes(await reader.readexactly(_LENGTH), "big")
            if length <= _MOST:
                answer = desk.answer(await reader.readexactly(length))
                writer.write(len(answer).to_bytes(_LENGTH, "big") + answer)
                await writer.drain()
        except (ValueError, EOFError, OSError):
            writer.transport.abort()  # who sends no request gets no answer
        finally:
            writer.close()

    server = await asyncio.start_server(served, sock=door)
    async with server:
        yield


def opened_signature(data: bytes) -> tuple[bytes, bytes]:
    """Content and signer's certificate (DER) of a CMS SignedData whose signature is good. Raises Refused."""
    try:
        signed = cms.ContentInfo.load(data)["content"]
        content: bytes = signed["encap_content_info"]["content"].contents
        info = signed["signer_infos"][0]
        serial = info["sid"].chosen["serial_number"].native
        signer: bytes = next(
            each.chosen for each in signed["certificates"] if each.chosen.serial_number == serial
        ).dump()
        digest = next(each["values"][0].native for each in info["signed_attrs"] if each["type"].native == _DIGEST)
        signature, under = info["signature"].native, _SIGNED_ATTRIBUTES + info["signed_attrs"].dump()[1:]
    except _NO_SIGNATURE:
        raise Refused from None
    key = x509.load_der_x509_certificate(signer).public_key()
    if not isinstance(key, rsa.RSAPublicKey) or digest != hashlib.sha256(content or b"").digest():
        raise Refused
    try:
        key.verify(signature, under, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise Refused from None
    return content, signer


def _told(info: IspReqInfo, customer: Customer, certificate: bytes) -> PersonInfo:
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
            "ci": ci_of(customer),
        }
    )


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
