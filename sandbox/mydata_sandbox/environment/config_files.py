"""Files of the sandbox: the relay's settings, and facts for tools."""

import base64
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from mydata_sandbox.certifiers.identity import CP_CODE
from mydata_sandbox.certifiers.profile import Certifiers
from mydata_sandbox.credentials.certificates import TOKEN_KEYS
from mydata_sandbox.credentials.secret_files import write_secret
from mydata_sandbox.environment.mediated_files import build_mediated_settings, write_layouts
from mydata_sandbox.environment.model import FACTS_FILE, Portal, SandboxEnvironment
from mydata_sandbox.institution.profile import Institution
from mydata_sandbox.parties import (
    CERTIFIER_NAMES,
    IDENTITY_CERTIFIER,
    LOOPBACK,
    OPERATORS,
    PORTAL_CODE,
    RELAY_CODE,
    RELAY_NAME,
    SIGNATURE_CERTIFIER,
)

APP_SCHEME: Final = "moabogi"
SECRET_LN: Final = 10
MAX_SOCKET_PATH: Final = 100
SYNC_S: Final = 5
"""Seconds between two synchronizations of the registry. It is short, to show manual changes soon."""


def write_all(environment: SandboxEnvironment) -> None:
    """Writes `relay.yaml`, a file for each institution, the directory, the customers' key and the facts.

    With a portal, the relay's secret at the portal is written instead of the directory.
    """
    write_institutions(environment)
    if environment.portal is None:
        _write(environment.folder / "directory.yaml", _directory(environment))
    else:
        (environment.folder / "directory.yaml").unlink(missing_ok=True)
        write_secret(
            environment.folder / "certs" / "portal.secret",
            environment.portal.accounts[RELAY_CODE].client_secret.encode(),
        )
    _write(environment.settings, _relay_settings(environment))
    write_secret(environment.folder / "certs" / "customers.key", base64.b64encode(os.urandom(32)))
    write_secret(environment.folder / "certs" / "certifier.secret", environment.certifiers.client_secret.encode())
    _remove_old_data(environment.folder)
    write_facts(environment)


def write_institutions(environment: SandboxEnvironment) -> None:
    """Writes a file for each institution."""
    providers = environment.folder / "providers"
    providers.mkdir(exist_ok=True)
    for name, institution in environment.institutions.items():
        _write(providers / f"{name}.yaml", _provider_settings(name, institution))
        if institution.settings is None:
            write_layouts(providers / name, institution.speaks)


def write_facts(environment: SandboxEnvironment) -> None:
    """Writes the facts for tools. A folder without them holds no sandbox, so they are written last."""
    (environment.folder / FACTS_FILE).write_text(json.dumps(_facts(environment), ensure_ascii=False, indent=2))


def write_ledger_url(environment: SandboxEnvironment, url: str, key: bytes) -> None:
    """Writes the URL of an external ledger, and the customers' key that fits it."""
    write_secret(environment.folder / "ledger.url", url.encode())
    write_secret(environment.folder / "certs" / "customers.key", base64.b64encode(key))


def _remove_old_data(folder: Path) -> None:
    """Removes the ledger of an earlier sandbox, sealed with an old key, with its spool and access log."""
    for pattern in ("ledger.db*", "access.log*"):
        for old in folder.glob(pattern):
            old.unlink()
    shutil.rmtree(folder / "spool", ignore_errors=True)


def _relay_settings(environment: SandboxEnvironment) -> dict[str, Any]:
    parties = (
        {"directory": "directory.yaml"}
        if environment.portal is None
        else _portal(environment.portal, environment.addresses)
    )
    listen = LOOPBACK if environment.relay is None else environment.relay.listen
    return {
        "relay": {"org_code": RELAY_CODE, "name": RELAY_NAME},
        "gateway": {
            "listeners": [{"address": listen, "port": environment.gateway_port}],
            "tls": {
                "certificate": "certs/relay.pem",
                "private_key": "file:certs/relay.key.pem",
                "client_ca": "certs/ca.pem",
            },
            "drain": {"delay_s": 0, "finish_s": 2},  # the sandbox has no load balancer
        },
        "tokens": {
            "issuer": RELAY_CODE,
            "keys": f"certs/{TOKEN_KEYS}",
        },
        "overload": {"lag_s": 2},  # institutions and operators of the sandbox share the machine with the relay
        "ledger": {"url": environment.ledger, "customer_keys": [{"kid": "dev-1", "key": "file:certs/customers.key"}]},
        "authority": {
            "socket": _socket_path(environment.folder, "authority"),
            "request_s": 3600,  # long enough to read the pages
            "pages": {
                "url": environment.pages,
                "address": listen,
                "port": environment.pages_port,
                "tls": {"certificate": "certs/relay.pem", "private_key": "file:certs/relay.key.pem"},
            },
        },
        "adapter": {"socket": _socket_path(environment.folder, "adapter")},
        "certifiers": _certifiers(environment.certifiers, environment.folder),
        "admin": {"address": LOOPBACK, "port": environment.admin_port},
        "access_log": {"path": "access.log"},
        "providers": "providers",
        **parties,
    }


def _portal(portal: Portal, addresses: Sequence[str]) -> dict[str, Any]:
    """Returns the settings of a relay with a portal. Timeouts are short for interactive use."""
    return {
        "portal": {
            "org_code": PORTAL_CODE,
            "base_url": portal.url,
            "serial_num": portal.identity.serial_number,
            "addresses": _build_networks(addresses),
            "calls": {
                "client_id": portal.accounts[RELAY_CODE].client_id,
                "client_secret": "file:certs/portal.secret",
            },
            "offers": {
                "client_id": portal.offered.client_id,
                "client_secret_hash": _hash_secret(portal.offered.client_secret),
            },
            "ca": "certs/ca.pem",
            "timeouts": {"connect_s": 2, "total_s": 10, "backoff_s": 0.2},
            "sync_s": SYNC_S,
        },
        "jobs": {"term_s": 5},
    }


