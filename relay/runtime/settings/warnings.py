"""What in the settings works and yet is not what somebody wants: `relay check` tells of it and still ends with 0."""

import ssl
import stat
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from relay.infra.files.regular import expect_regular
from relay.policy.settings.directory import Authentication
from relay.runtime.settings.loading import Loaded
from relay.runtime.settings.problems import Problem, shown
from relay.runtime.settings.secret_references import Kind, Reference, references

_SECRETS: Final = frozenset({Kind.PRIVATE_KEY, Kind.SECRET})


def setting_warnings(path: Path, loaded: Loaded) -> Iterator[Problem]:
    """Pages whose customers share an address; services that no token call or app can use. `path` is `relay.yaml`."""
    pages = loaded.settings.authority.pages
    if pages is not None and pages.tls is None and not pages.proxies:
        wrong = "is empty though pages have no tls: limits take all customers of a load balancer for one address"
        yield Problem(shown(path.absolute()), "authority.pages.proxies", wrong, "the networks of the load balancers")
    if loaded.settings.portal is not None:
        return
    directory = shown(path.absolute().parent / loaded.settings.directory)
    in_apps = any(provider.authentication is Authentication.APP for provider in loaded.providers)
    for at, operator in enumerate(loaded.directory.operators):
        for nth, service in enumerate(operator.services):
            key = f"operators[{at}].services[{nth}]"
            if not service.client_secret_hash:
                wrong, allowed = "is empty: no token call of this service can succeed", "what `relay secret` prints"
                yield Problem(directory, f"{key}.client_secret_hash", wrong, allowed)
            if in_apps and not service.app_schemes:
                wrong = "is empty: institutions with authentication app refuse its customers (개별인증-001)"
                yield Problem(directory, f"{key}.app_schemes", wrong, "the schemes its apps are called by")


def file_warnings(path: Path, loaded: Loaded, now: datetime) -> Iterator[Problem]:
    """Secrets that every user of the machine may read; expired CAs beside others that are valid."""
    pairs = list(zip(loaded.sources, loaded.providers, strict=True))
    for each in references(path.absolute(), loaded.settings, pairs):
        if each.kind in _SECRETS and each.path is not None and _is_open(each.path):
            yield _warning(each, f"the file {each.path} is readable by all", "mode 0600 or 0640")
        if each.kind is Kind.CA:
            ended = expired_in_bundle(Path(each.target), now)
            if ended and not all(ended.values()):
                names = ", ".join(name for name, is_over in ended.items() if is_over)
                if names:
                    yield _warning(each, f"holds a CA that expired: {names}", "CAs that are valid today")


def expired_in_bundle(bundle: Path, now: datetime) -> dict[str, bool]:
    """Whether each CA of a bundle, as OpenSSL reads it, expired; empty when OpenSSL cannot read it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        expect_regular(bundle)
        context.load_verify_locations(bundle)
    except (OSError, ValueError):
        return {}
    rows = context.get_ca_certs()
    return {_name(row): _moment(row) < now for row in rows}


def _name(row: Mapping[str, object]) -> str:
    subject = row.get("subject", ())
    parts = [value for group in subject for key, value in group if key == "commonName"]  # type: ignore[attr-defined]
    return str(parts[0]) if parts else str(row.get("serialNumber"))


def _moment(row: Mapping[str, object]) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(row["notAfter"])), UTC)


def _is_open(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False  # `file_problems` tells of it


def _warning(reference: Reference, wrong: str, allowed: str) -> Problem:
    return Problem(shown(reference.file), reference.key, wrong, allowed)
