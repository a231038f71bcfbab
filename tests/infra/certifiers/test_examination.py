import json
import os
from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.authorization.proof import CertificateSigned, Doubt, Unproven
from relay.infra.certifiers.chains import Trust
from relay.infra.certifiers.examination import AHEAD_S, SIGNED_AGO_S, examine
from relay.infra.certifiers.revocation import Revocations
from relay.standard.ucpid import PersonInfoReq

CONSENT_NONCE, UCPID_NONCE = b"c" * 16, b"u" * 16


def verdict(found, trust, now):
    """The consent's text, or doubt and detail."""
    try:
        return examine(found, trust, now).text.decode()
    except Unproven as unproven:
        return unproven.doubt, unproven.detail


def test_a_good_customer_is_believed(signed, trust, people, make):
    found = examine(signed(), trust, make.NOW)
    assert (found.text.decode(), found.signer) == (make.CONSENT, people.customer.certificate)
    assert "snd_org_code" not in repr(found)


def test_the_consent_may_stand_there_as_an_object(signed, trust, people, make):
    told = make.signed_data(
        make.consent(CONSENT_NONCE, json.loads(make.CONSENT)), people.customer, beside=(people.middle,)
    )
    assert verdict(signed(consent=told, consent_nonce=CONSENT_NONCE), trust, make.NOW) == make.CONSENT


def test_the_issuer_may_come_with_either_document(signed, trust, people, make):
    alone = make.signed_data(make.consent(CONSENT_NONCE), people.customer)
    person = make.signed_data(make.person(UCPID_NONCE), people.customer, beside=(people.middle,))
    sent = signed(consent=alone, consent_nonce=CONSENT_NONCE, person_info_req=person, ucpid_nonce=UCPID_NONCE)
    assert verdict(sent, trust, make.NOW) == make.CONSENT


def consent_of(people, make, content=None, signer="customer", **more):
    given = make.consent(CONSENT_NONCE) if content is None else content
    return {
        "consent": make.signed_data(given, getattr(people, signer), beside=(people.middle,), **more),
        "consent_nonce": CONSENT_NONCE,
    }


def person_of(people, make, content=None, signer="customer", **more):
    given = make.person(UCPID_NONCE) if content is None else content
    return {"person_info_req": make.signed_data(given, getattr(people, signer), **more), "ucpid_nonce": UCPID_NONCE}


def endless_agreement(make):
    """A PersonInfoReq whose agreement has 800 bits."""
    told = PersonInfoReq.load(make.person(UCPID_NONCE))
    agreement = b"\x30\x6a" + b"\x0c\x01a" + b"\x03\x65\x00" + b"\xff" * 100
    before, behind = told["version"].dump() + told["nonce"].dump(), told["module"].dump() + told["isp_url"].dump()
    content = before + agreement + behind
    return b"\x30\x81" + bytes([len(content)]) + content