def _certifiers(certifiers: Certifiers, folder: Path) -> list[dict[str, Any]]:
    pki = certifiers.pki
    root, crl, certificate, key, responder = (
        str(path.relative_to(folder)) for path in (pki.root, pki.crl, pki.relay, pki.relay_key, pki.responder)
    )
    return [
        {
            "ca_code": IDENTITY_CERTIFIER,
            "name": CERTIFIER_NAMES[IDENTITY_CERTIFIER],
            "kind": "identity",
            "roots": [root],
            "crls": [crl],
            "identity": {
                "host": certifiers.identity_listener.getsockname()[0],
                "port": certifiers.identity_listener.getsockname()[1],
                "cp_code": CP_CODE,
                "certificate": certificate,
                "private_key": f"file:{key}",
                "responder": responder,
            },
        },
        {
            "ca_code": SIGNATURE_CERTIFIER,
            "name": CERTIFIER_NAMES[SIGNATURE_CERTIFIER],
            "kind": "signature",
            "signature": {
                "base_url": certifiers.signature,
                "client_id": certifiers.client_id,
                "client_secret": "file:certs/certifier.secret",
                "ca": "certs/ca.pem",
            },
        },
    ]


def _provider_settings(name: str, institution: Institution) -> dict[str, Any]:
    if institution.settings is not None:
        return dict(institution.settings)
    particulars = {"org_code": institution.org_code, "name": institution.name, "industry": institution.industry}
    if institution.speaks != "standard":
        return particulars | build_mediated_settings(name, institution)
    return {
        **particulars,
        "authentication": "hosted",
        "base_urls": [institution.url],
        "ca": "../certs/ca.pem",
        "certificate": "../certs/relay.pem",
        "private_key": "file:../certs/relay.key.pem",
    }


def _directory(environment: SandboxEnvironment) -> dict[str, Any]:
    names = {client_id: name for _, _, services in OPERATORS for client_id, name in services}
    return {
        "operators": [
            {
                "org_code": operator.org_code,
                "name": operator.name,
                "serial_num": operator.identity.serial_number,
                "addresses": _build_networks(environment.addresses),
                "services": [
                    {
                        "client_id": client_id,
                        "name": names[client_id],
                        "client_secret_hash": _hash_secret(secret),
                        "callbacks": [operator.callback],
                        "app_schemes": [APP_SCHEME],
                    }
                    for client_id, secret in zip(operator.client_ids, operator.client_secrets, strict=True)
                ],
            }
            for operator in environment.operators
        ]
    }


def _build_networks(addresses: Sequence[str]) -> list[str]:
    return [f"{address}/{128 if ':' in address else 32}" for address in addresses]


def _socket_path(folder: Path, role: str) -> str:
    """Returns a path in the folder, or one in the temporary folder when it exceeds a socket's limit (108 bytes)."""
    path = folder.resolve() / f"{role}.sock"
    if len(os.fsencode(path)) < MAX_SOCKET_PATH:
        return str(path)
    return f"{tempfile.gettempdir()}/relay-{role}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}.sock"


def _hash_secret(secret: str) -> str:
    """Returns the `client_secret_hash` of a secret. Its cost is low, since the secrets protect nothing."""
    salt = os.urandom(16)
    digest = hashlib.scrypt(secret.encode(), salt=salt, n=1 << SECRET_LN, r=8, p=1, dklen=32)
    encoded = [base64.b64encode(part).decode().rstrip("=") for part in (salt, digest)]
    return f"$scrypt$ln={SECRET_LN},r=8,p=1${encoded[0]}${encoded[1]}"


def _facts(environment: SandboxEnvironment) -> dict[str, Any]:
    portal = environment.portal
    return {
        "issuer": RELAY_CODE,
        "relay": None if environment.relay is None else environment.relay.describe(),
        "gateway": environment.gateway,
        "admin": environment.admin,
        "portal": None if portal is None else {"url": portal.url, "control": portal.control_url},
        "operators": {operator.org_code: list(operator.client_ids) for operator in environment.operators},
        "institutions": {
            institution.org_code: institution.industry for institution in environment.institutions.values()
        },
        "authentication": {
            institution.org_code: institution.authentication for institution in environment.institutions.values()
        },
        "own_institution": next((entry.org_code for entry in environment.own_institutions), None),
        "ledger": environment.ledger,
        "ports": _list_ports(environment),
    }


def _list_ports(environment: SandboxEnvironment) -> dict[str, int]:
    """Returns the ports of all parties, the relay's first."""
    certifiers, portal = environment.certifiers, environment.portal
    sockets = {industry: institution.listener for industry, institution in environment.institutions.items()}
    sockets |= {
        "callback": environment.callback,
        "identity_certifier": certifiers.identity_listener,
        "signature_certifier": certifiers.signature_listener,
    }
    if portal is not None:
        sockets |= {"portal": portal.listener, "control": portal.control}
    relay = {"gateway": environment.gateway_port, "admin": environment.admin_port, "pages": environment.pages_port}
    return relay | {name: listener.getsockname()[1] for name, listener in sockets.items()}


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(dict(content), allow_unicode=True, sort_keys=False))
