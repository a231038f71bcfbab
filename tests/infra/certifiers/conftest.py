"""Certificates, CRLs and signed documents that differ from good ones in one way; nothing here is the relay's."""

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

from relay.domain.authorization.proof import CertificateSigned
from relay.infra.certifiers.chains import Trust
from relay.infra.certifiers.identity_message import OurIdentity
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
SIGNS, ISSUES = ("digital_signature", "content_commitment"), ("key_cert_sign", "crl_sign")


@dataclass(frozen=True)
class Identity:
    certificate: x509.Certificate
    key: object

    @property
    def der(self):
        return self.certificate.public_bytes(Encoding.DER)


def named(name):
    return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "KR"), x509.NameAttribute(NameOID.COMMON_NAME, name)])


def certificate(  # each keyword is one way to be wrong
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
    signs = issuer.key if issuer else key
    subject = named(name)
    told = issuer_name or (issuer.certificate.subject if issuer else subject)
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=told, public_key=key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
    usages = (ISSUES if ca else SIGNS) if usages is None else usages
    if ca and basic:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    if usages:
        chosen = x509.KeyUsage(**{usage: usage in usages for usage in USAGES})
        builder = builder.add_extension(chosen, critical=True)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if points:
        found = [x509.DistributionPoint([x509.UniformResourceIdentifier(point)], None, None, None) for point in points]
        builder = builder.add_extension(x509.CRLDistributionPoints(found), critical=False)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    vouching = x509.AuthorityKeyIdentifier.from_issuer_public_key(signs.public_key())
    builder = builder.add_extension(vouching, critical=False)
    for extension, critical in more:
        builder = builder.add_extension(extension, critical=critical)
    made = builder.sign(signs, hashes.SHA256())
    if sha1:
        made = x509.load_der_x509_certificate(signed_with_sha1(asn1_x509.Certificate, made, signs))
    return Identity(made, key)


def signed_with_sha1(structure, made, key):
    """The same certificate or CRL signed with SHA-1, which cryptography itself refuses to do."""
    found = structure.load(made.public_bytes(Encoding.DER))
    body, algorithm, signature = structure._fields
    found[body[0]]["signature"] = found[algorithm[0]] = {"algorithm": "sha1_ecdsa"}
    found[signature[0]] = key.sign(found[body[0]].dump(force=True), ec.ECDSA(hashes.SHA1()))
    return found.dump(force=True)


def crl(issuer, *revoked, begin=MOMENT - DAY, end=MOMENT + DAY, sha1=False, key=None, more=()):
    builder = x509.CertificateRevocationListBuilder(issuer.certificate.subject, begin, end)
    for each in revoked:
        entry = x509.RevokedCertificateBuilder(each.certificate.serial_number, begin)
        builder = builder.add_revoked_certificate(entry.build())
    for extension, critical in more:
        builder = builder.add_extension(extension, critical=critical)
    made = builder.sign(key or issuer.key, hashes.SHA256())
    return x509.load_der_x509_crl(signed_with_sha1(asn1_crl.CertificateList, made, issuer.key)) if sha1 else made


def _signature(key, data, digest, pss):
    chosen = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}[digest]()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(chosen)), {"algorithm": f"{digest}_ecdsa"}
    if not pss:
        return key.sign(data, padding.PKCS1v15(), chosen), {"algorithm": f"{digest}_rsa"}
    told = {
        "hash_algorithm": {"algorithm": digest},
        "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": digest}},
        "salt_length": chosen.digest_size if pss is True else pss,
    }
    signature = key.sign(data, padding.PSS(padding.MGF1(chosen), chosen.digest_size), chosen)
    return signature, {"algorithm": "rsassa_pss", "parameters": algos.RSASSAPSSParams(told)}