TEXT = urlsafe_b64encode(CONSENT_NONCE).decode()
MISFORTUNES = {
    "the consent is no document": (lambda _p, _m: {"consent": b"garbage"}, (Doubt.MALFORMED, "password")),
    "the agreement is no document": (
        lambda _p, _m: {"person_info_req": b"garbage"},
        (Doubt.MALFORMED, "signed_person_info_req"),
    ),
    "the consent is no JSON": (lambda p, m: consent_of(p, m, b"no"), (Doubt.MALFORMED, "password")),
    "no nonce in the consent": (lambda p, m: consent_of(p, m, b'{"consent":"{}"}'), (Doubt.MALFORMED, "password")),
    "a member too many": (
        lambda p, m: consent_of(p, m, m.consent(CONSENT_NONCE, more="x")),
        (Doubt.MALFORMED, "password"),
    ),
    "a member twice": (
        lambda p, m: consent_of(p, m, f'{{"consent":"{{}}","consent":"x","consentNonce":"{TEXT}"}}'.encode()),
        (Doubt.MALFORMED, "password"),
    ),
    "the consent is a list": (
        lambda p, m: consent_of(p, m, m.consent(CONSENT_NONCE, [1])),
        (Doubt.MALFORMED, "password"),
    ),
    "half a surrogate": (
        lambda p, m: consent_of(p, m, f'{{"consent":"\\ud800","consentNonce":"{TEXT}"}}'.encode()),
        (Doubt.MALFORMED, "password"),
    ),
    "a nonce that is a number": (
        lambda p, m: consent_of(p, m, b'{"consent":"{}","consentNonce":1}'),
        (Doubt.MALFORMED, "password"),
    ),
    "the agreement is the consent": (
        lambda p, m: person_of(p, m, m.consent(UCPID_NONCE)),
        (Doubt.MALFORMED, "signed_person_info_req"),
    ),
    "the agreement of version 1": (
        lambda p, m: person_of(p, m, m.person(UCPID_NONCE, version=1)),
        (Doubt.MALFORMED, "signed_person_info_req"),
    ),
    "an agreement of endless bits": (
        lambda p, m: person_of(p, m, endless_agreement(m)),
        (Doubt.MALFORMED, "signed_person_info_req"),
    ),
    "something behind the agreement": (
        lambda p, m: person_of(p, m, m.person(UCPID_NONCE) + b"\x05\x00"),
        (Doubt.MALFORMED, "signed_person_info_req"),
    ),
    "no CI is agreed to": (
        lambda p, m: person_of(p, m, m.person(UCPID_NONCE, information=("real_name",))),
        (Doubt.CONSENT_DIFFERS, "signed_person_info_req"),
    ),
    "another customer agreed": (
        lambda p, m: person_of(p, m, signer="neighbour"),
        (Doubt.SIGNERS_DIFFER, "signed_person_info_req"),
    ),
    "another consent nonce": (lambda _p, _m: {"consent_nonce": os.urandom(16)}, (Doubt.NONCE_DIFFERS, "consent_nonce")),
    "another agreement nonce": (lambda _p, _m: {"ucpid_nonce": os.urandom(16)}, (Doubt.NONCE_DIFFERS, "ucpid_nonce")),
    "nonces swapped": (
        lambda p, m: consent_of(p, m) | person_of(p, m) | {"consent_nonce": UCPID_NONCE, "ucpid_nonce": CONSENT_NONCE},
        (Doubt.NONCE_DIFFERS, "consent_nonce"),
    ),
    "documents swapped": (
        lambda p, m: {
            "consent": person_of(p, m)["person_info_req"],
            "person_info_req": consent_of(p, m)["consent"],
        },
        (Doubt.MALFORMED, "password"),
    ),
    "the consent's signature is bad": (
        lambda p, m: consent_of(p, m, signed_bytes=b"other"),
        (Doubt.SIGNATURE, "password"),
    ),
    "the agreement's signature is bad": (
        lambda p, m: person_of(p, m, signed_bytes=b"other"),
        (Doubt.SIGNATURE, "signed_person_info_req"),
    ),
    "signed long ago": (
        lambda p, m: consent_of(p, m, signing_time=m.MOMENT - m.DAY),
        (Doubt.SIGNING_TIME, "password"),
    ),
    "signed tomorrow": (
        lambda p, m: person_of(p, m, signing_time=m.MOMENT + m.DAY),
        (Doubt.SIGNING_TIME, "signed_person_info_req"),
    ),
    "nobody vouches": (
        lambda p, m: {
            "consent": m.signed_data(m.consent(CONSENT_NONCE), p.customer),
            "consent_nonce": CONSENT_NONCE,
        },
        (Doubt.CHAIN, "password"),
    ),
}


@pytest.mark.parametrize("misfortune", MISFORTUNES)
def test_what_is_wrong_is_doubted_by_its_field(signed, trust, people, make, misfortune):
    given, wanted = MISFORTUNES[misfortune]
    assert verdict(signed(**given(people, make)), trust, make.NOW) == wanted


