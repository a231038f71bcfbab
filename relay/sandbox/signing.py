"""What an operator's app does when a customer consents by integrated authentication: demands, signatures, forms.

The forms are those of 통합인증-002 without what the operator's server adds: client_id, client_secret.
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

from relay.domain.authorization.tx_id import TxId
from relay.sandbox.certifier_papers import SigningIdentity
from relay.standard.ucpid import VERSION, PersonInfoReq

IDENTITY_CERTIFIER: Final = "ZCAA000001"
"""기관코드 of the pretended 인증서 본인확인기관 (org_type 05)."""

SIGNATURE_CERTIFIER: Final = "ZCAA000002"
"""기관코드 of the pretended 전자서명인증사업자 (org_type 06)."""

FOR_EVER: Final = "99991231"
_KOREA: Final = timezone(timedelta(hours=9))
_NONCE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Wish:
    """What a customer wants sent: `scopes` beside the list scope, with all their assets unless `assets` names some.

    Without any scope it is a demand for the list alone (1차).
    """

    industry: str
    scopes: tuple[str, ...] = ()
    assets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    scheduled: bool = True
    purpose: str = "통합자산 조회"
    days: int = 300


@dataclass(frozen=True, slots=True)
class Parties:
    """Who takes part in one consent, by org_code; `moment` is when it is given (with a time zone)."""

    operator: str
    provider: str
    relay: str
    certifier: str
    moment: datetime

    def tx_id(self) -> str:
        """A new 트랜잭션 ID."""
        serial = secrets.token_hex(6).upper()
        parts = (self.operator, self.provider, self.relay, self.certifier)
        return str(TxId(*parts, int(self.moment.timestamp()), serial))

    @property
    def today(self) -> date:
        """The day in Korea."""
        return self.moment.astimezone(_KOREA).date()


def demand(wish: Wish, parties: Parties) -> str:
    """전송요구내역 as JSON text, in the members that operators' apps write."""
    end = parties.today + timedelta(days=wish.days if wish.scopes else 7)
    targets: list[dict[str, object]] = [{"scope": f"{wish.industry}.list"}]
    for scope in wish.scopes:
        named = wish.assets.get(scope, ("all_asset",))
        targets.append({"scope": scope, "asset_list": [{"asset": asset} for asset in named]})
    told = {
        "snd_org_code": parties.provider,
        "rcv_org_code": parties.operator,
        "is_scheduled": "true" if wish.scheduled else "false",
        "end_date": end.strftime("%Y%m%d"),
        "purpose": wish.purpose,
        "period": FOR_EVER if wish.scopes else end.strftime("%Y%m%d"),
        "target_info": targets,
    }
    cycles = {"fnd_cycle": "1/w", "add_cycle": "1/w"} if wish.scheduled else {}
    return json.dumps({**told, **cycles}, ensure_ascii=False, separators=(",", ":"))


def form_by_certificate(
    parties: Parties, ci: str, signer: SigningIdentity, consent: str, *, lists: bool
) -> dict[str, str]:
    """auth_type 0: the customer's own certificate signs the demand and the agreement to be identified."""
    consent_nonce, ucpid_nonce = nonce(), nonce()
    signature = signed_consent(signer, consent, consent_nonce)
    agreement = signed_person_info_req(signer, ucpid_nonce)
    return {
        **_form(parties, ci, signature, lists=lists),
        "auth_type": "0",
        "consent_type": "0",
        "signed_person_info_req_len": str(len(agreement)),
        "signed_person_info_req": agreement,
        "consent_nonce": consent_nonce,
        "ucpid_nonce": ucpid_nonce,
    }


def form_by_provider(
    parties: Parties, tx_id: str, ci: str, consent: str, signature: str, cert_tx_id: str, *, lists: bool
) -> dict[str, str]:
    """auth_type 1: `signature` over the hash of `consent` as the e-signature provider gave it (통합인증-103)."""
    return {
        **_form(parties, ci, signature, lists=lists),
        "tx_id": tx_id,
        "auth_type": "1",
        "consent_type": "1",
        "consent_len": str(len(consent.encode())),
        "consent": consent,
        "cert_tx_id": cert_tx_id,
    }


def signed_consent(signer: SigningIdentity, consent: str, consent_nonce: str) -> str:
    """`password` of auth_type 0: CMS SignedData of the demand and its nonce, base64url."""
    content = json.dumps({"consent": consent, "consentNonce": consent_nonce}, ensure_ascii=False)
    return base64url(_signed_data(signer, content.encode()))


def signed_person_info_req(signer: SigningIdentity, ucpid_nonce: str) -> str:
    """`signed_person_info_req`: CMS SignedData of a PersonInfoReq that agrees to tell everything, base64url."""
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
    return base64url(_signed_data(signer, content.dump()))


def nonce() -> str:
    """재전송 방지 값: 16 random bytes, base64url."""
    return base64url(secrets.token_bytes(_NONCE_BYTES))


def base64url(value: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _form(parties: Parties, ci: str, signature: str, *, lists: bool) -> dict[str, str]:
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


def _signed_data(signer: SigningIdentity, content: bytes) -> bytes:
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content)
    builder = builder.add_signer(signer.certificate, signer.private_key, hashes.SHA256())
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities])
