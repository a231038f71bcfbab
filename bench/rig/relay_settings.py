"""The relay's own settings for the benchmark: strict checking, all limits on, none of them reached."""

from pathlib import Path
from typing import Any

import yaml

from rig.identity import Identity
from rig.layout import CLIENT_ID, KID, OPERATOR, RATE, RELAY, SERIAL, Ports


def relay_settings(identity: Identity, ports: Ports, folder: Path) -> dict[str, Any]:
    """`relay.yaml`."""
    rate = {"per_second": RATE, "burst": RATE}
    return {
        "relay": {"org_code": RELAY, "name": "Benchmark relay"},
        "gateway": {
            "listeners": [
                {"address": "127.0.0.1", "port": ports.plain, "tls": False, "client_certificate": False},
                {"address": "127.0.0.1", "port": ports.tls, "tls": True, "client_certificate": False},
                {"address": "127.0.0.1", "port": ports.mtls, "tls": True, "client_certificate": True},
            ],
            "tls": {
                "certificate": identity.path("server.pem"),
                "private_key": f"file:{identity.path('server.key')}",
                "client_ca": identity.path("ca.pem"),
            },
            "limits": {"connections_per_operator": 1024},
            "drain": {"delay_s": 0, "finish_s": 2},
        },
        "tokens": {
            "issuer": RELAY,
            "keys": [{"kid": KID, "algorithm": "RS256", "public_key": identity.path("tokens.pub.pem")}],
        },
        "checking": "strict",
        "upstream": {"concurrency": 1024, "queue": 1024, "timeouts": {"first_byte_s": 60, "total_s": 120}},
        "rates": {"operator_provider": rate, "provider": dict(rate)},  # a copy: the relay reads no YAML aliases
        "admin": {"address": "127.0.0.1", "port": ports.admin},
        "access_log": {"path": str(folder / "access.log")},
        "directory": str(folder / "directory.yaml"),
        "providers": str(folder / "providers"),
    }


def directory() -> dict[str, Any]:
    """`directory.yaml`: the one operator that calls."""
    service = {"client_id": CLIENT_ID, "name": "Benchmark service"}
    return {
        "operators": [
            {
                "org_code": OPERATOR,
                "name": "Benchmark operator",
                "serial_num": SERIAL,
                "addresses": ["127.0.0.1/32"],
                "services": [service],
            }
        ]
    }


def provider(org_code: str, port: int) -> dict[str, Any]:
    """`providers/ORG.yaml`: a bank on a leased line."""
    return {
        "org_code": org_code,
        "name": f"Bank {org_code}",
        "industry": "bank",
        "base_urls": [f"http://127.0.0.1:{port}"],
        "link": "leased_line",
    }


def write_relay_settings(folder: Path, identity: Identity, upstreams: dict[str, int], ports: Ports) -> Path:
    """All files the relay reads; the path of relay.yaml."""
    (folder / "providers").mkdir(parents=True, exist_ok=True)
    files = {folder / "relay.yaml": relay_settings(identity, ports, folder), folder / "directory.yaml": directory()}
    files |= {folder / "providers" / f"{org}.yaml": provider(org, port) for org, port in upstreams.items()}
    for path, content in files.items():
        path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return folder / "relay.yaml"
