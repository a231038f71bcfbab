"""Writes the gateways' configurations and returns their commands."""

import json
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness.identity import Identity
from harness.layout import (
    BENCH,
    BUILD,
    COMPILED,
    GET_PATH,
    OPERATOR,
    POST_PATH,
    RATE,
    RELAY,
    ROOT,
    SERIAL,
    SIZES,
    SMALL,
    Ports,
    free_ports,
    render,
)
from harness.relay_settings import write_relay_settings

RELAY_FORMS: Final = ("relay", "relay_compiled")
"""The same source as Python code, and compiled."""

FLOORS: Final = ("floor", "uvloop_floor")
"""Programs that only move bytes: HAProxy in TCP mode, and one on uvloop."""

GATEWAYS: Final = (*RELAY_FORMS, "nginx_lua", "haproxy", "aiohttp", *FLOORS, "aiohttp_uvloop")
QUICK: Final = GATEWAYS[:-1]


CONNECTIONS: Final = 13_000
"""Connections of nginx on both sides: more than any part of the benchmark opens."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway of this session: its command and its ports."""

    name: str
    ports: Ports
    argv: list[str]
    listeners: tuple[str, ...] = ("plain", "tls", "mtls")

    def wait_for(self) -> list[int]:
        """Returns the ports that must accept before the gateway counts as started."""
        return [getattr(self.ports, listener) for listener in self.listeners]


@dataclass(frozen=True, slots=True)
class SharedConfig:
    """Values that all configurations share, and the interpreter of gateways in Python."""

    identity: Identity
    upstreams: dict[str, int]
    python: str = sys.executable

    def interpreter(self, form: str = "relay", *folders: Path) -> list[str]:
        """Returns the interpreter command for a form of the relay; `folders` have modules of scripts.

        Another build of this version (with profile-guided optimisation: a third faster) uses the packages of the venv.
        The compiled form is a copy of the package in a folder of its own, which must come before the current folder.
        """
        packages = [] if self.python == sys.executable else [sysconfig.get_path("platlib")]
        paths = (COMPILED if form == "relay_compiled" else ROOT, *folders, *packages)
        return ["env", "PYTHONSAFEPATH=1", f"PYTHONPATH={':'.join(map(str, paths))}", self.python]

    def files(self) -> dict[str, str]:
        """Returns the identity's files by the names in templates."""
        return {
            "CERTIFICATE": self.identity.path("server.pem"),
            "PRIVATE_KEY": self.identity.path("server.key"),
            "BUNDLE": self.identity.path("server.both.pem"),
            "CLIENT_CA": self.identity.path("ca.pem"),
            "PUBLIC_KEY": self.identity.path("tokens.pub.pem"),
        }


@dataclass(frozen=True, slots=True)
class RelayVariant:
    """A relay with other settings, or with a script of the harness as its process; `label` names it."""

    label: str
    form: str = "relay"
    changes: Mapping[str, Any] = field(default_factory=dict)
    script: tuple[str, ...] = ()


def _template(name: str) -> str:
    return (BENCH / name).read_text(encoding="utf-8")


def _listener_ports(ports: Ports) -> dict[str, str | int]:
    return {"PLAIN": ports.plain, "TLS": ports.tls, "MTLS": ports.mtls}


def nginx_config(shared: SharedConfig, ports: Ports, folder: Path) -> str:
    """Returns nginx.conf."""
    files = shared.files()
    upstreams = "".join(
        f"    upstream provider_{org} {{\n        server 127.0.0.1:{port};\n        keepalive 256;\n"
        f"        keepalive_requests 1000000000;\n    }}\n"
        for org, port in shared.upstreams.items()
    )
    values = _listener_ports(ports) | {name: text for name, text in files.items() if name != "BUNDLE"}
    values |= {"DIR": str(folder), "LUA": str(BENCH), "UPSTREAMS": upstreams, "RATE": RATE, "CONNECTIONS": CONNECTIONS}
    return render(_template("nginx.conf.in"), values | {"ISSUER": RELAY, "OPERATOR": OPERATOR, "SERIAL": SERIAL})


def haproxy_config(shared: SharedConfig, ports: Ports) -> str:
    """Returns haproxy.cfg."""
    files = shared.files()
    backends = "".join(
        f"backend provider_{org}\n    server upstream 127.0.0.1:{port}\n" for org, port in shared.upstreams.items()
    )
    values = _listener_ports(ports) | {name: files[name] for name in ("BUNDLE", "CLIENT_CA", "PUBLIC_KEY")}
    values |= {"ISSUER": RELAY, "OPERATOR": OPERATOR, "SERIAL": SERIAL, "RATE": RATE, "BACKENDS": backends}
    return render(_template("haproxy.cfg.in"), values | {"GET_PATH": GET_PATH, "POST_PATH": POST_PATH})


