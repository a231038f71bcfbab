"""The output of `mydata-sandbox run`."""

import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from mydata_sandbox.environment.model import Portal
from mydata_sandbox.environment.running import RunningEnvironment
from mydata_sandbox.institution.login import LOGINS
from mydata_sandbox.institution.profile import Institution
from mydata_sandbox.operator.client import IssuedToken
from mydata_sandbox.parties import APP_SCHEME, DESCRIPTIONS, IDENTITY_CERTIFIER, RELAY_CODE, SIGNATURE_CERTIFIER
from mydata_sandbox.world.ci import get_ci

PROGRAM: Final = "mydata-sandbox"
_COMMON_APIS: Final = "정보제공-공통-"
PAGE_SERVICE: Final = 1
"""Index of the operator's service that the printed page belongs to."""


def build_facts(
    running: RunningEnvironment, portal: Portal, tokens: Sequence[IssuedToken], page: str
) -> dict[str, Any]:
    """Returns what `run --json` prints: addresses, files, tokens, credentials."""
    environment = running.environment
    certs = environment.certificates.folder.resolve()
    names = sorted(key.name.removesuffix(".key.pem") for key in certs.glob("*.key.pem"))
    return {
        "gateway": environment.gateway,
        "admin": environment.admin,
        "pages": environment.pages,
        "portal": portal.url,
        "control": portal.control_url,
        "page": page,
        "logins": {login.login_id: login.password for login in LOGINS},
        "metrics": f"{environment.admin}/metrics",
        "pid": running.pid,
        "folder": str(environment.folder.resolve()),
        "settings": str(environment.settings.resolve()),
        "ca": str(certs / "ca.pem"),
        "issuer": RELAY_CODE,
        "certs": {name: str(certs / f"{name}.pem") for name in names if not name.startswith("token-")},
        "keys": {name: str(certs / f"{name}.key.pem") for name in names},
        "operators": [
            {
                "org_code": operator.org_code,
                "name": operator.name,
                "client_ids": list(operator.client_ids),
                "client_secrets": list(operator.client_secrets),
                "callback": operator.callback,
                "app_scheme": APP_SCHEME,
            }
            for operator in environment.operators
        ],
        "customers": {login.login_id: get_ci(login.customer) for login in LOGINS},
        "certifiers": {"identity": IDENTITY_CERTIFIER, "signature": SIGNATURE_CERTIFIER},
        "org_codes": {industry: institution.org_code for industry, institution in environment.institutions.items()},
        "providers": {institution.org_code: institution.url for institution in environment.institutions.values()},
        "tokens": {token.org_code: token.token for token in tokens},
    }


def find_program() -> list[str]:
    """Returns the words that start `mydata-sandbox` from any folder."""
    installed = Path(sys.executable).with_name(PROGRAM)
    on_path = shutil.which(PROGRAM)
    is_installed = on_path is not None and installed.exists() and Path(on_path).samefile(installed)
    return [PROGRAM] if is_installed else [sys.executable, "-m", "mydata_sandbox"]


def _build_command(name: str, folder: Path, *options: str) -> str:
    return shlex.join([*find_program(), name, "--dir", str(folder.resolve()), *options])


def _token_command(folder: Path, org_code: str) -> str:
    """Returns a command line that runs from any folder and does not revoke the printed token."""
    return _build_command("token", folder, "--org-code", org_code, "--scope", "bank.list", "--customer", "2")


def _describe_mediation(institution: Institution) -> str:
    """Returns what an institution without the APIs of the standard speaks, and where; "" for all others."""
    if institution.settings is not None:
        return f": yours, at {institution.url}"
    description = DESCRIPTIONS.get(institution.speaks)
    return f": {description} at {institution.url}" if description else ""


def _list_logs(running: RunningEnvironment) -> str:
    folder = running.environment.folder
    names = ["access.log"] if running.pid is None else ["relay.log", "access.log"]
    return ", ".join(str(folder / name) for name in names)


