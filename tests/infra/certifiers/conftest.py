"""Certificates, CRLs and signed documents, valid or with one defect, built without code of the relay."""

import hashlib
import json
import os
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from asn1crypto import algos, cms, core
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from relay.domain.authorization.signed_consent import CertificateSigned
from relay.infra.certifiers.chains import TrustStore
from relay.infra.certifiers.identity_message import RelayIdentity
from relay.infra.certifiers.revocation import Revocations
from relay.standard.ucpid import PersonInfoReq

NOW = 1_800_000_000
MOMENT = datetime.fromtimestamp(NOW, UTC)
DAY = timedelta(days=1)
CI = "Q0ktb2YtYS1jdXN0b21lci1vZi10aGUtdGVzdHM="
TX_ID = "MD_ZOPA000001_ZBAA000001_ZRLA000001_ZCAA000001_20270115170000_000000000001"
CONSENT = '{"snd_org_code":"ZBAA000001","목적":"자산 조회"}'
USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
SIGNER_USAGES, ISSUER_USAGES = ("digital_signature", "content_commitment"), ("key_cert_sign", "crl_sign")


@dataclass(frozen=True)
class Identity:
    certificate: x509.Certificate
    key: object

    @property
    def der(self):
        return self.certificate.public_bytes(Encoding.DER)


def x509_name(name):
    return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "KR"), x509.NameAttribute(NameOID.COMMON_NAME, name)])


def certificate(  # each keyword is one defect
    name,
    key,
    issuer=None,
    *,
    ca=False,
    path_length=None,
    usages=None,
    purposes=None,
    begin=MOMENT - DAY,
    end=MOMENT + DAY,
    basic=True,
    points=(),
    more=(),
    sha1=False,
    issuer_name=None,
):
    signing_key = issuer.key if issuer else key
    subject = x509_name(name)
    issuer_name = issuer_name or (issuer.certificate.subject if issuer else subject)
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer_name, public_key=key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
    usages = (ISSUER_USAGES if ca else SIGNER_USAGES) if usages is None else usages
    if ca and basic:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    if usages:
        key_usage = x509.KeyUsage(**{usage: usage in usages for usage in USAGES})
        builder = builder.add_extension(key_usage, critical=True)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if points:
        uris = [x509.UniformResourceIdentifier(point) for point in points]
        distribution_points = [x509.DistributionPoint([uri], None, None, None) for uri in uris]
        builder = builder.add_extension(x509.CRLDistributionPoints(distribution_points), critical=False)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    authority_key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
    builder = builder.add_extension(authority_key_id, critical=False)
    for extension, critical in more:
        builder = builder.add_extension(extension, critical=critical)
    signed = builder.sign(signing_key, hashes.SHA256())
    if sha1:
        signed = x509.load_der_x509_certificate(sign_with_sha1(asn1_x509.Certificate, signed, signing_key))
    return Identity(signed, key)


def sign_with_sha1(structure, signed, key):
    """Signs a certificate or CRL again with SHA-1, which cryptography refuses to do."""
    copy = structure.load(signed.public_bytes(Encoding.DER))
    body, algorithm, signature = structure._fields
    copy[body[0]]["signature"] = copy[algorithm[0]] = {"algorithm": "sha1_ecdsa"}
    copy[signature[0]] = key.sign(copy[body[0]].dump(force=True), ec.ECDSA(hashes.SHA1()))
    return copy.dump(force=True)


def crl(issuer, *revoked, begin=MOMENT - DAY, end=MOMENT + DAY, sha1=False, key=None, more=()):
    builder = x509.CertificateRevocationListBuilder(issuer.certificate.subject, begin, end)
    for identity in revoked:
        entry = x509.RevokedCertificateBuilder(identity.certificate.serial_number, begin)
        builder = builder.add_revoked_certificate(entry.build())
    for extension, critical in more:
        builder = builder.add_extension(extension, critical=critical)
    signed = builder.sign(key or issuer.key, hashes.SHA256())
    return x509.load_der_x509_crl(sign_with_sha1(asn1_crl.CertificateList, signed, issuer.key)) if sha1 else signed


def _sign(key, data, digest, pss):
    hash_algorithm = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}[
        digest
    ]()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(hash_algorithm)), {"algorithm": f"{digest}_ecdsa"}
    if not pss:
        return key.sign(data, padding.PKCS1v15(), hash_algorithm), {"algorithm": f"{digest}_rsa"}
    parameters = {
        "hash_algorithm": {"algorithm": digest},
        "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": digest}},
        "salt_length": hash_algorithm.digest_size if pss is True else pss,
    }
    signature = key.sign(data, padding.PSS(padding.MGF1(hash_algorithm), hash_algorithm.digest_size), hash_algorithm)
    return signature, {"algorithm": "rsassa_pss", "parameters": algos.RSASSAPSSParams(parameters)}


