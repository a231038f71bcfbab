"""A street in a folder: certificates, settings, directory, one institution of each industry, all on loopback.

`build` writes the files and binds the institutions' sockets; `opened` lets the institutions answer. The relay itself is
started by whoever owns the street, from the `relay.yaml` written here.
"""

import fcntl
import json
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import yaml
from aiohttp import web

from relay.domain.api import Catalogue
from relay.domain.ids import INDUSTRIES
from relay.sandbox.certificates import DevCertificates, Pair, TokenKeyPair, make_dev_certificates
from relay.sandbox.provider import Provider, today_in_korea
from relay.sandbox.world.model import Story

RELAY_CODE: Final = "ZRLA000001"
LOOPBACK: Final = "127.0.0.1"
MARK: Final = "street.json"
_INSTITUTIONS: Final = {
    "bank": ("ZBAA000001", "가온상호저축은행"),
    "card": ("ZCDA000001", "나루카드"),
    "invest": ("ZINA000001", "다솜투자증권"),
    "insu": ("ZISA000001", "라온생명손해보험"),
    "efin": ("ZEFA000001", "마루페이"),
    "capital": ("ZCPA000001", "바른길캐피탈"),
    "ginsu": ("ZGIA000001", "새벽보증보험"),
    "telecom": ("ZTEA000001", "아라텔레콤"),
    "p2p": ("ZPPA000001", "자람온라인투자"),
    "bond": ("ZBDA000001", "채움자산관리"),
    "usury": ("ZUSA000001", "한결대부"),
}
_OPERATORS: Final = (
    ("ZOPA000001", "모아보기마이데이터", (("ZOPA000001SVC01", "모아보기"), ("ZOPA000001SVC02", "모아보기 가계부"))),
    ("ZOPA000002", "한눈에마이데이터", (("ZOPA000002SVC01", "한눈에"),)),
)


@dataclass(frozen=True, slots=True)
class Institution:
    """One provider of the street and where it listens."""

    org_code: str
    name: str
    industry: str
    identity: Pair
    door: socket.socket
    port: int


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One operator of the street with the client_ids of its services."""

    org_code: str
    name: str
    client_ids: tuple[str, ...]
    identity: Pair


@dataclass(frozen=True, slots=True)
class Street:
    """What `build` made. `settings` is the relay's `relay.yaml`; `institutions` are by industry."""

    folder: Path
    settings: Path
    gateway_port: int
    admin_port: int
    certificates: DevCertificates
    institutions: Mapping[str, Institution]
    operators: tuple[Neighbour, ...]
    held: ExitStack

    @property
    def gateway(self) -> str:
        """The gateway's base URL."""
        return f"https://{LOOPBACK}:{self.gateway_port}"

    @property
    def admin(self) -> str:
        """The admin plane's base URL."""
        return f"http://{LOOPBACK}:{self.admin_port}"

    @property
    def token_key(self) -> TokenKeyPair:
        """The key that signs access tokens unless another is asked for."""
        return self.certificates.token_keys["ES256"]

    def close(self) -> None:
        """Close the institutions' doors and let go of the folder; done by `opened` when it was used."""
        self.held.close()


def build(folder: Path, now: datetime, *, gateway_port: int = 0, admin_port: int = 0) -> Street:
    """Write a street into `folder`: a new one, an empty one, or one that held a street before.

    Raises FileExistsError when the folder holds anything else and BlockingIOError when a running street holds it.
    Wanted ports that are taken are replaced by free ones.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise FileExistsError(f"{folder} is not empty and holds no sandbox")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as guard:
        held = guard.enter_context(ExitStack())
        _hold(folder, held)
        street = _laid_out(folder, now, _free_ports(gateway_port, admin_port), held)
        _write_all(street)
        guard.pop_all()  # all went well: the street keeps what it holds
    return street


def facts_of(folder: Path) -> dict[str, Any]:
    """What `build` noted down about the street in `folder` (`street.json`)."""
    facts: dict[str, Any] = json.loads((folder / MARK).read_text())
    return facts


def token_key_of(folder: Path, algorithm: str = "ES256") -> TokenKeyPair:
    """The key of the street in `folder` that signs access tokens with `algorithm`."""
    key = facts_of(folder)["token_keys"][algorithm]
    return TokenKeyPair(key["kid"], algorithm, folder / key["private_key"], folder / key["public_key"])


@asynccontextmanager
async def opened(
    street: Street,
    catalogue: Catalogue,
    stories: Mapping[str, Story],
    today: Callable[[], date] = today_in_korea,
) -> AsyncIterator[None]:
    """Every institution answers, over TLS 1.3 and to the relay's certificate alone, until the block ends."""
    async with AsyncExitStack() as stack:
        stack.callback(street.close)
        for institution in street.institutions.values():
            provider = Provider(institution.org_code, institution.industry, catalogue, stories, today)
            runner = web.AppRunner(provider.application(), access_log=None, shutdown_timeout=1.0, auto_decompress=False)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            context = _server_context(institution.identity, street.certificates.relay.certificate)
            await web.SockSite(runner, institution.door, ssl_context=context).start()
        yield


