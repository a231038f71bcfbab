"""Warnings of `relay check`: settings that work, but probably not as intended. They do not change the exit code."""

import ssl
import stat
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Final

from relay.infra.files.regular import require_regular_file
from relay.policy.settings.directory import AuthenticationMethod
from relay.policy.settings.stop_time import GRACE_S, compute_stop_s
from relay.runtime.settings.file_references import Reference, ReferenceKind, find_references
from relay.runtime.settings.loading import LoadedSettings
from relay.runtime.settings.problems import SettingsProblem, format_path

_SECRETS: Final = frozenset({ReferenceKind.PRIVATE_KEY, ReferenceKind.SECRET})


def find_setting_warnings(path: Path, loaded: LoadedSettings) -> Iterator[SettingsProblem]:
    """Yields warnings of a slow stop, of pages without tls and proxies, and of services without secret or app schemes.

    `path` is `relay.yaml`.
    """
    stop_s = compute_stop_s(loaded.settings.gateway)
    if stop_s > GRACE_S:
        wrong = f"a stop may take {stop_s:.1f} s; Kubernetes kills after {GRACE_S:.0f} s by default"
        allowed = f"less, or terminationGracePeriodSeconds (systemd: TimeoutStopSec) of at least {ceil(stop_s)}"
        yield SettingsProblem(format_path(path.absolute()), "gateway.drain", wrong, allowed)
    pages = loaded.settings.authority.pages
    if pages is not None and pages.tls is None and not pages.proxies:
        wrong = "is empty, but pages have no tls: all customers behind a load balancer share the limits of one address"
        yield SettingsProblem(
            format_path(path.absolute()), "authority.pages.proxies", wrong, "the networks of the load balancers"
        )
    if loaded.settings.portal is not None:
        return
    directory = format_path(path.absolute().parent / loaded.settings.directory)
    has_app = any(provider.authentication is AuthenticationMethod.APP for provider in loaded.providers)
    for index, operator in enumerate(loaded.directory.operators):
        for number, service in enumerate(operator.services):
            key = f"operators[{index}].services[{number}]"
            if not service.client_secret_hash:
                wrong = "is empty: token requests of this service always fail"
                yield SettingsProblem(directory, f"{key}.client_secret_hash", wrong, "the output of `relay secret`")
            if has_app and not service.app_schemes:
                wrong = "is empty: institutions with authentication app refuse its customers (개별인증-001)"
                yield SettingsProblem(directory, f"{key}.app_schemes", wrong, "the URL schemes of its apps")


def find_layout_warnings(loaded: LoadedSettings) -> Iterator[SettingsProblem]:
    """Yields warnings of the files of telegrams and of JSON that institutions define themselves."""
    warnings = [warning for institution in loaded.telegrams.values() for warning in institution.warnings]
    warnings += [warning for institution in loaded.json_apis.values() for warning in institution.warnings]
    for warning in warnings:
        yield SettingsProblem(warning.file, warning.key, warning.wrong, warning.allowed)


def find_file_warnings(path: Path, loaded: LoadedSettings, now: datetime) -> Iterator[SettingsProblem]:
    """Yields warnings of secrets that all users of the machine may read, and of expired CAs beside valid ones."""
    pairs = list(zip(loaded.provider_files, loaded.providers, strict=True))
    for reference in find_references(path.absolute(), loaded.settings, pairs):
        if reference.kind in _SECRETS and reference.path is not None and _is_world_readable(reference.path):
            yield _warning(reference, f"the file {reference.path} is readable by all users", "mode 0600 or 0640")
        if reference.kind is ReferenceKind.CA:
            expiry = check_ca_expiry(Path(reference.target), now)
            if expiry and not all(expiry.values()):
                names = ", ".join(name for name, is_expired in expiry.items() if is_expired)
                if names:
                    yield _warning(reference, f"contains an expired CA: {names}", "CAs that are valid today")


def check_ca_expiry(bundle: Path, now: datetime) -> dict[str, bool]:
    """Returns for each CA of a bundle, by name, if it expired. Empty when OpenSSL cannot read the bundle."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        require_regular_file(bundle)
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
        return False  # `find_file_problems` reports it


def _warning(reference: Reference, wrong: str, allowed: str) -> SettingsProblem:
    return SettingsProblem(format_path(reference.file), reference.key, wrong, allowed)