def signer_info(  # each keyword is one difference
    content,
    signer,
    *,
    digest="sha256",
    pss=False,
    algorithm=None,
    attributes=True,
    digest_of=None,
    attribute_type="data",
    signing_time=MOMENT,
    more_attributes=(),
    by_key_id=False,
    signed_bytes=None,
):
    attribute_list = [
        {"type": "content_type", "values": [attribute_type]},
        {"type": "message_digest", "values": [hashlib.new(digest, digest_of or content).digest()]},
        *more_attributes,
    ]
    if signing_time is not None:
        attribute_list.append({"type": "signing_time", "values": [cms.Time({"utc_time": signing_time})]})
    signed_attributes = cms.CMSAttributes(attribute_list)
    to_sign = signed_bytes or (signed_attributes.dump() if attributes else content)
    signature, signature_algorithm = _sign(signer.key, to_sign, digest, pss)
    info = {
        "version": "v3" if by_key_id else "v1",
        "sid": signer_identifier(asn1_x509.Certificate.load(signer.der), by_key_id=by_key_id),
        "digest_algorithm": {"algorithm": digest},
        "signature_algorithm": algorithm or signature_algorithm,
        "signature": signature,
    }
    return cms.SignerInfo(info | ({"signed_attrs": signed_attributes} if attributes else {}))


def signer_identifier(certificate, *, by_key_id):
    if by_key_id:
        return cms.SignerIdentifier({"subject_key_identifier": certificate.key_identifier})
    name_and_number = {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
    return cms.SignerIdentifier({"issuer_and_serial_number": cms.IssuerAndSerialNumber(name_and_number)})


def signed_data(  # other keywords go to signer_info
    content,
    signer,
    *,
    extra=(),
    certificates=None,
    inner_type="data",
    detached=False,
    signers=1,
    outer_type="signed_data",
    **signature_options,
):
    """CMS SignedData in DER, made with asn1crypto and a key."""
    inner = {"content_type": inner_type}
    if not detached:
        inner["content"] = core.OctetString(content) if inner_type == "data" else core.ParsableOctetString(content)
    included = (signer, *extra) if certificates is None else certificates
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [{"algorithm": signature_options.get("digest", "sha256")}],
            "encap_content_info": inner,
            "certificates": [asn1_x509.Certificate.load(identity.der) for identity in included],
            "signer_infos": [signer_info(content, signer, **signature_options)] * signers,
        }
    )
    if outer_type != "signed_data":
        return cms.ContentInfo({"content_type": outer_type, "content": core.OctetString(signed.dump())}).dump()
    return cms.ContentInfo({"content_type": outer_type, "content": signed}).dump()


def consent_content(nonce, consent=CONSENT, **more):
    text = urlsafe_b64encode(nonce).rstrip(b"=").decode()
    return json.dumps({"consent": consent, "consentNonce": text, **more}, ensure_ascii=False).encode()


def person_content(nonce, *, information=("ci", "real_name"), version=2):
    return PersonInfoReq(
        {
            "version": version,
            "nonce": nonce,
            "agreement": {"text": "동의합니다", "information": set(information)},
            "module": {"name": "module", "vendor": "vendor", "version": {"major": 1, "minor": 3}},
            "isp_url": "www.mydata.example",
        }
    ).dump()


@pytest.fixture(scope="session")
def keys():
    """RSA keys for the customer and the relay, EC keys for CAs and others."""
    rsa_keys = {name: rsa.generate_private_key(65537, 2048) for name in ("customer", "relay")}
    ec_names = ("root", "middle", "other_root", "other_customer", "responder", "spare")
    return SimpleNamespace(**rsa_keys, **{name: ec.generate_private_key(ec.SECP256R1()) for name in ec_names})


@pytest.fixture(scope="session")
def parties(keys):
    """A root, an intermediate CA, two customers of it, another root, the responder and the relay."""
    root = certificate("root", keys.root, ca=True)
    middle = certificate("middle", keys.middle, root, ca=True, path_length=0)
    return SimpleNamespace(
        root=root,
        middle=middle,
        customer=certificate("customer", keys.customer, middle),
        other_customer=certificate("other_customer", keys.other_customer, middle),
        other_root=certificate("root", keys.other_root, ca=True),
        responder=certificate("responder", keys.responder, root),
        relay=certificate("relay", keys.relay, root, usages=(*SIGNER_USAGES, "key_encipherment")),
    )


@pytest.fixture(scope="session")
def make():
    """The builders above, for tests that build invalid input."""
    return SimpleNamespace(
        certificate=certificate,
        crl=crl,
        signed_data=signed_data,
        consent=consent_content,
        person=person_content,
        NOW=NOW,
        MOMENT=MOMENT,
        DAY=DAY,
        CI=CI,
        TX_ID=TX_ID,
        CONSENT=CONSENT,
        SIGNER_USAGES=SIGNER_USAGES,
        ISSUER_USAGES=ISSUER_USAGES,
    )


@pytest.fixture
def trust(parties):
    """A trust store with the certifier's root and no CRL."""
    return TrustStore([parties.root.certificate], Revocations(()))


@pytest.fixture
def relay_identity(parties):
    """The relay at the certifier."""
    return RelayIdentity("RELAY0000001", parties.relay.certificate, parties.relay.key, (parties.responder.certificate,))


@pytest.fixture
def signed(parties):
    """Builds a valid signed consent; keywords replace parts."""

    def build(**changed):
        nonces = {"consent_nonce": os.urandom(16), "ucpid_nonce": os.urandom(16)}
        valid = {
            "tx_id": TX_ID,
            "ci": CI,
            "consent": signed_data(consent_content(nonces["consent_nonce"]), parties.customer, extra=(parties.middle,)),
            "person_info_req": signed_data(person_content(nonces["ucpid_nonce"]), parties.customer),
            **nonces,
        }
        return CertificateSigned(**{**valid, **changed})

    return build
