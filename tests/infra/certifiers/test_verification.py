"""Whole verifications against both simulated certifiers, over real sockets."""

import asyncio
import socket
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from cryptography import x509
from mydata_sandbox.certifiers.identity import CP_CODE, UcpidService, identity_certifier
from mydata_sandbox.certifiers.pki import make_certifier_pki
from mydata_sandbox.certifiers.signature import SignatureCertifier
from mydata_sandbox.customer.signing import ConsentTerms, Parties, build_certificate_form, demand
from mydata_sandbox.parties import IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.model import CUSTOMERS

from relay.domain.authorization.nonce import from_base64url, parse_nonce
from relay.domain.authorization.signed_consent import CertificateSigned, Defect, HashSigned, NotVerified
from relay.infra.certifiers.identity_message import RelayIdentity
from relay.infra.certifiers.verification import IdentityCredentials, SignatureCredentials, open_consent_verifier
from relay.policy.settings.authority import CertifierSettings

CUSTOMER, OTHER_CUSTOMER = CUSTOMERS[:2]
OPERATOR, PROVIDER, RELAY = "ZOPA000001", "ZBAA000001", "ZRLA000001"


@pytest.fixture(scope="module")
def moment():
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def pki(tmp_path_factory, moment):
    return make_certifier_pki(tmp_path_factory.mktemp("pki"), moment)


def identity_settings(port, **more):
    endpoint = {"host": "127.0.0.1", "port": port, "cp_code": CP_CODE}
    files = {"certificate": "unused", "private_key": "file:unused", "responder": "unused"}
    return CertifierSettings(
        ca_code=IDENTITY_CERTIFIER, name="05", kind="identity", roots=("unused",), identity=endpoint | files, **more
    )


def identity_credentials(pki):
    relay, responder = pki.identity("ucpid-relay"), pki.identity("ucpid-responder")
    return IdentityCredentials(
        roots=(x509.load_pem_x509_certificate(pki.root.read_bytes()),),
        crls=(x509.load_pem_x509_crl(pki.crl.read_bytes()),),
        relay_identity=RelayIdentity(CP_CODE, relay.certificate, relay.private_key, (responder.certificate,)),
    )


def signature_settings(base_url):
    endpoint = {"base_url": base_url.rstrip("/"), "client_id": "relay1", "client_secret": "file:unused"}
    return CertifierSettings(ca_code=SIGNATURE_CERTIFIER, name="06", kind="signature", signature=endpoint)


class Setup:
    """Both certifiers and the relay's verification."""

    def __init__(self, pki, moment):
        self.pki, self.moment, self.now = pki, moment, int(moment.timestamp())
        self.signatures = SignatureCertifier({"relay1": "s3cret", "operator1": "op"})

    async def open(self, stack):
        listener = socket.create_server(("127.0.0.1", 0))
        await stack.enter_async_context(identity_certifier(UcpidService.from_pki(self.pki), listener))
        server = await stack.enter_async_context(TestServer(self.signatures.application()))
        self.url = str(server.make_url(""))
        self.certifiers = [
            (identity_settings(listener.getsockname()[1]), identity_credentials(self.pki)),
            (signature_settings(self.url), SignatureCredentials("s3cret", None)),
        ]
        self.verification = await stack.enter_async_context(open_consent_verifier(self.certifiers, RELAY, 2))
        return self

    def parties(self, certifier):
        return Parties(OPERATOR, PROVIDER, RELAY, certifier, self.moment)

    def by_certificate(self, customer=CUSTOMER, ci=None):
        parties = self.parties(IDENTITY_CERTIFIER)
        text = demand(ConsentTerms("bank", ("bank.deposit",)), parties)
        signer = self.pki.customer(customer)
        form = build_certificate_form(parties, ci or get_ci(customer), signer, text, lists=False)
        return text, CertificateSigned(
            form["tx_id"],
            form["username"],
            from_base64url(form["password"]),
            from_base64url(form["signed_person_info_req"]),
            parse_nonce(form["consent_nonce"]),
            parse_nonce(form["ucpid_nonce"]),
        )

    async def by_provider(self, customer=CUSTOMER, ci=None, consent=None):
        """Requests the signature as an operator, signs as the customer, returns what the relay receives."""
        parties = self.parties(SIGNATURE_CERTIFIER)
        text, tx_id = demand(ConsentTerms("bank"), parties), parties.tx_id()
        async with aiohttp.ClientSession(self.url) as session:
            form = {"grant_type": "client_credentials", "client_id": "operator1", "client_secret": "op", "scope": "ca"}
            async with session.post("/oauth/2.0/token", data=form) as answer:
                bearer = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
            request = {
                "sign_tx_id": "s1",
                "user_ci": get_ci(customer),
                "consent_list": [{"tx_id": tx_id, "consent": text}],
            }
            async with session.post("/v1/ca/sign_request", json=request, headers=bearer) as answer:
                cert_tx_id = (await answer.json())["cert_tx_id"]
            request = {"sign_tx_id": "s1", "cert_tx_id": cert_tx_id}
            async with session.post("/v1/ca/sign_result", json=request, headers=bearer) as answer:
                (signed,) = (await answer.json())["signed_consent_list"]
        signature = signed["signed_consent"]
        return text, HashSigned(tx_id, ci or get_ci(customer), signature, consent or text, cert_tx_id)

    def replace_certifiers(self, certifiers):
        self.verification.replace_certifiers(self.verification.compile_certifiers(certifiers))

    async def doubt(self, signed, ca_code):
        with pytest.raises(NotVerified) as caught:
            await self.verification.verify(signed, ca_code, self.now)
        return caught.value.reason


