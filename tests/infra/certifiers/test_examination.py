import json
import os
from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.authorization.signed_consent import CertificateSigned, Defect, NotVerified
from relay.infra.certifiers.chains import TrustStore
from relay.infra.certifiers.examination import MAX_CLOCK_AHEAD_S, MAX_SIGNATURE_AGE_S, examine
from relay.infra.certifiers.revocation import Revocations
from relay.standard.ucpid import PersonInfoReq

CONSENT_NONCE, UCPID_NONCE = b"c" * 16, b"u" * 16


def verdict(consent, trust, now):
    """Returns the consent's text, or doubt and detail."""
    try:
        return examine(consent, trust, now).text.decode()
    except NotVerified as unproven:
        return unproven.reason, unproven.detail


def test_a_valid_consent_is_accepted(signed, trust, parties, make):
    examined = examine(signed(), trust, make.NOW)
    assert (examined.text.decode(), examined.signer) == (make.CONSENT, parties.customer.certificate)
    assert "snd_org_code" not in repr(examined)


def test_the_consent_may_be_a_json_object(signed, trust, parties, make):
    document = make.signed_data(
        make.consent(CONSENT_NONCE, json.loads(make.CONSENT)),
        parties.customer,
        extra=(parties.middle,),
    )
    assert verdict(signed(consent=document, consent_nonce=CONSENT_NONCE), trust, make.NOW) == make.CONSENT


def test_the_issuer_may_be_in_either_document(signed, trust, parties, make):
    alone = make.signed_data(make.consent(CONSENT_NONCE), parties.customer)
    person = make.signed_data(make.person(UCPID_NONCE), parties.customer, extra=(parties.middle,))
    sent = signed(consent=alone, consent_nonce=CONSENT_NONCE, person_info_req=person, ucpid_nonce=UCPID_NONCE)
    assert verdict(sent, trust, make.NOW) == make.CONSENT


def consent_of(parties, make, content=None, signer="customer", **more):
    content = make.consent(CONSENT_NONCE) if content is None else content
    return {
        "consent": make.signed_data(content, getattr(parties, signer), extra=(parties.middle,), **more),
        "consent_nonce": CONSENT_NONCE,
    }


def person_of(parties, make, content=None, signer="customer", **more):
    content = make.person(UCPID_NONCE) if content is None else content
    return {
        "person_info_req": make.signed_data(content, getattr(parties, signer), **more),
        "ucpid_nonce": UCPID_NONCE,
    }


def endless_agreement(make):
    """Builds a PersonInfoReq whose agreement has 800 bits."""
    person = PersonInfoReq.load(make.person(UCPID_NONCE))
    agreement = b"\x30\x6a" + b"\x0c\x01a" + b"\x03\x65\x00" + b"\xff" * 100
    before, after = (
        person["version"].dump() + person["nonce"].dump(),
        person["module"].dump() + person["isp_url"].dump(),
    )
    content = before + agreement + after
    return b"\x30\x81" + bytes([len(content)]) + content


