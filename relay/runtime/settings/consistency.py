"""Checks between files: relay.yaml, the institutions' files and the directory."""

import base64
import binascii
import ipaddress
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final, Generic, TypeVar
from urllib.parse import urlsplit

from relay.domain.ids import normalize_serial
from relay.domain.korea import parse_clock
from relay.infra.ledger.database.postgresql import LedgerUrlError, parse_url
from relay.infra.redis_client import make_redis_client
from relay.policy.settings.directory import (
    AuthenticationMethod,
    Directory,
    DirectoryOperator,
    DirectoryService,
    Provider,
)
from relay.policy.settings.model import Settings
from relay.policy.settings.scalars import ProviderTimeouts
from relay.runtime.settings.problems import SettingsProblem, format_path
from relay.standard.catalogue import load_catalogue

MAX_CALLBACK_BYTES: Final = 100
"""`redirect_uri` is aNS(100) (개별인증-001)."""

MIN_SLOT_HOURS: Final = 6
"""Minimum of 정기적 전송 가능 시간대, in hours a day (규격 3.3.3)."""

MANDATORY_APIS: Final = frozenset({"CM01", "CM02"})
"""API 목록 조회 and 전송요구 내역 조회: every institution offers them (정보제공-공통)."""

MAX_SOCKET_BYTES: Final = 100
"""Limit of a unix socket's path. Linux allows 107 bytes, other systems fewer."""

_NEEDS_PAGES: Final = frozenset({AuthenticationMethod.HOSTED, AuthenticationMethod.REDIRECT})
"""Methods of 개별인증 that use the relay's pages."""

_WHOLE_HASH: Final = "the whole output of `relay secret`"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ModelFile(Generic[_T]):
    """A model and the file from which it was read."""

    file: Path
    model: _T

    def build_problem(self, key: str, wrong: str, allowed: str) -> SettingsProblem:
        """Returns a problem of this file."""
        return SettingsProblem(format_path(self.file), key, wrong, allowed)


def check_consistency(
    relay: ModelFile[Settings] | None, providers: Sequence[ModelFile[Provider]], directory: ModelFile[Directory] | None
) -> list[SettingsProblem]:
    """Returns the problems between the files. Files that could not be read are None or omitted."""
    problems: list[SettingsProblem] = []
    if relay is not None:
        problems += _check_relay(relay)
        problems += _check_sockets(relay, needs_adapter=any(provider.model.needs_adapter for provider in providers))
    problems += _check_org_codes(relay, providers)
    for provider in providers:
        problems += _check_provider(provider, relay)
    if directory is not None:
        problems += [*_check_callbacks(directory), *_check_secret_hashes(directory)]
        if relay is not None and not all(listener.client_certificate for listener in relay.model.gateway.listeners):
            problems += _check_addresses(directory)
    return problems


def _check_relay(relay: ModelFile[Settings]) -> Iterator[SettingsProblem]:
    checks = _check_ports, _check_ledger_url, _check_redis_urls, _check_certifiers, _check_portal
    for check in checks:
        yield from check(relay)
    defaults = relay.model.upstream.timeouts
    yield from (relay.build_problem(f"upstream.{key}", *texts) for key, *texts in _check_timeouts(defaults, defaults))


def _check_provider(provider: ModelFile[Provider], relay: ModelFile[Settings] | None) -> Iterator[SettingsProblem]:
    yield from _check_version(provider)
    yield from _check_apis(provider)
    yield from _check_slots(provider)
    yield from _check_pages(relay, provider)
    timeouts = provider.model.timeouts
    if timeouts is not None:
        defaults = relay.model.upstream.timeouts if relay is not None else timeouts
        merged = merge_timeouts(defaults, timeouts)
        yield from (provider.build_problem(key, *texts) for key, *texts in _check_timeouts(timeouts, merged))


def _check_ports(relay: ModelFile[Settings]) -> Iterator[SettingsProblem]:
    listeners = [
        (f"gateway.listeners[{index}].port", listener.address, listener.port)
        for index, listener in enumerate(relay.model.gateway.listeners)
    ]
    listeners.append(("admin.port", relay.model.admin.address, relay.model.admin.port))
    if (pages := relay.model.authority.pages) is not None:
        listeners.append(("authority.pages.port", pages.address, pages.port))
    for (key, address, port), (other_key, other_address, other_port) in combinations(listeners, 2):
        has_wildcard = not {"0.0.0.0", "::"}.isdisjoint((address, other_address))  # noqa: S104 - compared, not bound
        if port and port == other_port and (address == other_address or has_wildcard):
            yield relay.build_problem(other_key, f"is also the port of {key}", "another port or another address")


