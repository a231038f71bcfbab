"""The pretended UCPID desk, asked over a socket by hand-made requests."""

import asyncio
import socket
from base64 import urlsafe_b64decode
from datetime import UTC, datetime

import pytest
from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from relay.sandbox.certifier_identity import (
    CP_CODE,
    OK,
    REFUSED,
    UNKNOWN,
    Desk,
    Refused,
    identity_certifier,
    open_signature,
)
from relay.sandbox.certifier_papers import make_certifier_papers
from relay.sandbox.customers import ci_of
from relay.sandbox.signing import make_nonce, sign_person_info_req
from relay.sandbox.world.model import CUSTOMERS
from relay.standard.ucpid import IspReqInfo, PersonInfo, UcpidRequest, UcpidResponse

BINARY = [pkcs7.PKCS7Options.Binary]


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    return make_certifier_papers(tmp_path_factory.mktemp("papers"), datetime.now(UTC))


def signed_by(identity, content, *without):
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content)
    builder = builder.add_signer(identity.certificate, identity.private_key, hashes.SHA256())
    return builder.sign(Encoding.DER, [*BINARY, *without])


def request(papers, customer=CUSTOMERS[0], *, asking="ucpid-relay", signer=None, cp_code=CP_CODE, spoiled=False):
    us = papers.identity(asking)
    text = sign_person_info_req(signer or papers.customer(customer), make_nonce())
    document = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    info = IspReqInfo(
        {
            "version": 2,
            "nonce": b"n" * 16,
            "cp_request_number": "MD_1",
            "sealed_for": asn1_x509.Certificate.load(us.certificate.public_bytes(Encoding.DER)),
            "signed_person_info_req": cms.ContentInfo.load(document),
        }
    )
    content = cms.ContentInfo.load(signed_by(us, info.dump()))
    if spoiled:
        info["cp_request_number"] = "MD_2"
        content["content"]["encap_content_info"]["content"] = info.dump()
    asked = {"version": 2, "issuer_key_hash": b"hash", "cp_code": cp_code, "request": content}
    return UcpidRequest(asked).dump(force=spoiled)


@pytest.fixture
async def ask(papers):
    """Sends bytes to the desk and reads until it hangs up."""
    door = socket.create_server(("127.0.0.1", 0))

    async def asked(message):
        reader, writer = await asyncio.open_connection(*door.getsockname())
        writer.write(message)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    async with identity_certifier(Desk.of(papers), door):
        yield asked


async def response(ask, message):
    answer = await ask(len(message).to_bytes(4, "big") + message)
    assert int.from_bytes(answer[:4], "big") == len(answer) - 4
    return UcpidResponse.load(answer[4:], strict=True)


@pytest.mark.parametrize("customer", CUSTOMERS)
async def test_a_customer_is_identified_to_the_relay_only(ask, papers, customer):
    found = await response(ask, request(papers, customer))
    us, desk = papers.identity("ucpid-relay"), papers.identity("ucpid-desk")
    assert (found["status"]["code"].native, found["issuer_key_hash"].native) == (OK, b"hash")
    opened = pkcs7.pkcs7_decrypt_der(found["person"].untag().dump(), us.certificate, us.private_key, [])
    content, signer = open_signature(opened)
    person = PersonInfo.load(content, strict=True).native
    assert signer == desk.certificate.public_bytes(Encoding.DER)
    assert (person["ci"], person["real_name"], person["cp_request_number"]) == (ci_of(customer), customer.name, "MD_1")
    assert (person["nonce"], person["cp_code"]) == (b"n" * 16, CP_CODE)


async def test_other_signers_of_requests_are_refused(ask, papers):
    found = await response(ask, request(papers, asking="customer-2"))
    assert (found["status"]["code"].native, found["person"].native) == (REFUSED, None)


async def test_another_cp_code_is_refused(ask, papers):
    assert (await response(ask, request(papers, cp_code="OTHER")))["status"]["code"].native == REFUSED


async def test_a_changed_request_is_refused(ask, papers):
    assert (await response(ask, request(papers, spoiled=True)))["status"]["code"].native == REFUSED


@pytest.mark.parametrize("part", ["NoCerts", "NoAttributes", "DetachedSignature"])
def test_a_signature_without_a_part_is_refused(papers, part):
    document = signed_by(papers.customer(CUSTOMERS[0]), b"content", pkcs7.PKCS7Options[part])
    with pytest.raises(Refused):
        open_signature(document)


def test_content_without_a_signature_is_refused():
    with pytest.raises(Refused):
        open_signature(cms.ContentInfo({"content_type": "data", "content": b"content"}).dump())


async def test_an_unsigned_request_is_refused(ask, papers):
    unsigned = UcpidRequest.load(request(papers))
    unsigned["request"] = cms.ContentInfo({"content_type": "data", "content": b"content"})
    assert (await response(ask, unsigned.dump()))["status"]["code"].native == REFUSED


async def test_a_certificate_of_another_ca_is_unknown(ask, papers, tmp_path):
    stranger = make_certifier_papers(tmp_path, datetime.now(UTC)).customer(CUSTOMERS[0])
    assert (await response(ask, request(papers, signer=stranger)))["status"]["code"].native == UNKNOWN


@pytest.mark.parametrize("message", [b"", b"\x00", b"\x00\x00\x00\x02\x05", b"\x00\x00\x00\x02\x05\x00", b"\xff" * 8])
async def test_an_invalid_request_gets_no_response(ask, message):
    try:
        answer = await ask(message)
    except ConnectionResetError:
        answer = b""
    assert answer == b""