TEXT = urlsafe_b64encode(CONSENT_NONCE).decode()
INVALID = {
    "the consent is not CMS": (lambda _p, _m: {"consent": b"garbage"}, (Defect.MALFORMED, "password")),
    "the agreement is not CMS": (
        lambda _p, _m: {"person_info_req": b"garbage"},
        (Defect.MALFORMED, "signed_person_info_req"),
    ),
    "the consent is not JSON": (lambda p, m: consent_of(p, m, b"no"), (Defect.MALFORMED, "password")),
    "no nonce in the consent": (lambda p, m: consent_of(p, m, b'{"consent":"{}"}'), (Defect.MALFORMED, "password")),
    "an unexpected member": (
        lambda p, m: consent_of(p, m, m.consent(CONSENT_NONCE, more="x")),
        (Defect.MALFORMED, "password"),
    ),
    "a duplicate member": (
        lambda p, m: consent_of(p, m, f'{{"consent":"{{}}","consent":"x","consentNonce":"{TEXT}"}}'.encode()),
        (Defect.MALFORMED, "password"),
    ),
    "the consent is a list": (
        lambda p, m: consent_of(p, m, m.consent(CONSENT_NONCE, [1])),
        (Defect.MALFORMED, "password"),
    ),
    "half a surrogate": (
        lambda p, m: consent_of(p, m, f'{{"consent":"\\ud800","consentNonce":"{TEXT}"}}'.encode()),
        (Defect.MALFORMED, "password"),
    ),
    "a nonce that is a number": (
        lambda p, m: consent_of(p, m, b'{"consent":"{}","consentNonce":1}'),
        (Defect.MALFORMED, "password"),
    ),
    "the agreement is the consent": (
        lambda p, m: person_of(p, m, m.consent(UCPID_NONCE)),
        (Defect.MALFORMED, "signed_person_info_req"),
    ),
    "the agreement of version 1": (
        lambda p, m: person_of(p, m, m.person(UCPID_NONCE, version=1)),
        (Defect.MALFORMED, "signed_person_info_req"),
    ),
    "an agreement of endless bits": (
        lambda p, m: person_of(p, m, endless_agreement(m)),
        (Defect.MALFORMED, "signed_person_info_req"),
    ),
    "trailing bytes after the agreement": (
        lambda p, m: person_of(p, m, m.person(UCPID_NONCE) + b"\x05\x00"),
        (Defect.MALFORMED, "signed_person_info_req"),
    ),
    "the agreement grants no CI": (
        lambda p, m: person_of(p, m, m.person(UCPID_NONCE, information=("real_name",))),
        (Defect.CONSENT_DIFFERS, "signed_person_info_req"),
    ),
    "another customer signed the agreement": (
        lambda p, m: person_of(p, m, signer="other_customer"),
        (Defect.SIGNERS_DIFFER, "signed_person_info_req"),
    ),
    "another consent nonce": (
        lambda _p, _m: {"consent_nonce": os.urandom(16)},
        (Defect.NONCE_DIFFERS, "consent_nonce"),
    ),
    "another agreement nonce": (lambda _p, _m: {"ucpid_nonce": os.urandom(16)}, (Defect.NONCE_DIFFERS, "ucpid_nonce")),
    "nonces swapped": (
        lambda p, m: consent_of(p, m) | person_of(p, m) | {"consent_nonce": UCPID_NONCE, "ucpid_nonce": CONSENT_NONCE},
        (Defect.NONCE_DIFFERS, "consent_nonce"),
    ),
    "documents swapped": (
        lambda p, m: {
            "consent": person_of(p, m)["person_info_req"],
            "person_info_req": consent_of(p, m)["consent"],
        },
        (Defect.MALFORMED, "password"),
    ),
    "the consent's signature is bad": (
        lambda p, m: consent_of(p, m, signed_bytes=b"other"),
        (Defect.SIGNATURE, "password"),
    ),
    "the agreement's signature is bad": (
        lambda p, m: person_of(p, m, signed_bytes=b"other"),
        (Defect.SIGNATURE, "signed_person_info_req"),
    ),
    "signed long ago": (
        lambda p, m: consent_of(p, m, signing_time=m.MOMENT - m.DAY),
        (Defect.SIGNING_TIME, "password"),
    ),
    "signed tomorrow": (
        lambda p, m: person_of(p, m, signing_time=m.MOMENT + m.DAY),
        (Defect.SIGNING_TIME, "signed_person_info_req"),
    ),
    "no issuer certificate": (
        lambda p, m: {
            "consent": m.signed_data(m.consent(CONSENT_NONCE), p.customer),
            "consent_nonce": CONSENT_NONCE,
        },
        (Defect.CHAIN, "password"),
    ),
}


@pytest.mark.parametrize("kind", INVALID)
def test_an_invalid_consent_is_refused_with_its_field(signed, trust, parties, make, kind):
    change, wanted = INVALID[kind]
    assert verdict(signed(**change(parties, make)), trust, make.NOW) == wanted


