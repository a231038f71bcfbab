"""Whole proofs against both pretended certifiers, over real sockets."""

import asyncio
import socket
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from cryptography import x509

from relay.domain.authorization.nonce import from_base64url, nonce_of
from relay.domain.authorization.proof import CertificateSigned, Doubt, HashSigned, Unproven
from relay.infra.certifiers.identity_message import OurIdentity
from relay.infra.certifiers.verification import IdentityMaterials, SignatureMaterials, opened_proofs
from relay.policy.settings.authority import Certifier
from relay.sandbox.certifier_identity import CP_CODE, Desk, identity_certifier
from relay.sandbox.certifier_papers import make_certifier_papers
from relay.sandbox.certifier_signature import SignatureCertifier
from relay.sandbox.customers import ci_of
from relay.sandbox.signing import (
    IDENTITY_CERTIFIER,
    SIGNATURE_CERTIFIER,
    Parties,
    Wish,
    demand,
    form_by_certificate,
)
from relay.sandbox.world.model import CUSTOMERS

ME, SOMEBODY = CUSTOMERS[:2]
OPERATOR, PROVIDER, RELAY = "ZOPA000001", "ZBAA000001", "ZRLA000001"


@pytest.fixture(scope="module")
def moment():
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def papers(tmp_path_factory, moment):
    return make_certifier_papers(tmp_path_factory.mktemp("papers"), moment)


def identity_settings(port, **more):
    desk = {"host": "127.0.0.1", "port": port, "cp_code": CP_CODE}
    files = {"certificate": "unused", "private_key": "file:unused", "responder": "unused"}
    return Certifier(
        ca_code=IDENTITY_CERTIFIER, name="05", kind="identity", roots=("unused",), identity=desk | files, **more
    )


def identity_materials(papers):
    us, desk = papers.identity("ucpid-relay"), papers.identity("ucpid-desk")
    return IdentityMaterials(
        roots=(x509.load_pem_x509_certificate(papers.root.read_bytes()),),
        crls=(x509.load_pem_x509_crl(papers.crl.read_bytes()),),
        us=OurIdentity(CP_CODE, us.certificate, us.private_key, (desk.certificate,)),
    )


def signature_settings(base_url):
    desk = {"base_url": base_url.rstrip("/"), "client_id": "relay1", "client_secret": "file:unused"}
    return Certifier(ca_code=SIGNATURE_CERTIFIER, name="06", kind="signature", signature=desk)


class Town:
    """Both certifiers and the relay's proofs."""

    def __init__(self, papers, moment):
        self.papers, self.moment, self.now = papers, moment, int(moment.timestamp())
        self.signatures = SignatureCertifier({"relay1": "s3cret", "operator1": "op"})

    async def open(self, stack):
        door = socket.create_server(("127.0.0.1", 0))
        await stack.enter_async_context(identity_certifier(Desk.of(self.papers), door))
        server = TestServer(self.signatures.application())
        await server.start_server()
        stack.push_async_callback(server.close)
        self.url = str(server.make_url(""))
        self.furniture = [
            (identity_settings(door.getsockname()[1]), identity_materials(self.papers)),
            (signature_settings(self.url), SignatureMaterials("s3cret", None)),
        ]
        self.proofs = await stack.enter_async_context(opened_proofs(self.furniture, RELAY, 2))
        return self

    def parties(self, certifier):
        return Parties(OPERATOR, PROVIDER, RELAY, certifier, self.moment)

    def by_certificate(self, customer=ME, ci=None):
        parties = self.parties(IDENTITY_CERTIFIER)
        text = demand(Wish("bank", ("bank.deposit",)), parties)
        signer = self.papers.customer(customer)
        form = form_by_certificate(parties, ci or ci_of(customer), signer, text, lists=False)
        return text, CertificateSigned(
            form["tx_id"],
            form["username"],
            from_base64url(form["password"]),
            from_base64url(form["signed_person_info_req"]),
            nonce_of(form["consent_nonce"]),
            nonce_of(form["ucpid_nonce"]),
        )

    async def by_provider(self, customer=ME, ci=None, consent=None):
        """The operator asks the certifier, the customer signs, and the relay gets what came of it."""
        parties = self.parties(SIGNATURE_CERTIFIER)
        text, tx_id = demand(Wish("bank"), parties), parties.tx_id()
        async with aiohttp.ClientSession(self.url) as session:
            form = {"grant_type": "client_credentials", "client_id": "operator1", "client_secret": "op", "scope": "ca"}
            async with session.post("/oauth/2.0/token", data=form) as answer:
                bearer = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
            asked = {
                "sign_tx_id": "s1",
                "user_ci": ci_of(customer),
                "consent_list": [{"tx_id": tx_id, "consent": text}],
            }
            async with session.post("/v1/ca/sign_request", json=asked, headers=bearer) as answer:
                cert_tx_id = (await answer.json())["cert_tx_id"]
            asked = {"sign_tx_id": "s1", "cert_tx_id": cert_tx_id}
            async with session.post("/v1/ca/sign_result", json=asked, headers=bearer) as answer:
                (signed,) = (await answer.json())["signed_consent_list"]
        signature = signed["signed_consent"]
        return text, HashSigned(tx_id, ci or ci_of(customer), signature, consent or text, cert_tx_id)

    async def doubt(self, signed, ca_code):
        with pytest.raises(Unproven) as caught:
            await self.proofs.prove(signed, ca_code, self.now)
        return caught.value.doubt