def aiohttp_settings(shared: SharedConfig, ports: Ports, folder: Path) -> str:
    """Returns the settings of aiohttp_proxy.py."""
    settings = {name.lower(): text for name, text in shared.files().items()} | {
        "issuer": RELAY,
        "operator": OPERATOR,
        "serial": SERIAL,
        "rate": RATE,
        "log": str(folder / "access.log"),
        "ports": {"plain": ports.plain, "tls": ports.tls, "mtls": ports.mtls},
        "routes": {f"GET {GET_PATH}": ["BA01", "bank.list"], f"POST {POST_PATH}": ["BA04", "bank.deposit"]},
        "providers": {org: f"http://127.0.0.1:{port}" for org, port in shared.upstreams.items()},
    }
    return json.dumps(settings, indent=2)


def _fresh(name: str) -> Path:
    folder = BUILD / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def relay_command(shared: SharedConfig, form: str, settings: Path, script: tuple[str, ...] = ()) -> list[str]:
    """Returns the command of a gateway of the relay, or of a script of the harness that runs one."""
    if script:
        return [*shared.interpreter(form, BENCH), str(BENCH / "harness" / script[0]), str(settings), *script[1:]]
    return [*shared.interpreter(form), "-m", "relay", "serve", "--role", "gateway", "-c", str(settings)]


def prepare_relay(shared: SharedConfig, variant: RelayVariant) -> Gateway:
    """Writes the settings of a relay into bench/build/LABEL and returns the gateway."""
    ports, folder = Ports(*free_ports(4)), _fresh(variant.label)
    settings = write_relay_settings(folder, shared.identity, shared.upstreams, ports, changes=variant.changes)
    return Gateway(variant.label, ports, relay_command(shared, variant.form, settings, variant.script))


def prepare(name: str, shared: SharedConfig) -> Gateway:
    """Writes a gateway's configuration into bench/build/NAME and returns the gateway."""
    if name in RELAY_FORMS:
        return prepare_relay(shared, RelayVariant(name, name))
    ports, folder = Ports(*free_ports(4)), _fresh(name)
    match name:
        case "aiohttp" | "aiohttp_uvloop":
            (folder / "settings.json").write_text(aiohttp_settings(shared, ports, folder), encoding="utf-8")
            argv = [*shared.interpreter(), str(BENCH / "aiohttp_proxy.py"), str(folder / "settings.json")]
            return Gateway(name, ports, argv if name == "aiohttp" else [*argv, "uvloop"])
        case "nginx_lua":
            locations = render(_template("nginx_locations.conf.in"), {"GET_PATH": GET_PATH, "POST_PATH": POST_PATH})
            (folder / "locations.conf").write_text(locations, encoding="utf-8")
            (folder / "nginx.conf").write_text(nginx_config(shared, ports, folder), encoding="utf-8")
            argv = ["/usr/sbin/nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
            return Gateway(name, ports, argv)
        case "haproxy":
            (folder / "haproxy.cfg").write_text(haproxy_config(shared, ports), encoding="utf-8")
            return Gateway(name, ports, ["/usr/sbin/haproxy", "-db", "-f", str(folder / "haproxy.cfg")])
        case "floor":
            text = render(_template("floor.cfg.in"), {"PLAIN": ports.plain, "UPSTREAM": shared.upstreams[SMALL]})
            (folder / "haproxy.cfg").write_text(text, encoding="utf-8")
            argv = ["/usr/sbin/haproxy", "-db", "-f", str(folder / "haproxy.cfg")]
            return Gateway(name, ports, argv, listeners=("plain",))
        case "uvloop_floor":
            argv = [
                *shared.interpreter(),
                str(BENCH / "uvloop_floor.py"),
                str(ports.plain),
                str(shared.upstreams[SMALL]),
            ]
            return Gateway(name, ports, argv, listeners=("plain",))
        case _:
            raise ValueError(f"no such gateway: {name}")


def upstream_argv(program: str, upstreams: dict[str, int]) -> list[str]:
    """Returns the command of the static institution."""
    return [program, "127.0.0.1", *(f"{port}:{SIZES[org]}" for org, port in upstreams.items())]