@pytest.mark.parametrize(
    ("seconds", "is_valid"),
    [
        (0, True),
        (-MAX_SIGNATURE_AGE_S, True),
        (-MAX_SIGNATURE_AGE_S - 1, False),
        (MAX_CLOCK_AHEAD_S, True),
        (MAX_CLOCK_AHEAD_S + 1, False),
    ],
)
def test_a_signature_is_at_most_an_hour_old(signed, trust, parties, make, seconds, is_valid):
    parts = consent_of(parties, make, signing_time=make.MOMENT + seconds * make.DAY / 86_400)
    outcome = verdict(signed(**parts), trust, make.NOW)
    assert outcome == (make.CONSENT if is_valid else (Defect.SIGNING_TIME, "password"))


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_a_signed_nonce_may_be_base64_or_base64url(signed, trust, parties, make, encode):
    nonce = b"\xfb\xff" * 8
    content = json.dumps({"consent": make.CONSENT, "consentNonce": encode(nonce).decode()}).encode()
    sent = signed(**consent_of(parties, make, content) | {"consent_nonce": nonce})
    assert verdict(sent, trust, make.NOW) == make.CONSENT


CERTIFICATES = {
    "expired": ({"begin": -3, "end": -1}, Defect.CERTIFICATE_EXPIRED),
    "not yet valid": ({"begin": 1, "end": 3}, Defect.CERTIFICATE_EXPIRED),
    "from another root": ({}, Defect.CHAIN),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_an_invalid_certificate_is_refused(signed, trust, parties, make, keys, kind):
    validity, doubt = CERTIFICATES[kind]
    times = {name: make.MOMENT + days * make.DAY for name, days in validity.items()}
    signer = make.certificate("x", keys.spare, parties.middle if validity else parties.other_root, **times)
    sent = signed(
        consent=make.signed_data(make.consent(CONSENT_NONCE), signer, extra=(parties.middle,)),
        person_info_req=make.signed_data(make.person(UCPID_NONCE), signer),
        consent_nonce=CONSENT_NONCE,
        ucpid_nonce=UCPID_NONCE,
    )
    assert verdict(sent, trust, make.NOW) == (doubt, "password")


@pytest.mark.parametrize(
    ("revoked", "end", "wanted"),
    [
        (True, 1, (Defect.CERTIFICATE_REVOKED, "password")),
        (True, -0.5, (Defect.REVOCATION_UNKNOWN, "password")),
        (False, -0.5, (Defect.REVOCATION_UNKNOWN, "password")),
        (False, 1, "text"),
    ],
)
def test_revocation_counts_only_with_a_current_list(signed, parties, make, revoked, end, wanted):
    lists = [
        make.crl(parties.root),
        make.crl(parties.middle, *([parties.customer] if revoked else []), end=make.MOMENT + end * make.DAY),
    ]
    trust = TrustStore([parties.root.certificate], Revocations(lists))
    assert verdict(signed(), trust, make.NOW) == (make.CONSENT if wanted == "text" else wanted)


@settings(max_examples=200)
@given(data=st.data())
def test_corrupted_documents_raise_nothing_but_doubts(valid_consent, data):
    consent, trust, now = valid_consent
    documents = {"consent": bytearray(consent.consent), "person_info_req": bytearray(consent.person_info_req)}
    for document in documents.values():
        for _ in range(data.draw(st.integers(0, 3))):
            document[data.draw(st.integers(0, len(document) - 1))] = data.draw(st.integers(0, 255))
    changed = CertificateSigned(
        consent.tx_id,
        consent.ci,
        bytes(documents["consent"]),
        bytes(documents["person_info_req"]),
        CONSENT_NONCE,
        UCPID_NONCE,
    )
    outcome = verdict(changed, trust, now)
    assert isinstance(outcome, str) or outcome[0] in set(Defect) - {Defect.IDENTITY, Defect.BUSY}


@pytest.fixture(scope="module")
def valid_consent(parties, make):
    consent = CertificateSigned(make.TX_ID, make.CI, **consent_of(parties, make), **person_of(parties, make))
    return consent, TrustStore([parties.root.certificate], Revocations(())), make.NOW