def _describe_own(running: RunningEnvironment) -> str:
    """Returns what the developer of an institution needs, "" without one."""
    lines = []
    for own in running.environment.own_institutions:
        lines.append(f"\nYour institution {own.org_code} takes the place of the simulated {own.industry}:\n")
        lines += [f"  {name:12} {text}\n" for name, text in _iter_own_facts(running, own)]
    return "".join(lines)


def _iter_own_facts(running: RunningEnvironment, own: Institution) -> Iterator[tuple[str, str]]:
    environment, ci = running.environment, get_ci(LOGINS[0].customer)
    certificate, settings = environment.certificates.providers[own.industry], shlex.quote(str(environment.settings))
    if own.speaks == "standard":
        yield "certificate", f"{certificate.certificate}, key {certificate.private_key.name}"
        yield "relay's CA", f"{environment.certificates.ca}  (of the relay's client certificate)"
    yield "customer", f"x-user-ci: {ci}"
    if own.has_login_pages:
        yield "login", f"{LOGINS[0].login_id}, {LOGINS[0].password}"
    if own.speaks == "standard":
        yield "check", f"relay probe {own.org_code} -c {settings}"
    elif own.speaks == "telegram":
        api = next(api for api in own.iter_apis(running.catalogue) if not api.api_id.startswith(_COMMON_APIS))
        yield "check", f"relay telegram try -c {settings} {own.org_code} {api.api_code} \\\n{'':15}user_ci={ci}"


def describe(running: RunningEnvironment, portal: Portal, tokens: Sequence[IssuedToken], page: str) -> str:
    """Returns what `run` prints: addresses, and commands to call the relay."""
    environment = running.environment
    operator = environment.operators[0]
    bank, at_pages = environment.institutions["bank"], environment.login_institution
    institutions = "\n".join(
        f"  {institution.org_code}  {institution.industry:8} {institution.name}{_describe_mediation(institution)}"
        for institution in environment.institutions.values()
    )
    others = ", ".join(f"{login.login_id} {login.password}" for login in LOGINS[1:])
    files = " ".join(
        f"{flag} {shlex.quote(str(path))}"
        for flag, path in (
            ("--cacert", environment.certificates.ca),
            ("--cert", operator.identity.certificate),
            ("--key", operator.identity.private_key),
        )
    )
    process = "started by hand" if running.pid is None else f"pid {running.pid}"
    return f"""relay     {environment.gateway}  (mutual TLS, {process})
metrics   {environment.admin}/metrics
portal    {portal.url}  (mutual TLS; its registry and failure modes: curl {portal.control_url}/)
settings  {environment.settings}
logs      {_list_logs(running)}
institutions
{institutions}
{_describe_own(running)}
Call the relay as {operator.name} ({operator.org_code}):

curl {files} \\
  -H 'Authorization: Bearer {tokens[0].token}' \\
  -H 'x-api-tran-id: {operator.org_code}M00000000000001' -H 'x-api-type: user-refresh' \\
  '{environment.gateway}/v1/bank/accounts?org_code={bank.org_code}&search_timestamp=0&limit=20'

Open the pages of individual authentication in a browser, once and within an hour:
{page}
The browser warns about the certificate: the sandbox's own CA signed it. Accept it for this test.
Each page serves one login; this prints the next one: curl -X POST {portal.control_url}/pages
Log in as {LOGINS[0].login_id} with {LOGINS[0].password} (other customers: {others}; the page
rejects them). With the code that the callback shows:

curl {files} -H 'x-api-tran-id: {operator.org_code}M00000000000002' \\
  -d grant_type=authorization_code -d code=CODE -d org_code={at_pages.org_code} -d redirect_uri={operator.callback} \\
  -d client_id={operator.client_ids[PAGE_SERVICE]} -d client_secret={operator.client_secrets[PAGE_SERVICE]} \\
  '{environment.gateway}/oauth/2.0/token'

More tokens: {_token_command(environment.folder, bank.org_code)}
Both ways to a token, step by step with curl:
  {_build_command("authorize", environment.folder)}
  {_build_command("sign", environment.folder)}
Failing institutions: {_build_command("misbehave", environment.folder, "--modes")}
Stop: Ctrl-C"""