def signer_info(  # each keyword is one way to differ
    content,
    signer,
    *,
    digest="sha256",
    pss=False,
    algorithm=None,
    attributes=True,
    digest_of=None,
    told_type="data",
    signing_time=MOMENT,
    more_attributes=(),
    by_key_id=False,
    signed_bytes=None,
):
    told = [
        {"type": "content_type", "values": [told_type]},
        {"type": "message_digest", "values": [hashlib.new(digest, digest_of or content).digest()]},
        *more_attributes,
    ]
    if signing_time is not None:
        told.append({"type": "signing_time", "values": [cms.Time({"utc_time": signing_time})]})
    signed_attributes = cms.CMSAttributes(told)
    to_sign = signed_bytes or (signed_attributes.dump() if attributes else content)
    signature, chosen = _signature(signer.key, to_sign, digest, pss)
    info = {
        "version": "v3" if by_key_id else "v1",
        "sid": signer_identifier(asn1_x509.Certificate.load(signer.der), by_key_id=by_key_id),
        "digest_algorithm": {"algorithm": digest},
        "signature_algorithm": algorithm or chosen,
        "signature": signature,
    }
    return cms.SignerInfo(info | ({"signed_attrs": signed_attributes} if attributes else {}))


def signer_identifier(named_by, *, by_key_id):
    if by_key_id:
        return cms.SignerIdentifier({"subject_key_identifier": named_by.key_identifier})
    told = {"issuer": named_by.issuer, "serial_number": named_by.serial_number}
    return cms.SignerIdentifier({"issuer_and_serial_number": cms.IssuerAndSerialNumber(told)})


def signed_data(  # what concerns the signature goes to signer_info
    content,
    signer,
    *,
    beside=(),
    held=None,
    inner_type="data",
    detached=False,
    signers=1,
    outer_type="signed_data",
    **about_signature,
):
    """CMS SignedData in DER, made with asn1crypto and a key."""
    inner = {"content_type": inner_type}
    if not detached:
        inner["content"] = core.OctetString(content) if inner_type == "data" else core.ParsableOctetString(content)
    people = (signer, *beside) if held is None else held
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [{"algorithm": about_signature.get("digest", "sha256")}],
            "encap_content_info": inner,
            "certificates": [asn1_x509.Certificate.load(each.der) for each in people],
            "signer_infos": [signer_info(content, signer, **about_signature)] * signers,
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
    """Keys of the tests: RSA for the customer, another customer and ourselves, EC for CAs and others."""
    named_keys = {name: rsa.generate_private_key(65537, 2048) for name in ("customer", "us")}
    curves = ("root", "middle", "other_root", "neighbour", "desk", "spare")
    return SimpleNamespace(**named_keys, **{name: ec.generate_private_key(ec.SECP256R1()) for name in curves})


@pytest.fixture(scope="session")
def people(keys):
    """A root, a CA below it, customers of that CA, a stranger's root, the desk and ourselves."""
    root = certificate("root", keys.root, ca=True)
    middle = certificate("middle", keys.middle, root, ca=True, path_length=0)
    return SimpleNamespace(
        root=root,
        middle=middle,
        customer=certificate("customer", keys.customer, middle),
        neighbour=certificate("neighbour", keys.neighbour, middle),
        other_root=certificate("root", keys.other_root, ca=True),
        desk=certificate("desk", keys.desk, root),
        us=certificate("us", keys.us, root, usages=(*SIGNS, "key_encipherment")),
    )


@pytest.fixture(scope="session")
def make():
    """The makers above, for tests that make what is wrong."""
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
        SIGNS=SIGNS,
        ISSUES=ISSUES,
    )


@pytest.fixture
def trust(people):
    """The certifier's root; no CRL."""
    return Trust([people.root.certificate], Revocations(()))


@pytest.fixture
def us(people):
    """We at the certifier's desk."""
    return OurIdentity("RELAY0000001", people.us.certificate, people.us.key, (people.desk.certificate,))


@pytest.fixture
def signed(people):
    """Makes what a good customer sends; keywords replace parts."""

    def made(**changed):
        nonces = {"consent_nonce": os.urandom(16), "ucpid_nonce": os.urandom(16)}
        good = {
            "tx_id": TX_ID,
            "ci": CI,
            "consent": signed_data(consent_content(nonces["consent_nonce"]), people.customer, beside=(people.middle,)),
            "person_info_req": signed_data(person_content(nonces["ucpid_nonce"]), people.customer),
            **nonces,
        }
        return CertificateSigned(**{**good, **changed})

    return made