@pytest.mark.parametrize(
    ("seconds", "good"),
    [(0, True), (-SIGNED_AGO_S, True), (-SIGNED_AGO_S - 1, False), (AHEAD_S, True), (AHEAD_S + 1, False)],
)
def test_a_signature_is_of_the_last_hour(signed, trust, people, make, seconds, good):
    given = consent_of(people, make, signing_time=make.MOMENT + seconds * make.DAY / 86_400)
    found = verdict(signed(**given), trust, make.NOW)
    assert found == (make.CONSENT if good else (Doubt.SIGNING_TIME, "password"))


@pytest.mark.parametrize("spelling", [b64encode, urlsafe_b64encode])
def test_a_signed_nonce_may_be_base64_or_base64url(signed, trust, people, make, spelling):
    nonce = b"\xfb\xff" * 8
    content = json.dumps({"consent": make.CONSENT, "consentNonce": spelling(nonce).decode()}).encode()
    sent = signed(**consent_of(people, make, content) | {"consent_nonce": nonce})
    assert verdict(sent, trust, make.NOW) == make.CONSENT


CERTIFICATES = {
    "of yesterday": ({"begin": -3, "end": -1}, Doubt.CERTIFICATE_EXPIRED),
    "of tomorrow": ({"begin": 1, "end": 3}, Doubt.CERTIFICATE_EXPIRED),
    "of a stranger": ({}, Doubt.CHAIN),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_a_certificate_that_does_not_hold_is_doubted(signed, trust, people, make, keys, kind):
    given, doubt = CERTIFICATES[kind]
    times = {name: make.MOMENT + days * make.DAY for name, days in given.items()}
    signer = make.certificate("x", keys.spare, people.middle if given else people.other_root, **times)
    sent = signed(
        consent=make.signed_data(make.consent(CONSENT_NONCE), signer, beside=(people.middle,)),
        person_info_req=make.signed_data(make.person(UCPID_NONCE), signer),
        consent_nonce=CONSENT_NONCE,
        ucpid_nonce=UCPID_NONCE,
    )
    assert verdict(sent, trust, make.NOW) == (doubt, "password")


@pytest.mark.parametrize(
    ("revoked", "end", "wanted"),
    [
        (True, 1, (Doubt.CERTIFICATE_REVOKED, "password")),
        (True, -0.5, (Doubt.REVOCATION_UNKNOWN, "password")),
        (False, -0.5, (Doubt.REVOCATION_UNKNOWN, "password")),
        (False, 1, "text"),
    ],
)
def test_revocation_counts_while_the_list_is_fresh(signed, people, make, revoked, end, wanted):
    lists = [
        make.crl(people.root),
        make.crl(people.middle, *([people.customer] if revoked else []), end=make.MOMENT + end * make.DAY),
    ]
    trust = Trust([people.root.certificate], Revocations(lists))
    assert verdict(signed(), trust, make.NOW) == (make.CONSENT if wanted == "text" else wanted)


@settings(max_examples=200)
@given(data=st.data())
def test_no_input_raises_anything_but_a_doubt(once, data):
    found, trust, now = once
    sent = {"consent": bytearray(found.consent), "person_info_req": bytearray(found.person_info_req)}
    for document in sent.values():
        for _ in range(data.draw(st.integers(0, 3))):
            document[data.draw(st.integers(0, len(document) - 1))] = data.draw(st.integers(0, 255))
    changed = CertificateSigned(
        found.tx_id, found.ci, bytes(sent["consent"]), bytes(sent["person_info_req"]), CONSENT_NONCE, UCPID_NONCE
    )
    outcome = verdict(changed, trust, now)
    assert isinstance(outcome, str) or outcome[0] in set(Doubt) - {Doubt.IDENTITY, Doubt.BUSY}


@pytest.fixture(scope="module")
def once(people, make):
    found = CertificateSigned(make.TX_ID, make.CI, **consent_of(people, make), **person_of(people, make))
    return found, Trust([people.root.certificate], Revocations(())), make.NOW