def _check_sockets(relay: ModelFile[Settings], *, needs_adapter: bool) -> Iterator[SettingsProblem]:
    paths = {"authority.socket": relay.model.authority.socket}
    if needs_adapter:
        paths["adapter.socket"] = relay.model.adapter.socket
    if relay.model.gateway.workers != 1:
        paths["gateway.socket"] = relay.model.gateway.socket
    for key, path in paths.items():
        if (length := len(os.fsencode(path))) > MAX_SOCKET_BYTES:
            allowed = f"at most {MAX_SOCKET_BYTES} bytes, folder included"
            yield relay.build_problem(key, f"is a path of {length} bytes", allowed)
    for (key, path), (other_key, other_path) in combinations(paths.items(), 2):
        if path == other_path:
            yield relay.build_problem(other_key, f"is also {key}", "another path")


def _check_ledger_url(relay: ModelFile[Settings]) -> Iterator[SettingsProblem]:
    """Checks a PostgreSQL URL and its libpq parameters. `--files` and the start check a URL behind a reference."""
    url = relay.model.ledger.url
    if not url.startswith(("sqlite:", "file:", "env:")):
        try:
            parse_url(url)
        except LedgerUrlError as error:
            yield relay.build_problem(
                "ledger.url", str(error), "postgresql://HOST/DATABASE, with libpq parameters after ?"
            )


def _check_redis_urls(relay: ModelFile[Settings]) -> Iterator[SettingsProblem]:
    """Checks URLs of Redis that are not references to files or variables."""
    for key, url in (("quotas.redis", relay.model.quotas.redis), ("jobs.redis", relay.model.jobs.redis)):
        if url is None or url.startswith(("file:", "env:")):
            continue
        try:
            make_redis_client(url)
        except ValueError as error:
            yield relay.build_problem(key, f"is no URL of a Redis: {error}", "redis://HOST:PORT/0")


def _check_certifiers(relay: ModelFile[Settings]) -> Iterator[SettingsProblem]:
    codes = [certifier.ca_code for certifier in relay.model.certifiers]
    for index, code in enumerate(codes):
        if code in codes[:index]:
            yield relay.build_problem(f"certifiers[{index}].ca_code", f"is a duplicate: {code}", "each certifier once")


def _check_portal(relay: ModelFile[Settings]) -> Iterator[SettingsProblem]:
    portal = relay.model.portal
    if portal is None:
        return
    if portal.org_code == relay.model.relay.org_code:
        yield relay.build_problem("portal.org_code", "is the org_code of the relay", "the 기관코드 of the portal")
    if urlsplit(portal.base_url).scheme != "https":
        yield relay.build_problem(
            "portal.base_url", "sends the client secret unencrypted", "a URL that begins with https://"
        )
    if not _has_valid_base64(portal.offers.client_secret_hash):
        yield relay.build_problem("portal.offers.client_secret_hash", "contains invalid base64", _WHOLE_HASH)


def _check_pages(relay: ModelFile[Settings] | None, provider: ModelFile[Provider]) -> Iterator[SettingsProblem]:
    method = provider.model.authentication
    if relay is not None and relay.model.authority.pages is None and method in _NEEDS_PAGES:
        wrong = f"is {method}, but {format_path(relay.file)} has no authority.pages"
        yield provider.build_problem("authentication", wrong, "app or none, or authority.pages in that file")


def merge_timeouts(defaults: ProviderTimeouts, timeouts: ProviderTimeouts) -> ProviderTimeouts:
    """Returns the timeouts of an institution, with `upstream.timeouts` of relay.yaml for those that its file omits."""
    return defaults.model_copy(update=timeouts.model_dump(exclude_unset=True))


def _check_timeouts(timeouts: ProviderTimeouts, merged: ProviderTimeouts) -> Iterator[tuple[str, str, str]]:
    for name in ("connect_s", "queue_s", "first_byte_s"):
        if name in timeouts.model_fields_set and getattr(merged, name) > merged.total_s:
            yield f"timeouts.{name}", "is longer than total_s", f"at most {merged.total_s:g}"


def _check_org_codes(
    relay: ModelFile[Settings] | None, providers: Sequence[ModelFile[Provider]]
) -> Iterator[SettingsProblem]:
    files: dict[str, Path] = {}
    for provider in providers:
        code = provider.model.org_code
        if relay is not None and code == relay.model.relay.org_code:
            yield provider.build_problem("org_code", "is the org_code of the relay", "the 기관코드 of the institution")
        elif code in files:
            yield provider.build_problem(
                "org_code", f"is also in {format_path(files[code])}", "one file for each institution"
            )
        files.setdefault(code, provider.file)


def _check_version(provider: ModelFile[Provider]) -> Iterator[SettingsProblem]:
    versions = {api.version for api in load_catalogue().iter_apis(provider.model.industry) if api.version}
    if provider.model.version not in versions:
        wrong = f"is {provider.model.version}, but the catalogue has no APIs of that version"
        yield provider.build_problem("version", wrong, " or ".join(sorted(versions)))


