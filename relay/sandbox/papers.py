"""The street's papers: the settings files that the relay reads, and the facts that tools read."""

import base64
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from relay.sandbox.certificates import TOKEN_KEYS
from relay.sandbox.certifier_identity import CP_CODE
from relay.sandbox.houses import (
    LOOPBACK,
    MARK,
    OPERATORS,
    PORTAL_CODE,
    RELAY_CODE,
    RELAY_NAME,
    Certifiers,
    Institution,
    Portal,
    Street,
)
from relay.sandbox.secret_files import keep
from relay.sandbox.signing import IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER

APP_SCHEME: Final = "moabogi"
SECRET_LN: Final = 10
SOCKET_PATH_MOST: Final = 100
ADDRESSES: Final = ("127.0.0.1/32", "::1/128")
SYNC_S: Final = 5
"""Seconds between two looks at the registry, so that a change made by hand is seen at once."""


def write_all(street: Street) -> None:
    """Write everything: `relay.yaml`, a file for each institution, the directory, the customers' key, the facts.

    With a portal there is no directory, but the secret that is shown to the portal.
    """
    providers = street.folder / "providers"
    providers.mkdir(exist_ok=True)
    for institution in street.institutions.values():
        _write(providers / f"{institution.industry}.yaml", _provider_settings(institution))
    if street.portal is None:
        _write(street.folder / "directory.yaml", _directory(street))
    else:
        (street.folder / "directory.yaml").unlink(missing_ok=True)
        keep(street.folder / "certs" / "portal.secret", street.portal.accounts[RELAY_CODE].client_secret.encode())
    _write(street.settings, _relay_settings(street))
    keep(street.folder / "certs" / "customers.key", base64.b64encode(os.urandom(32)))
    keep(street.folder / "certs" / "certifier.secret", street.certifiers.client_secret.encode())
    _remove_former(street.folder)
    (street.folder / MARK).write_text(json.dumps(_facts(street), ensure_ascii=False, indent=2))


def _remove_former(folder: Path) -> None:
    """Remove a former ledger, sealed with a former key, and what was counted and recorded beside it."""
    for pattern in ("ledger.db*", "access.log*"):
        for old in folder.glob(pattern):
            old.unlink()
    shutil.rmtree(folder / "spool", ignore_errors=True)


def _relay_settings(street: Street) -> dict[str, Any]:
    parties = {"directory": "directory.yaml"} if street.portal is None else _portal(street.portal)
    return {
        "relay": {"org_code": RELAY_CODE, "name": RELAY_NAME},
        "gateway": {
            "listeners": [{"address": LOOPBACK, "port": street.gateway_port}],
            "tls": {
                "certificate": "certs/relay.pem",
                "private_key": "file:certs/relay.key.pem",
                "client_ca": "certs/ca.pem",
            },
            "drain": {"delay_s": 0, "finish_s": 2},  # nobody waits for a load balancer here
        },
        "tokens": {
            "issuer": RELAY_CODE,
            "keys": f"certs/{TOKEN_KEYS}",
        },
        "ledger": {"url": street.ledger, "customer_keys": [{"kid": "dev-1", "key": "file:certs/customers.key"}]},
        "authority": {
            "socket": _socket(street.folder),
            "request_s": 3600,  # a person who looks at the pages has time
            "pages": {
                "url": street.pages,
                "address": LOOPBACK,
                "port": street.pages_port,
                "tls": {"certificate": "certs/relay.pem", "private_key": "file:certs/relay.key.pem"},
            },
        },
        "certifiers": _certifiers(street.certifiers, street.folder),
        "admin": {"address": LOOPBACK, "port": street.admin_port},
        "access_log": {"path": "access.log"},
        "providers": "providers",
        **parties,
    }


def _portal(portal: Portal) -> dict[str, Any]:
    """The settings of a relay that lives from its portal's registry; quick in everything, as people are watching."""
    return {
        "portal": {
            "org_code": PORTAL_CODE,
            "base_url": portal.url,
            "serial_num": portal.identity.serial_number,
            "addresses": [*ADDRESSES],
            "calls": {
                "client_id": portal.accounts[RELAY_CODE].client_id,
                "client_secret": "file:certs/portal.secret",
            },
            "offers": {
                "client_id": portal.offered.client_id,
                "client_secret_hash": _hashed(portal.offered.client_secret),
            },
            "ca": "certs/ca.pem",
            "timeouts": {"connect_s": 2, "total_s": 10, "backoff_s": 0.2},
            "sync_s": SYNC_S,
        },
        "jobs": {"term_s": 5},
    }