@pytest.fixture
async def setup(pki, moment):
    async with AsyncExitStack() as stack:
        yield await Setup(pki, moment).open(stack)


async def test_a_consent_signed_with_a_certificate_is_verified(setup):
    text, signed = setup.by_certificate()
    assert (await setup.verification.verify(signed, IDENTITY_CERTIFIER, setup.now)).decode() == text


async def test_a_consent_signed_at_a_provider_is_verified(setup):
    text, signed = await setup.by_provider()
    assert (await setup.verification.verify(signed, SIGNATURE_CERTIFIER, setup.now)).decode() == text


async def test_a_certificate_of_another_customer_is_refused(setup):
    _, signed = setup.by_certificate(OTHER_CUSTOMER, get_ci(CUSTOMER))
    assert await setup.doubt(signed, IDENTITY_CERTIFIER) is Defect.IDENTITY


async def test_a_provider_signature_of_another_customer_is_refused(setup):
    _, signed = await setup.by_provider(OTHER_CUSTOMER, get_ci(CUSTOMER))
    assert await setup.doubt(signed, SIGNATURE_CERTIFIER) is Defect.IDENTITY


async def test_a_consent_changed_after_signing_is_refused(setup):
    _, signed = await setup.by_provider(consent='{"more":"of everything"}')
    assert await setup.doubt(signed, SIGNATURE_CERTIFIER) is Defect.SIGNATURE


async def test_the_auth_type_must_match_the_certifier(setup):
    _, by_certificate = setup.by_certificate()
    _, by_provider = await setup.by_provider()
    assert await setup.doubt(by_certificate, SIGNATURE_CERTIFIER) is Defect.MALFORMED
    assert await setup.doubt(by_provider, IDENTITY_CERTIFIER) is Defect.MALFORMED


async def test_an_unknown_certifier_is_refused(setup):
    assert await setup.doubt(setup.by_certificate()[1], "ZZZZ000001") is Defect.CHAIN


async def test_a_token_that_the_certifier_lost_is_replaced(setup):
    await setup.verification.verify((await setup.by_provider())[1], SIGNATURE_CERTIFIER, setup.now)
    _, signed = await setup.by_provider()
    setup.signatures.forget_tokens()
    assert await setup.verification.verify(signed, SIGNATURE_CERTIFIER, setup.now)


async def test_fifty_consents_of_one_customer_are_verified_at_once(setup):
    signings = [setup.by_certificate() for _ in range(50)]
    consents = await asyncio.gather(
        *(setup.verification.verify(signed, IDENTITY_CERTIFIER, setup.now) for _, signed in signings)
    )
    assert [consent.decode() for consent in consents] == [text for text, _ in signings]


async def test_replaced_certifiers_apply_to_the_next_verification(setup):
    _, signed = setup.by_certificate()
    setup.replace_certifiers(setup.certifiers[1:])
    assert await setup.doubt(signed, IDENTITY_CERTIFIER) is Defect.CHAIN
    setup.replace_certifiers(setup.certifiers)
    assert await setup.verification.verify(signed, IDENTITY_CERTIFIER, setup.now)


async def test_credentials_of_another_kind_raise_a_type_error(setup):
    (identity, identity_files), (signature, signature_files) = setup.certifiers
    for settings, credentials in ((identity, signature_files), (signature, identity_files)):
        with pytest.raises(TypeError):
            setup.replace_certifiers([(settings, credentials)])


async def test_closing_ends_running_verifications(pki):
    connected, ended = asyncio.Event(), asyncio.Event()

    async def silent(reader, writer):
        connected.set()
        await reader.read()  # until the relay disconnects
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = signature_settings(f"http://127.0.0.1:{port}")
    async with server:
        async with open_consent_verifier([(settings, SignatureCredentials("s", None))], RELAY, 1) as verification:
            signed = HashSigned("tx", "ci", "s", "c", "t")
            running = asyncio.create_task(verification.verify(signed, SIGNATURE_CERTIFIER, 0))
            await connected.wait()
        with pytest.raises(asyncio.CancelledError):
            await running
        await ended.wait()


async def test_a_certifier_outage_is_logged_with_its_cause(setup, caplog):
    text, signed = setup.by_certificate()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        unused_port = listener.getsockname()[1]
    setup.replace_certifiers([(identity_settings(unused_port), identity_credentials(setup.pki))])
    assert await setup.doubt(signed, IDENTITY_CERTIFIER) is Defect.CERTIFIER_SILENT
    setup.replace_certifiers(setup.certifiers)
    assert (await setup.verification.verify(signed, IDENTITY_CERTIFIER, setup.now)).decode() == text
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("certifier ")]
    assert lines[0] == f"certifier unavailable: ca_code={IDENTITY_CERTIFIER} cause=refused detail=- failures=1"
    assert lines[1].startswith(f"certifier available again: ca_code={IDENTITY_CERTIFIER} after_s=")
