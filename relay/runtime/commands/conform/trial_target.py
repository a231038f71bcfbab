"""Finds what is tested: an institution of the settings, or a URL with options."""

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from relay.infra.conformance.tls_trial import Contexts, build_old_context
from relay.infra.upstream.tls import TlsError, build_client_context
from relay.policy.conformance.target import Target
from relay.policy.settings.directory import Provider, WithheldBy
from relay.policy.settings.scalars import ProviderTimeouts
from relay.policy.upstream.adapter_headers import list_base_urls
from relay.runtime.settings.file_references import SecretMissing, read_secret
from relay.runtime.settings.loading import SettingsError, load_settings
from relay.runtime.wiring.credentials import CredentialError, KeyFile

_RELAY: Final = "ZZRELAY001"
"""The org_code at the beginning of tran-ids for an institution that is in no settings."""
_MAX_CI: Final = 100


class Unusable(Exception):
    """Settings or options cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of TLS: CA of the institution, certificate of the relay, reference of its private key."""

    ca: str | None = None
    certificate: str | None = None
    private_key: str | None = None


def find_target(path: Path, org_code: str, base_url: str, customers: tuple[str, ...]) -> tuple[Target, TlsFiles]:
    """Returns an institution of the settings, at its first base URL or the given one. Raises Unusable."""
    try:
        loaded = load_settings(path, os.environ)
    except SettingsError as problems:
        raise Unusable(str(problems)) from problems
    provider = next((provider for provider in loaded.providers if provider.org_code == org_code), None)
    if provider is None:
        raise Unusable(f"{org_code}: no institution of {path} has this org_code")
    urls = list_base_urls(provider)
    if base_url and base_url not in urls:
        raise Unusable(f"--base-url {base_url}: {org_code} has {', '.join(urls)}")
    settings = loaded.settings
    target = Target(
        base_url=base_url or urls[0],
        industry=provider.industry,
        org_code=org_code,
        customers=customers,
        relay=settings.relay.org_code,
        timeouts=provider.timeouts or ProviderTimeouts(),
        left_out=provider.apis.left_out,
        turned_on=provider.apis.turned_on,
        needs_certificate=provider.certificate is not None,
        is_withholding=provider.withholding is WithheldBy.PROVIDER and not provider.needs_adapter,
        adapter=settings.adapter.socket if provider.needs_adapter else "",
    )
    return target, _list_files(provider)


def _list_files(provider: Provider) -> TlsFiles:
    return TlsFiles(provider.ca, provider.certificate, provider.private_key)


def build_target(
    base_url: str, industry: str, org_code: str, customers: tuple[str, ...], left_out: frozenset[str], files: TlsFiles
) -> Target:
    """Returns an institution that is in no settings. Raises Unusable."""
    if not _is_base_url(base_url):
        raise Unusable(f"--base-url {base_url}: a URL is expected: https://HOST:PORT/PATH")
    if (files.certificate is None) != (files.private_key is None):
        raise Unusable("--certificate and --private-key belong together: give both or neither")
    if base_url.startswith("http:") and files != TlsFiles():
        raise Unusable("--ca, --certificate, --private-key: a base URL with https:// is expected")
    return Target(
        base_url=base_url.rstrip("/"),
        industry=industry,
        org_code=org_code,
        customers=customers,
        relay=_RELAY,
        left_out=left_out,
        needs_certificate=files.certificate is not None,
    )


def _is_base_url(text: str) -> bool:
    """Returns whether a text is a URL of host, port and path; a user or password would be in every report."""
    try:
        url = urlsplit(text)
        has_port = url.port != 0
    except ValueError:
        return False
    is_plain = text.isprintable() and "@" not in url.netloc and not url.query and not url.fragment
    return url.scheme in {"http", "https"} and bool(url.hostname) and has_port and is_plain


def read_customers(first: str, second: str) -> tuple[str, ...]:
    """Returns the CIs of the options: literal, or references file:PATH and env:NAME. Raises Unusable."""
    if not first:
        raise Unusable("--customer is missing: the CI of a customer who has assets at the institution")
    options = (("--customer", first), ("--second-customer", second))
    customers = tuple(_read_ci(name, value) for name, value in options if value)
    if len(set(customers)) != len(customers):
        raise Unusable("--second-customer: another customer than --customer is expected")
    return customers


def _read_ci(name: str, value: str) -> str:
    try:
        ci = read_secret(value).decode() if value.startswith(("file:", "env:")) else value
    except (SecretMissing, UnicodeDecodeError) as error:
        raise Unusable(f"{name}: {error}") from error
    if not (ci.isascii() and ci.isprintable() and 0 < len(ci) <= _MAX_CI and " " not in ci):
        raise Unusable(f"{name}: a CI is expected: base64, 88 characters")
    return ci


def build_contexts(target: Target, files: TlsFiles) -> Contexts:
    """Returns the TLS contexts of a target, none on a leased line. Raises Unusable."""
    if urlsplit(target.base_url).scheme != "https":
        return Contexts(None)
    try:
        with ExitStack() as stack:
            key = None if files.private_key is None else stack.enter_context(KeyFile(files.private_key))
            return Contexts(
                build_client_context(files.ca, files.certificate, key),
                build_client_context(files.ca, None, None),
                build_old_context(files.certificate, key),
            )
    except (TlsError, CredentialError, SecretMissing) as error:
        raise Unusable(str(error)) from error
