"""Integrated authentication in an operator's app: demands, signatures, forms.

The forms are those of 통합인증-002, without client_id and client_secret, which the operator's server adds.
"""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from mydata_sandbox.certifiers.pki import SigningIdentity
from mydata_sandbox.certifiers.signature import encode_base64url
from mydata_sandbox.credentials.tokens import list_scopes
from mydata_sandbox.world.shared import EXTRA_CONSENTS
from relay.domain.api import Catalogue
from relay.domain.authorization.tx_id import TxId
from relay.standard.ucpid import VERSION, PersonInfoReq

UNLIMITED: Final = "99991231"
_KOREA: Final = timezone(timedelta(hours=9))
_NONCE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class ConsentTerms:
    """What a customer demands: `scopes` besides the list scope, with all their assets unless `assets` names some.

    `extra_consents` are the members of additional consents (`is_consent_*`, 규격 6.2) that the customer gives.
    Without scopes it is a demand for the list only (1차).
    """

    industry: str
    scopes: tuple[str, ...] = ()
    assets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_scheduled: bool = True
    purpose: str = "통합자산 조회"
    days: int = 300
    extra_consents: tuple[str, ...] = ()


def build_terms(catalogue: Catalogue, industry: str, scopes: Sequence[str] = ()) -> ConsentTerms:
    """Returns the terms of a consent to `scopes`, by default all scopes of the industry, with additional consents."""
    wanted = scopes or list_scopes(catalogue, industry)
    selected = tuple(scope for scope in wanted if not scope.endswith(".list"))
    return ConsentTerms(industry, selected, extra_consents=EXTRA_CONSENTS.get(industry, ()) if selected else ())


@dataclass(frozen=True, slots=True)
class Parties:
    """The parties of a consent by org_code, and its time `moment` (with a time zone)."""

    operator: str
    provider: str
    relay: str
    certifier: str
    moment: datetime

    def tx_id(self) -> str:
        """Returns a new 트랜잭션 ID."""
        serial = secrets.token_hex(6).upper()
        parts = (self.operator, self.provider, self.relay, self.certifier)
        return str(TxId(*parts, int(self.moment.timestamp()), serial))

    @property
    def today(self) -> date:
        """The date of `moment` in Korea."""
        return self.moment.astimezone(_KOREA).date()


def demand(terms: ConsentTerms, parties: Parties) -> str:
    """Returns 전송요구내역 as JSON text, with the members that operators' apps write."""
    end = parties.today + timedelta(days=terms.days if terms.scopes else 7)
    targets: list[dict[str, object]] = [{"scope": f"{terms.industry}.list"}]
    for scope in terms.scopes:
        assets = terms.assets.get(scope, ("all_asset",))
        targets.append({"scope": scope, "asset_list": [{"asset": asset} for asset in assets]})
    fields = {
        "snd_org_code": parties.provider,
        "rcv_org_code": parties.operator,
        "is_scheduled": "true" if terms.is_scheduled else "false",
        "end_date": end.strftime("%Y%m%d"),
        "purpose": terms.purpose,
        "period": UNLIMITED if terms.scopes else end.strftime("%Y%m%d"),
        "target_info": targets,
    }
    cycles = {"fnd_cycle": "1/w", "add_cycle": "1/w"} if terms.is_scheduled else {}
    extra = dict.fromkeys(terms.extra_consents, "true")
    return json.dumps({**fields, **cycles, **extra}, ensure_ascii=False, separators=(",", ":"))


def build_certificate_form(
    parties: Parties, ci: str, signer: SigningIdentity, consent: str, *, lists: bool
) -> dict[str, str]:
    """Returns the form of auth_type 0: the customer's certificate signs demand and agreement to identification."""
    consent_nonce, ucpid_nonce = make_nonce(), make_nonce()
    signature = sign_consent(signer, consent, consent_nonce)
    agreement = sign_person_info_req(signer, ucpid_nonce)
    return {
        **_build_form(parties, ci, signature, lists=lists),
        "auth_type": "0",
        "consent_type": "0",
        "signed_person_info_req_len": str(len(agreement)),
        "signed_person_info_req": agreement,
        "consent_nonce": consent_nonce,
        "ucpid_nonce": ucpid_nonce,
    }


def build_provider_form(
    parties: Parties, tx_id: str, ci: str, consent: str, signature: str, cert_tx_id: str, *, lists: bool
) -> dict[str, str]:
    """Returns the form of auth_type 1. `signature` over the hash of `consent` comes from 통합인증-103."""
    return {
        **_build_form(parties, ci, signature, lists=lists),
        "tx_id": tx_id,
        "auth_type": "1",
        "consent_type": "1",
        "consent_len": str(len(consent.encode())),
        "consent": consent,
        "cert_tx_id": cert_tx_id,
    }


def sign_consent(signer: SigningIdentity, consent: str, consent_nonce: str) -> str:
    """Returns `password` of auth_type 0: CMS SignedData of the demand and its nonce, base64url."""
    content = json.dumps({"consent": consent, "consentNonce": consent_nonce}, ensure_ascii=False)
    return encode_base64url(_sign_data(signer, content.encode()))


def sign_person_info_req(signer: SigningIdentity, ucpid_nonce: str) -> str:
    """Returns `signed_person_info_req`: CMS SignedData of a PersonInfoReq that agrees to all fields, base64url."""
    content = PersonInfoReq(
        {
            "version": VERSION,
            "nonce": base64.urlsafe_b64decode(ucpid_nonce + "=="),
            "agreement": {
                "text": "본인확인 서비스 이용에 동의합니다",
                "information": {"real_name", "gender", "national_info", "birth_date", "ci"},
            },
            "module": {"name": "Sandbox", "vendor": "Relay", "version": {"major": 1, "minor": 0}},
            "isp_url": "www.mydata.example",
        }
    )
    return encode_base64url(_sign_data(signer, content.dump()))


def make_nonce() -> str:
    """Returns a 재전송 방지 값: 16 random bytes, base64url."""
    return encode_base64url(secrets.token_bytes(_NONCE_BYTES))


def _build_form(parties: Parties, ci: str, signature: str, *, lists: bool) -> dict[str, str]:
    return {
        "tx_id": parties.tx_id(),
        "org_code": parties.provider,
        "grant_type": "password",
        "ca_code": parties.certifier,
        "username": ci,
        "request_type": "0" if lists else "1",
        "password_len": str(len(signature)),
        "password": signature,
    }


def _sign_data(signer: SigningIdentity, content: bytes) -> bytes:
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content)
    builder = builder.add_signer(signer.certificate, signer.private_key, hashes.SHA256())
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities])
