"""The simulated UCPID service, called over a socket."""

import asyncio
import socket
from base64 import urlsafe_b64decode
from datetime import UTC, datetime

import pytest
from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from mydata_sandbox.certifiers.identity import (
    CP_CODE,
    OK,
    REFUSED,
    UNKNOWN,
    Refused,
    UcpidService,
    identity_certifier,
    open_signature,
)
from mydata_sandbox.certifiers.pki import make_certifier_pki
from mydata_sandbox.customer.signing import make_nonce, sign_person_info_req
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.model import CUSTOMERS

from relay.standard.ucpid import IspReqInfo, PersonInfo, UcpidRequest, UcpidResponse

BINARY = [pkcs7.PKCS7Options.Binary]


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return make_certifier_pki(tmp_path_factory.mktemp("pki"), datetime.now(UTC))


def signed_by(identity, content, *without):
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content)
    builder = builder.add_signer(identity.certificate, identity.private_key, hashes.SHA256())
    return builder.sign(Encoding.DER, [*BINARY, *without])


def request(pki, customer=CUSTOMERS[0], *, requester="ucpid-relay", signer=None, cp_code=CP_CODE, spoiled=False):
    requester_identity = pki.identity(requester)
    text = sign_person_info_req(signer or pki.customer(customer), make_nonce())
    document = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    info = IspReqInfo(
        {
            "version": 2,
            "nonce": b"n" * 16,
            "cp_request_number": "MD_1",
            "sealed_for": asn1_x509.Certificate.load(requester_identity.certificate.public_bytes(Encoding.DER)),
            "signed_person_info_req": cms.ContentInfo.load(document),
        }
    )
    content = cms.ContentInfo.load(signed_by(requester_identity, info.dump()))
    if spoiled:
        info["cp_request_number"] = "MD_2"
        content["content"]["encap_content_info"]["content"] = info.dump()
    fields = {"version": 2, "issuer_key_hash": b"hash", "cp_code": cp_code, "request": content}
    return UcpidRequest(fields).dump(force=spoiled)


@pytest.fixture
async def ask(pki):
    """Sends bytes to the service and reads until it closes the connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    async def send(message):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(message)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    async with identity_certifier(UcpidService.from_pki(pki), listener):
        yield send


async def response(ask, message):
    answer = await ask(len(message).to_bytes(4, "big") + message)
    assert int.from_bytes(answer[:4], "big") == len(answer) - 4
    return UcpidResponse.load(answer[4:], strict=True)


@pytest.mark.parametrize("customer", CUSTOMERS)
async def test_a_customer_is_identified_to_the_relay_only(ask, pki, customer):
    received = await response(ask, request(pki, customer))
    relay, service = pki.identity("ucpid-relay"), pki.identity("ucpid-responder")
    assert (received["status"]["code"].native, received["issuer_key_hash"].native) == (OK, b"hash")
    opened = pkcs7.pkcs7_decrypt_der(received["person"].untag().dump(), relay.certificate, relay.private_key, [])
    content, signer = open_signature(opened)
    person = PersonInfo.load(content, strict=True).native
    assert signer == service.certificate.public_bytes(Encoding.DER)
    assert (person["ci"], person["real_name"], person["cp_request_number"]) == (get_ci(customer), customer.name, "MD_1")
    assert (person["nonce"], person["cp_code"]) == (b"n" * 16, CP_CODE)


async def test_other_signers_of_requests_are_refused(ask, pki):
    received = await response(ask, request(pki, requester="customer-2"))
    assert (received["status"]["code"].native, received["person"].native) == (REFUSED, None)


async def test_another_cp_code_is_refused(ask, pki):
    assert (await response(ask, request(pki, cp_code="OTHER")))["status"]["code"].native == REFUSED


async def test_a_changed_request_is_refused(ask, pki):
    assert (await response(ask, request(pki, spoiled=True)))["status"]["code"].native == REFUSED


@pytest.mark.parametrize("part", ["NoCerts", "NoAttributes", "DetachedSignature"])
def test_a_signature_without_a_part_is_refused(pki, part):
    document = signed_by(pki.customer(CUSTOMERS[0]), b"content", pkcs7.PKCS7Options[part])
    with pytest.raises(Refused):
        open_signature(document)


def test_content_without_a_signature_is_refused():
    with pytest.raises(Refused):
        open_signature(cms.ContentInfo({"content_type": "data", "content": b"content"}).dump())


async def test_an_unsigned_request_is_refused(ask, pki):
    unsigned = UcpidRequest.load(request(pki))
    unsigned["request"] = cms.ContentInfo({"content_type": "data", "content": b"content"})
    assert (await response(ask, unsigned.dump()))["status"]["code"].native == REFUSED


async def test_a_certificate_of_another_ca_is_unknown(ask, pki, tmp_path):
    other_signer = make_certifier_pki(tmp_path, datetime.now(UTC)).customer(CUSTOMERS[0])
    assert (await response(ask, request(pki, signer=other_signer)))["status"]["code"].native == UNKNOWN


@pytest.mark.parametrize("message", [b"", b"\x00", b"\x00\x00\x00\x02\x05", b"\x00\x00\x00\x02\x05\x00", b"\xff" * 8])
async def test_an_invalid_request_gets_no_response(ask, message):
    try:
        answer = await ask(message)
    except ConnectionResetError:
        answer = b""
    assert answer == b""