def _certifiers(certifiers: Certifiers, folder: Path) -> list[dict[str, Any]]:
    papers = certifiers.papers
    root, crl, ours, key, desk = (
        str(path.relative_to(folder)) for path in (papers.root, papers.crl, papers.relay, papers.relay_key, papers.desk)
    )
    return [
        {
            "ca_code": IDENTITY_CERTIFIER,
            "name": "가상공동인증",
            "kind": "identity",
            "roots": [root],
            "crls": [crl],
            "identity": {
                "host": LOOPBACK,
                "port": certifiers.identity_door.getsockname()[1],
                "cp_code": CP_CODE,
                "certificate": ours,
                "private_key": f"file:{key}",
                "responder": desk,
            },
        },
        {
            "ca_code": SIGNATURE_CERTIFIER,
            "name": "가상사설인증",
            "kind": "signature",
            "signature": {
                "base_url": certifiers.signature,
                "client_id": certifiers.client_id,
                "client_secret": "file:certs/certifier.secret",
                "ca": "certs/ca.pem",
            },
        },
    ]


def _provider_settings(institution: Institution) -> dict[str, Any]:
    return {
        "org_code": institution.org_code,
        "name": institution.name,
        "industry": institution.industry,
        "authentication": "hosted",
        "base_urls": [f"https://{LOOPBACK}:{institution.port}"],
        "ca": "../certs/ca.pem",
        "certificate": "../certs/relay.pem",
        "private_key": "file:../certs/relay.key.pem",
    }


def _directory(street: Street) -> dict[str, Any]:
    names = {client_id: name for _, _, services in OPERATORS for client_id, name in services}
    return {
        "operators": [
            {
                "org_code": operator.org_code,
                "name": operator.name,
                "serial_num": operator.identity.serial_number,
                "addresses": [*ADDRESSES],
                "services": [
                    {
                        "client_id": client_id,
                        "name": names[client_id],
                        "client_secret_hash": _hashed(secret),
                        "callbacks": [operator.callback],
                        "app_schemes": [APP_SCHEME],
                    }
                    for client_id, secret in zip(operator.client_ids, operator.client_secrets, strict=True)
                ],
            }
            for operator in street.operators
        ]
    }


def _socket(folder: Path) -> str:
    """Beside the settings, unless their path is longer than a socket's may be (108 bytes)."""
    path = folder.resolve() / "authority.sock"
    if len(os.fsencode(path)) < SOCKET_PATH_MOST:
        return str(path)
    return f"{tempfile.gettempdir()}/relay-{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}.sock"


def _hashed(secret: str) -> str:
    """A client secret in the form of `client_secret_hash`; cheap, since nothing here is worth guessing."""
    salt = os.urandom(16)
    found = hashlib.scrypt(secret.encode(), salt=salt, n=1 << SECRET_LN, r=8, p=1, dklen=32)
    said = [base64.b64encode(part).decode().rstrip("=") for part in (salt, found)]
    return f"$scrypt$ln={SECRET_LN},r=8,p=1${said[0]}${said[1]}"


def _facts(street: Street) -> dict[str, Any]:
    return {
        "issuer": RELAY_CODE,
        "gateway": street.gateway,
        "admin": street.admin,
        "portal": None if street.portal is None else {"url": street.portal.url, "control": street.portal.control_url},
        "operators": {operator.org_code: list(operator.client_ids) for operator in street.operators},
        "institutions": {institution.org_code: institution.industry for institution in street.institutions.values()},
        "token_keys": {
            key.algorithm: {
                "kid": key.kid,
                "private_key": f"certs/{TOKEN_KEYS}/{key.private_key.name}",
                "public_key": f"certs/{TOKEN_KEYS}/{key.public_key.name}",
            }
            for key in street.certificates.token_keys.values()
        },
    }


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(dict(content), allow_unicode=True, sort_keys=False))
