"""Writes the relay's settings for the benchmark: strict checking, all limits enabled, none reached."""

import asyncio
import base64
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from harness.identity import Identity
from harness.layout import CLIENT_ID, OPERATOR, RATE, RELAY, SERIAL, Ports
from harness.seed_tokens import SeedToken, build_consent, record_seed_tokens
from relay.runtime.commands.migrate import prepare_ledger
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.ledger import build_ledger


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of the directory with its one service."""

    org_code: str = OPERATOR
    serial_num: str = SERIAL
    client_id: str = CLIENT_ID


def relay_settings(identity: Identity, ports: Ports, folder: Path) -> dict[str, Any]:
    """Returns `relay.yaml`."""
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
            "limits": {"connections_per_operator": 1024, "handshakes": 4096},
            "timeouts": {"handshake_s": 60, "head_s": 60},  # the load opens all connections before its first call
            "drain": {"delay_s": 0, "finish_s": 2},
        },
        "tokens": {
            "issuer": RELAY,
            "keys": identity.path("token-keys"),
        },
        "ledger": {
            "url": f"sqlite:{folder / 'ledger.db'}",
            "customer_keys": [{"kid": "bench", "key": f"file:{folder / 'customers.key'}"}],
        },
        "checking": "strict",
        "overload": {"lag_s": 2},  # no call is refused: saturation is what is measured
        "upstream": {"concurrency": 1024, "queue": 1024, "timeouts": {"first_byte_s": 60, "total_s": 120}},
        # copies: the relay reads no YAML aliases
        "rates": {"operator_provider": rate, "provider": dict(rate), "handshakes": dict(rate)},
        "admin": {"address": "127.0.0.1", "port": ports.admin},
        "access_log": {"path": str(folder / "access.log")},
        "directory": str(folder / "directory.yaml"),
        "providers": str(folder / "providers"),
    }


def directory(operators: Iterable[Operator] = (Operator(),)) -> dict[str, Any]:
    """Returns `directory.yaml`."""
    return {
        "operators": [
            {
                "org_code": operator.org_code,
                "name": "Benchmark operator",
                "serial_num": operator.serial_num,
                "addresses": ["127.0.0.1/32"],
                "services": [{"client_id": operator.client_id, "name": "Benchmark service"}],
            }
            for operator in operators
        ]
    }


def provider(org_code: str, port: int) -> dict[str, Any]:
    """Returns `providers/ORG.yaml`: a bank on a leased line."""
    return {
        "org_code": org_code,
        "name": f"Bank {org_code}",
        "industry": "bank",
        "base_urls": [f"http://127.0.0.1:{port}"],
        "link": "leased_line",
    }


def merge(settings: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings with changed values; sections are merged."""
    merged = dict(settings)
    for name, value in changes.items():
        merged[name] = merge(merged.get(name, {}), value) if isinstance(value, Mapping) else value
    return merged


def write_relay_settings(
    folder: Path,
    identity: Identity,
    upstreams: Mapping[str, int],
    ports: Ports,
    *,
    changes: Mapping[str, Any] | None = None,
    operators: Iterable[Operator] = (Operator(),),
    has_tokens: bool = True,
) -> Path:
    """Writes all files that the relay reads, and with `has_tokens` the ledger's tokens; returns the path of relay.yaml.

    `changes` are merged into relay.yaml.
    """
    (folder / "providers").mkdir(parents=True, exist_ok=True)
    settings = merge(relay_settings(identity, ports, folder), changes or {})
    files = {folder / "relay.yaml": settings, folder / "directory.yaml": directory(operators)}
    files |= {folder / "providers" / f"{org}.yaml": provider(org, port) for org, port in upstreams.items()}
    for path, content in files.items():
        path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    (folder / "customers.key").write_bytes(base64.b64encode(bytes(32)))
    claims = [each for org in upstreams for each in identity.claims(org)] if has_tokens else []
    asyncio.run(_record_tokens(folder / "relay.yaml", claims))
    return folder / "relay.yaml"


async def _record_tokens(settings: Path, claims: list[dict[str, Any]]) -> None:
    """Records each token of the load with a consent of its own customer."""
    now, ledger_settings = datetime.now(UTC), load_settings(settings, {}).settings.ledger
    await prepare_ledger(ledger_settings)
    ledger = build_ledger(ledger_settings)
    try:
        seeds = [SeedToken(token, secrets.token_hex(44)) for token in claims]
        await record_seed_tokens(ledger, [(seed, build_consent(seed, now)) for seed in seeds], now)
    finally:
        await ledger.close()