@pytest.fixture
async def town(papers, moment):
    async with AsyncExitStack() as stack:
        yield await Town(papers, moment).open(stack)


async def test_a_customer_with_a_certificate_is_proven(town):
    text, signed = town.by_certificate()
    assert (await town.proofs.prove(signed, IDENTITY_CERTIFIER, town.now)).decode() == text


async def test_a_customer_of_an_e_signature_provider_is_proven(town):
    text, signed = await town.by_provider()
    assert (await town.proofs.prove(signed, SIGNATURE_CERTIFIER, town.now)).decode() == text


async def test_somebody_elses_certificate_proves_nothing_about_me(town):
    _, signed = town.by_certificate(SOMEBODY, ci_of(ME))
    assert await town.doubt(signed, IDENTITY_CERTIFIER) is Doubt.IDENTITY


async def test_somebody_elses_signing_proves_nothing_about_me(town):
    _, signed = await town.by_provider(SOMEBODY, ci_of(ME))
    assert await town.doubt(signed, SIGNATURE_CERTIFIER) is Doubt.IDENTITY


async def test_a_consent_that_was_changed_after_signing_is_none(town):
    _, signed = await town.by_provider(consent='{"more":"of everything"}')
    assert await town.doubt(signed, SIGNATURE_CERTIFIER) is Doubt.SIGNATURE


async def test_the_way_must_fit_the_certifier(town):
    _, by_certificate = town.by_certificate()
    _, by_provider = await town.by_provider()
    assert await town.doubt(by_certificate, SIGNATURE_CERTIFIER) is Doubt.MALFORMED
    assert await town.doubt(by_provider, IDENTITY_CERTIFIER) is Doubt.MALFORMED


async def test_a_certifier_of_nobodys_settings_proves_nothing(town):
    assert await town.doubt(town.by_certificate()[1], "ZZZZ000001") is Doubt.CHAIN


async def test_a_token_that_the_certifier_lost_is_fetched_anew(town):
    await town.proofs.prove((await town.by_provider())[1], SIGNATURE_CERTIFIER, town.now)
    _, signed = await town.by_provider()
    town.signatures.forget_tokens()
    assert await town.proofs.prove(signed, SIGNATURE_CERTIFIER, town.now)


async def test_fifty_institutions_of_one_customer_are_all_proven(town):
    sent = [town.by_certificate() for _ in range(50)]
    proven = await asyncio.gather(*(town.proofs.prove(signed, IDENTITY_CERTIFIER, town.now) for _, signed in sent))
    assert [each.decode() for each in proven] == [text for text, _ in sent]


async def test_another_certifier_of_the_settings_takes_over_at_once(town):
    _, signed = town.by_certificate()
    town.proofs.furnish(town.furniture[1:])
    assert await town.doubt(signed, IDENTITY_CERTIFIER) is Doubt.CHAIN
    town.proofs.furnish(town.furniture)
    assert await town.proofs.prove(signed, IDENTITY_CERTIFIER, town.now)


async def test_materials_of_another_kind_are_a_mistake_of_ours(town):
    (identity, of_identity), (signature, of_signature) = town.furniture
    for settings, materials in ((identity, of_signature), (signature, of_identity)):
        with pytest.raises(TypeError):
            town.proofs.furnish([(settings, materials)])


async def test_what_is_under_way_ends_with_the_proofs(papers):
    asked, ended = asyncio.Event(), asyncio.Event()

    async def silent(reader, writer):
        asked.set()
        await reader.read()  # until the relay hangs up
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = signature_settings(f"http://127.0.0.1:{port}")
    async with server:
        async with opened_proofs([(settings, SignatureMaterials("s", None))], RELAY, 1) as proofs:
            signed = HashSigned("tx", "ci", "s", "c", "t")
            under_way = asyncio.create_task(proofs.prove(signed, SIGNATURE_CERTIFIER, 0))
            await asked.wait()
        with pytest.raises(asyncio.CancelledError):
            await under_way
        await ended.wait()


async def test_an_outage_of_a_certifier_is_logged_with_its_cause_and_its_end(town, caplog):
    text, signed = town.by_certificate()
    with socket.create_server(("127.0.0.1", 0)) as door:
        gone = door.getsockname()[1]
    town.proofs.furnish([(identity_settings(gone), identity_materials(town.papers))])
    assert await town.doubt(signed, IDENTITY_CERTIFIER) is Doubt.CERTIFIER_SILENT
    town.proofs.furnish(town.furniture)
    assert (await town.proofs.prove(signed, IDENTITY_CERTIFIER, town.now)).decode() == text
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("certifier ")]
    assert lines[0] == f"certifier unavailable: ca_code={IDENTITY_CERTIFIER} cause=refused failures=1"
    assert lines[1].startswith(f"certifier available again: ca_code={IDENTITY_CERTIFIER} after_s=")
