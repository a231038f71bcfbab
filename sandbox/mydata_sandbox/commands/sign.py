"""`mydata-sandbox sign`: integrated authentication (통합인증) step by step, with curl."""

import json
import secrets
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from mydata_sandbox.commands.operator_options import load_access, operator_options
from mydata_sandbox.commands.shell_steps import (
    Step,
    assign,
    build_curl,
    build_form,
    build_token_step,
    iter_steps_with_tokens,
    print_steps,
    run_steps,
)
from mydata_sandbox.customer.signing import Parties, build_certificate_form, build_provider_form, build_terms, demand
from mydata_sandbox.environment.operator_access import OperatorAccess
from mydata_sandbox.parties import IDENTITY_CERTIFIER, RELAY_CODE, SIGNATURE_CERTIFIER
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.model import CUSTOMERS, Customer
from relay.standard.catalogue import load_catalogue

CERTIFIERS: Final = ("signature", "identity")
EXAMPLES: Final = """\b
Examples:
  mydata-sandbox sign                          (print the curl lines)
  mydata-sandbox sign --run                    (run them)
  mydata-sandbox sign --certifier identity --org-code ZCDA000001 --run
  mydata-sandbox sign --run --json
"""
_TOKEN_STEP: Final = (
    "token",
    "서명된 전송요구를 보내 토큰을 발급받습니다 (통합인증-002). 같은 tx_id는 한 번만 쓸 수 있고 1시간 동안 유효합니다.",
    "Sends the signed consent and gets tokens. A tx_id is valid once and for an hour.",
)


@click.command(epilog=EXAMPLES)
@operator_options
@click.option(
    "--certifier",
    type=click.Choice(CERTIFIERS),
    default=CERTIFIERS[0],
    show_default=True,
    help="Who proves the signature: an e-signature provider (사설인증서) or the customer's certificate (공동인증서).",
)
def command(
    *, folder: Path, org_code: str | None, client_id: str, customer: int, is_run: bool, as_json: bool, certifier: str
) -> None:
    """Get a token by integrated authentication (통합인증), step by step.

    Prints curl lines that work when they are pasted into a shell, for the sandbox that runs in the folder. With --run
    it runs these lines. The steps: the consent (전송요구내역), its signature, tokens, a call, refresh, revocation.
    """
    access, signer = load_access(folder, org_code, client_id), CUSTOMERS[customer - 1]
    build = build_signature_steps if certifier == CERTIFIERS[0] else build_certificate_steps
    steps = [*build(access, signer, datetime.now(UTC)), *iter_steps_with_tokens(access)]
    (run_steps if is_run else print_steps)(steps, as_json=as_json)


def build_signature_steps(access: OperatorAccess, customer: Customer, now: datetime) -> Iterator[Step]:
    """Yields the steps to tokens with a signature of an e-signature provider (auth_type 1)."""
    parties = Parties(access.operator, access.org_code, RELAY_CODE, SIGNATURE_CERTIFIER, now)
    consent, ci, tx_id, sign_tx_id = _demand(access, parties), get_ci(customer), parties.tx_id(), secrets.token_hex(20)
    yield _build_consent_step(consent)
    client_id, client_secret = access.certifier_client
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret, "scope": "ca"}
    curl = build_curl(access, f"{access.certifier}/oauth/2.0/token", *build_form(form))
    yield Step(
        "certifier-token",
        "인증기관의 접근토큰을 받습니다 (통합인증-101).",
        "Gets an access token of the e-signature provider.",
        assign("CA_TOKEN", f"{curl} | field access_token"),
    )
    request = {
        "sign_tx_id": sign_tx_id,
        "user_ci": ci,
        "consent_list": [{"consent": consent, "tx_id": tx_id}],
    }
    ask = _build_certifier_curl(access, "sign_request", shlex.quote(_to_json(request)))
    yield Step(
        "sign-request",
        "고객에게 전자서명을 요청합니다 (통합인증-102). 샌드박스의 고객은 바로 서명합니다.",
        "Asks the customer to sign. A customer of the sandbox signs at once.",
        assign("CERT_TX_ID", f"{ask} | field cert_tx_id"),
    )
    result = f'"{{\\"cert_tx_id\\":\\"$CERT_TX_ID\\",\\"sign_tx_id\\":\\"{sign_tx_id}\\"}}"'
    fetch = _build_certifier_curl(access, "sign_result", result)
    yield Step(
        "sign-result",
        "서명을 받습니다 (통합인증-103).",
        "Gets the signature.",
        assign("SIGNED", f"{fetch} | field signed_consent_list.0.signed_consent"),
    )
    form = build_provider_form(parties, tx_id, ci, consent, "$SIGNED", "$CERT_TX_ID", lists=False)
    form |= {"password_len": "${#SIGNED}", "consent": "$CONSENT"}
    yield build_token_step(access, *_TOKEN_STEP, form)


def build_certificate_steps(access: OperatorAccess, customer: Customer, now: datetime) -> Iterator[Step]:
    """Yields the steps to tokens with the customer's certificate (auth_type 0). The customer's app signs here."""
    parties = Parties(access.operator, access.org_code, RELAY_CODE, IDENTITY_CERTIFIER, now)
    consent = _demand(access, parties)
    form = build_certificate_form(parties, get_ci(customer), access.pki.customer(customer), consent, lists=False)
    yield _build_consent_step(consent)
    yield Step(
        "sign",
        "고객의 앱이 인증서로 전송요구내역과 본인확인 동의에 서명한 값입니다 (CMS SignedData, base64url).",
        "The customer's app has signed the consent and the agreement to identification.",
        f"SIGNED={form['password']}\nPERSON={form['signed_person_info_req']}",
    )
    yield build_token_step(access, *_TOKEN_STEP, form | {"password": "$SIGNED", "signed_person_info_req": "$PERSON"})


def _build_consent_step(consent: str) -> Step:
    return Step(
        "consent",
        "고객이 서명할 전송요구내역입니다 (규격 3.2.2).",
        "The consent (전송요구내역) that the customer signs.",
        f'CONSENT={shlex.quote(consent)}\necho "$CONSENT"',
    )


def _build_certifier_curl(access: OperatorAccess, name: str, body: str) -> str:
    options = ['-H "Authorization: Bearer $CA_TOKEN"', "-H 'Content-Type: application/json'", f"-d {body}"]
    return build_curl(access, f"{access.certifier}/v1/ca/{name}", *options)


def _demand(access: OperatorAccess, parties: Parties) -> str:
    return demand(build_terms(load_catalogue(), access.industry), parties)


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