def _hold(folder: Path, held: ExitStack) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    held.callback(os.close, descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _laid_out(folder: Path, now: datetime, ports: tuple[int, int], held: ExitStack) -> Street:
    certificates = make_dev_certificates(folder / "certs", now, force=True)
    return Street(
        folder=folder,
        settings=folder / "relay.yaml",
        gateway_port=ports[0],
        admin_port=ports[1],
        certificates=certificates,
        institutions={
            industry: _institution(industry, certificates.providers[industry], held.enter_context(_bound()))
            for industry in INDUSTRIES
        },
        operators=tuple(
            Neighbour(org_code, name, tuple(client_id for client_id, _ in services), identity)
            for (org_code, name, services), identity in zip(_OPERATORS, certificates.operators, strict=True)
        ),
        held=held,
    )


def _institution(industry: str, identity: Pair, door: socket.socket) -> Institution:
    org_code, name = _INSTITUTIONS[industry]
    return Institution(org_code, name, industry, identity, door, door.getsockname()[1])


def _bound(wanted: int = 0) -> socket.socket:
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((LOOPBACK, wanted))
    except OSError:
        door.bind((LOOPBACK, 0))
    door.setblocking(False)
    return door


def _free_ports(gateway: int, admin: int) -> tuple[int, int]:
    with _bound(gateway) as one, _bound(admin) as other:  # both held at once, so that they differ
        return one.getsockname()[1], other.getsockname()[1]


def _server_context(identity: Pair, caller: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the caller's own certificate is the anchor
    context.load_verify_locations(caller)
    context.load_cert_chain(identity.certificate, identity.private_key)
    return context


def _write_all(street: Street) -> None:
    providers = street.folder / "providers"
    providers.mkdir(exist_ok=True)
    for institution in street.institutions.values():
        _write(providers / f"{institution.industry}.yaml", _provider_settings(institution))
    _write(street.folder / "directory.yaml", _directory(street))
    _write(street.settings, _relay_settings(street))
    (street.folder / MARK).write_text(json.dumps(_facts(street), ensure_ascii=False, indent=2))


def _relay_settings(street: Street) -> dict[str, Any]:
    return {
        "relay": {"org_code": RELAY_CODE, "name": "가상중계센터"},
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
            "keys": [
                {"kid": key.kid, "algorithm": key.algorithm, "public_key": f"certs/{key.public_key.name}"}
                for key in street.certificates.token_keys.values()
            ],
        },
        "admin": {"address": LOOPBACK, "port": street.admin_port},
        "access_log": {"path": "access.log"},
        "directory": "directory.yaml",
        "providers": "providers",
    }


def _provider_settings(institution: Institution) -> dict[str, Any]:
    return {
        "org_code": institution.org_code,
        "name": institution.name,
        "industry": institution.industry,
        "base_urls": [f"https://{LOOPBACK}:{institution.port}"],
        "ca": "../certs/ca.pem",
        "certificate": "../certs/relay.pem",
        "private_key": "file:../certs/relay.key.pem",
    }


def _directory(street: Street) -> dict[str, Any]:
    names = {client_id: name for _, _, services in _OPERATORS for client_id, name in services}
    return {
        "operators": [
            {
                "org_code": operator.org_code,
                "name": operator.name,
                "serial_num": operator.identity.serial_number,
                "addresses": ["127.0.0.1/32", "::1/128"],
                "services": [{"client_id": client_id, "name": names[client_id]} for client_id in operator.client_ids],
            }
            for operator in street.operators
        ]
    }


def _facts(street: Street) -> dict[str, Any]:
    return {
        "issuer": RELAY_CODE,
        "gateway": street.gateway,
        "admin": street.admin,
        "operators": {operator.org_code: list(operator.client_ids) for operator in street.operators},
        "institutions": {institution.org_code: institution.industry for institution in street.institutions.values()},
        "token_keys": {
            key.algorithm: {
                "kid": key.kid,
                "private_key": f"certs/{key.private_key.name}",
                "public_key": f"certs/{key.public_key.name}",
            }
            for key in street.certificates.token_keys.values()
        },
    }


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(dict(content), allow_unicode=True, sort_keys=False))
