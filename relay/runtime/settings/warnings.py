"""Warnings of `relay check`: settings that work, but probably not as intended. They do not change the exit code."""

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
    """Yield warnings of pages without tls and proxies, and of services without secret or app schemes.

    `path` is `relay.yaml`.
    """
    pages = loaded.settings.authority.pages
    if pages is not None and pages.tls is None and not pages.proxies:
        wrong = "is empty, but pages have no tls: all customers behind a load balancer share the limits of one address"
        yield Problem(shown(path.absolute()), "authority.pages.proxies", wrong, "the networks of the load balancers")
    if loaded.settings.portal is not None:
        return
    directory = shown(path.absolute().parent / loaded.settings.directory)
    has_app = any(provider.authentication is Authentication.APP for provider in loaded.providers)
    for index, operator in enumerate(loaded.directory.operators):
        for number, service in enumerate(operator.services):
            key = f"operators[{index}].services[{number}]"
            if not service.client_secret_hash:
                wrong = "is empty: token requests of this service always fail"
                yield Problem(directory, f"{key}.client_secret_hash", wrong, "the output of `relay secret`")
            if has_app and not service.app_schemes:
                wrong = "is empty: institutions with authentication app refuse its customers (개별인증-001)"
                yield Problem(directory, f"{key}.app_schemes", wrong, "the URL schemes of its apps")


def file_warnings(path: Path, loaded: Loaded, now: datetime) -> Iterator[Problem]:
    """Yield warnings of secrets that all users of the machine may read, and of expired CAs beside valid ones."""
    pairs = list(zip(loaded.sources, loaded.providers, strict=True))
    for reference in references(path.absolute(), loaded.settings, pairs):
        if reference.kind in _SECRETS and reference.path is not None and _is_world_readable(reference.path):
            yield _warning(reference, f"the file {reference.path} is readable by all users", "mode 0600 or 0640")
        if reference.kind is Kind.CA:
            expiry = expired_in_bundle(Path(reference.target), now)
            if expiry and not all(expiry.values()):
                names = ", ".join(name for name, is_expired in expiry.items() if is_expired)
                if names:
                    yield _warning(reference, f"contains an expired CA: {names}", "CAs that are valid today")


def expired_in_bundle(bundle: Path, now: datetime) -> dict[str, bool]:
    """Return for each CA of a bundle, by name, if it expired. Empty when OpenSSL cannot read the bundle."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        expect_regular(bundle)
        context.load_verify_locations(bundle)
    except (OSError, ValueError):
        return {}
    certificates = context.get_ca_certs()
    return {_name(certificate): _expires_at(certificate) < now for certificate in certificates}


def _name(certificate: Mapping[str, object]) -> str:
    subject = certificate.get("subject", ())
    names = [value for group in subject for key, value in group if key == "commonName"]  # type: ignore[attr-defined]
    return str(names[0]) if names else str(certificate.get("serialNumber"))


def _expires_at(certificate: Mapping[str, object]) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)


def _is_world_readable(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False  # `file_problems` reports it


def _warning(reference: Reference, wrong: str, allowed: str) -> Problem:
    return Problem(shown(reference.file), reference.key, wrong, allowed)