def _check_apis(provider: ModelFile[Provider]) -> Iterator[SettingsProblem]:
    industry = provider.model.industry
    catalogue = load_catalogue()
    offered = {api.api_code for api in catalogue.iter_apis(industry)}
    later = {api.api_code for api in catalogue.iter_apis(industry, later=True)} - offered
    optional = offered - MANDATORY_APIS
    for code in sorted(provider.model.apis.left_out - optional):
        is_mandatory = code in MANDATORY_APIS
        wrong = (
            f"contains {code}, which every institution offers" if is_mandatory else _describe_foreign(code, industry)
        )
        yield provider.build_problem("apis.left_out", wrong, "codes from " + " ".join(sorted(optional)))
    for code in sorted(provider.model.apis.turned_on - later):
        wrong = f"contains {code}, which is always on" if code in offered else _describe_foreign(code, industry)
        allowed = "codes from " + " ".join(sorted(later)) if later else "no codes"
        yield provider.build_problem("apis.turned_on", wrong, allowed)


def list_offered_apis(provider: Provider) -> list[str]:
    """Returns the api_codes of the data APIs that an institution itself offers; CM01 and CM02 are the relay's."""
    industry, apis = provider.industry, provider.apis
    return [
        api.api_code
        for api in load_catalogue().iter_apis(industry, later=True)
        if api.api_code not in apis.left_out | MANDATORY_APIS
        and (industry in api.industries or api.api_code in apis.turned_on)
    ]


def _describe_foreign(code: str, industry: str) -> str:
    return f"contains {code}, which is not an API of industry {industry}"


def _check_slots(provider: ModelFile[Provider]) -> Iterator[SettingsProblem]:
    half_hours: set[int] = set()
    is_valid = bool(provider.model.scheduled_slots)
    for index, slot in enumerate(provider.model.scheduled_slots):
        start, end = map(parse_clock, slot.split(":"))
        key = f"scheduled_slots[{index}]"
        if start % 30 or end % 30:
            is_valid = False
            yield provider.build_problem(key, "does not begin and end on a half hour", "minutes 00 or 30")
        elif start in {end, 24 * 60}:
            is_valid = False
            yield provider.build_problem(key, "is empty", "a start before the end, or an end after midnight: 2200:0400")
        else:
            half_hours |= {half % 48 for half in range(start // 30, (end if start < end else end + 24 * 60) // 30)}
    if is_valid and len(half_hours) < 2 * MIN_SLOT_HOURS:
        yield provider.build_problem(
            "scheduled_slots",
            f"cover {len(half_hours) / 2:g} hours a day",
            f"at least {MIN_SLOT_HOURS} hours (규격 3.3.3)",
        )


def _check_callbacks(directory: ModelFile[Directory]) -> Iterator[SettingsProblem]:
    allowed = f"https://host/path, at most {MAX_CALLBACK_BYTES} bytes"
    for service_key, service in _iterate_services(directory):
        for index, callback in enumerate(service.callbacks):
            if not _is_callback(callback):
                yield directory.build_problem(
                    f"{service_key}.callbacks[{index}]", "is not a valid callback URL", allowed
                )


def _check_secret_hashes(directory: ModelFile[Directory]) -> Iterator[SettingsProblem]:
    for service_key, service in _iterate_services(directory):
        if service.client_secret_hash and not _has_valid_base64(service.client_secret_hash):
            yield directory.build_problem(f"{service_key}.client_secret_hash", "contains invalid base64", _WHOLE_HASH)


def _iterate_services(directory: ModelFile[Directory]) -> Iterator[tuple[str, DirectoryService]]:
    """Yields each service of the directory with its key."""
    for index, operator in enumerate(directory.model.operators):
        for number, service in enumerate(operator.services):
            yield f"operators[{index}].services[{number}]", service


def _has_valid_base64(secret_hash: str) -> bool:
    return all(map(_is_base64, secret_hash.split("$")[3:]))


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return False
    return True


def _is_callback(text: str) -> bool:
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    return (
        url.scheme == "https" and bool(url.hostname) and not url.fragment and len(text.encode()) <= MAX_CALLBACK_BYTES
    )


def _check_addresses(directory: ModelFile[Directory]) -> Iterator[SettingsProblem]:
    """Checks that operators differ by address, which alone identifies them without certificates.

    Operators of one company (same serial_num) may share addresses.
    """
    for (_, first), (index, second) in combinations(enumerate(directory.model.operators), 2):
        if normalize_serial(first.serial_num) != normalize_serial(second.serial_num) and _overlap(first, second):
            yield directory.build_problem(
                f"operators[{index}].addresses",
                f"are shared with {first.org_code}, but a listener has client_certificate: false",
                "addresses of its own, or client_certificate: true on every listener",
            )


def _overlap(first: DirectoryOperator, second: DirectoryOperator) -> bool:
    networks, others = (
        [ipaddress.ip_network(address, strict=False) for address in operator.addresses] for operator in (first, second)
    )
    return any(network.version == other.version and network.overlaps(other) for network in networks for other in others)
