"""What no single file can know: whether relay, providers and directory fit together."""

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

from relay.domain.ids import normal_serial
from relay.infra.ledger.database.postgresql import LedgerUrlWrong, parse_url
from relay.policy.settings.directory import Authentication, Directory, DirectoryOperator, Provider
from relay.policy.settings.model import Settings
from relay.policy.settings.scalars import ProviderTimeouts
from relay.runtime.settings.problems import Problem, shown
from relay.standard.catalogue import load_catalogue

CALLBACK_BYTES: Final = 100
"""`redirect_uri` is aNS(100) (개별인증-001)."""

SLOTS_HOURS: Final = 6
"""정기적 전송 가능 시간대 must be open so many hours a day in all (규격 3.3.3)."""

NEVER_LEFT_OUT: Final = frozenset({"CM01", "CM02"})
"""API 목록 조회 and 전송요구 내역 조회: every institution answers them (정보제공-공통)."""

SOCKET_BYTES: Final = 100
"""A unix socket's path has 107 bytes at most; some are left for systems that take fewer."""

_ON_PAGES: Final = frozenset({Authentication.HOSTED, Authentication.REDIRECT})
"""Ways of 개별인증 that lead customers over the relay's own pages."""

_WHOLE: Final = "what `relay secret` prints, whole"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Read(Generic[_T]):
    """A model and the file it was read from."""

    file: Path
    model: _T

    def problem(self, key: str, wrong: str, allowed: str) -> Problem:
        """A problem of this file."""
        return Problem(shown(self.file), key, wrong, allowed)


def crosscheck(
    relay: Read[Settings] | None, providers: Sequence[Read[Provider]], directory: Read[Directory] | None
) -> list[Problem]:
    """All problems between the files; what could not be read is None or left out."""
    problems: list[Problem] = []
    if relay is not None:
        problems += [*_ports(relay), *_socket(relay), *_ledger(relay), *_certifiers(relay), *_portal(relay)]
        usual = relay.model.upstream.timeouts
        problems += [relay.problem(f"upstream.{key}", *said) for key, *said in _timeouts(usual, usual)]
    problems += _org_codes(relay, providers)
    for provider in providers:
        problems += [*_version(provider), *_apis(provider), *_slots(provider), *_pages(relay, provider)]
        own = provider.model.timeouts
        if own is not None:
            usual = relay.model.upstream.timeouts if relay is not None else own
            problems += [provider.problem(key, *said) for key, *said in _timeouts(own, over(usual, own))]
    if directory is not None:
        problems += [*_callbacks(directory), *_secret_hashes(directory)]
        if relay is not None and not all(each.client_certificate for each in relay.model.gateway.listeners):
            problems += _addresses(directory)
    return problems


def _ports(relay: Read[Settings]) -> Iterator[Problem]:
    gateway = [
        (f"gateway.listeners[{at}].port", each.address, each.port)
        for at, each in enumerate(relay.model.gateway.listeners)
    ]
    doors = [*gateway, ("admin.port", relay.model.admin.address, relay.model.admin.port)]
    if (pages := relay.model.authority.pages) is not None:
        doors.append(("authority.pages.port", pages.address, pages.port))
    for (first, address, port), (second, other, same) in combinations(doors, 2):
        everywhere = {address, other} & {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
        if port and port == same and (address == other or everywhere):
            yield relay.problem(second, f"is the port of {first} too", "another port, or another address")


def _socket(relay: Read[Settings]) -> Iterator[Problem]:
    length = len(os.fsencode(relay.model.authority.socket))
    if length > SOCKET_BYTES:
        allowed = f"at most {SOCKET_BYTES} bytes with its folder"
        yield relay.problem("authority.socket", f"is a path of {length} bytes", allowed)


def _ledger(relay: Read[Settings]) -> Iterator[Problem]:
    """A URL of PostgreSQL in words of libpq; one behind a reference is opened by `--files` and at the start."""
    url = relay.model.ledger.url
    if not url.startswith(("sqlite:", "file:", "env:")):
        try:
            parse_url(url)
        except LedgerUrlWrong as error:
            yield relay.problem("ledger.url", str(error), "postgresql://HOST/DATABASE with words of libpq behind ?")


def _certifiers(relay: Read[Settings]) -> Iterator[Problem]:
    codes = [certifier.ca_code for certifier in relay.model.certifiers]
    for at, code in enumerate(codes):
        if code in codes[:at]:
            yield relay.problem(f"certifiers[{at}].ca_code", f"stands twice: {code}", "each certifier once")


def _portal(relay: Read[Settings]) -> Iterator[Problem]:
    portal = relay.model.portal
    if portal is None:
        return
    if portal.org_code == relay.model.relay.org_code:
        yield relay.problem("portal.org_code", "is the relay's own", "the portal's own 기관코드")
    if urlsplit(portal.base_url).scheme != "https":
        yield relay.problem("portal.base_url", "would show our secret to everybody on the way", "begins with https://")
    if not _is_whole(portal.offers.client_secret_hash):
        yield relay.problem("portal.offers.client_secret_hash", "holds what is no base64", _WHOLE)


def _pages(relay: Read[Settings] | None, provider: Read[Provider]) -> Iterator[Problem]:
    way = provider.model.authentication
    if relay is not None and relay.model.authority.pages is None and way in _ON_PAGES:
        wrong = f"is {way}, but {shown(relay.file)} has no authority.pages"
        yield provider.problem("authentication", wrong, "authority.pages there, or app or none here")


def over(usual: ProviderTimeouts, own: ProviderTimeouts) -> ProviderTimeouts:
    """The timeouts of an institution: those its file writes, and relay.yaml's `upstream.timeouts` for the rest."""
    return usual.model_copy(update=own.model_dump(exclude_unset=True))


def _timeouts(written: ProviderTimeouts, whole: ProviderTimeouts) -> Iterator[tuple[str, str, str]]:
    for name in ("connect_s", "first_byte_s"):
        if name in written.model_fields_set and getattr(whole, name) > whole.total_s:
            yield f"timeouts.{name}", "is longer than total_s", f"at most {whole.total_s:g}"


def _org_codes(relay: Read[Settings] | None, providers: Sequence[Read[Provider]]) -> Iterator[Problem]:
    first: dict[str, Path] = {}
    for provider in providers:
        code = provider.model.org_code
        if relay is not None and code == relay.model.relay.org_code:
            yield provider.problem("org_code", "is the relay's own", "the institution's own 기관코드")
        elif code in first:
            yield provider.problem("org_code", f"stands in {shown(first[code])} too", "one file for each institution")
        first.setdefault(code, provider.file)


def _version(provider: Read[Provider]) -> Iterator[Problem]:
    held = {api.version for api in load_catalogue().of(provider.model.industry) if api.version}
    if provider.model.version not in held:
        wrong = f"is {provider.model.version}, whose APIs the catalogue does not hold"
        yield provider.problem("version", wrong, " or ".join(sorted(held)))


def _apis(provider: Read[Provider]) -> Iterator[Problem]:
    industry = provider.model.industry
    catalogue = load_catalogue()
    offered = {api.api_code for api in catalogue.of(industry)}
    later = {api.api_code for api in catalogue.of(industry, later=True)} - offered
    optional = offered - NEVER_LEFT_OUT
    for code in sorted(provider.model.apis.left_out - optional):
        wrong = f"holds {code}, which every institution answers" if code in NEVER_LEFT_OUT else _foreign(code, industry)
        yield provider.problem("apis.left_out", wrong, "of " + " ".join(sorted(optional)))
    for code in sorted(provider.model.apis.turned_on - later):
        wrong = f"holds {code}, which is on anyway" if code in offered else _foreign(code, industry)
        yield provider.problem("apis.turned_on", wrong, "of " + " ".join(sorted(later)) if later else "nothing")


def _foreign(code: str, industry: str) -> str:
    return f"holds {code}, which is no API of industry {industry}"


def _slots(provider: Read[Provider]) -> Iterator[Problem]:
    open_halves: set[int] = set()
    fits = bool(provider.model.scheduled_slots)
    for index, slot in enumerate(provider.model.scheduled_slots):
        start, end = (int(clock[:2]) * 60 + int(clock[2:]) for clock in slot.split(":"))
        key = f"scheduled_slots[{index}]"
        if start % 30 or end % 30:
            fits = False
            yield provider.problem(key, "does not begin and end on a half hour", "minutes 00 or 30")
        elif start in {end, 24 * 60}:
            fits = False
            yield provider.problem(key, "is empty", "a start before the end, or an end after midnight: 2200:0400")
        else:
            open_halves |= {at % 48 for at in range(start // 30, (end if start < end else end + 24 * 60) // 30)}
    if fits and len(open_halves) < 2 * SLOTS_HOURS:
        yield provider.problem(
            "scheduled_slots",
            f"are open {len(open_halves) / 2:g} hours a day",
            f"at least {SLOTS_HOURS} hours (규격 3.3.3)",
        )


def _callbacks(directory: Read[Directory]) -> Iterator[Problem]:
    for at, operator in enumerate(directory.model.operators):
        for nth, service in enumerate(operator.services):
            for index, callback in enumerate(service.callbacks):
                if not _is_callback(callback):
                    key = f"operators[{at}].services[{nth}].callbacks[{index}]"
                    yield directory.problem(key, "does not fit", f"https://host/path, at most {CALLBACK_BYTES} bytes")


def _secret_hashes(directory: Read[Directory]) -> Iterator[Problem]:
    for at, operator in enumerate(directory.model.operators):
        for nth, service in enumerate(operator.services):
            if service.client_secret_hash and not _is_whole(service.client_secret_hash):
                key = f"operators[{at}].services[{nth}].client_secret_hash"
                yield directory.problem(key, "holds what is no base64", _WHOLE)


def _is_whole(secret_hash: str) -> bool:
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
    return url.scheme == "https" and bool(url.hostname) and not url.fragment and len(text.encode()) <= CALLBACK_BYTES


def _addresses(directory: Read[Directory]) -> Iterator[Problem]:
    """Without certificates the address alone tells who calls; codes of one company (same serial_num) may share it."""
    for (_, first), (at, second) in combinations(enumerate(directory.model.operators), 2):
        if normal_serial(first.serial_num) != normal_serial(second.serial_num) and _overlap(first, second):
            yield directory.problem(
                f"operators[{at}].addresses",
                f"are shared with {first.org_code}, but a listener takes calls without client_certificate",
                "addresses of its own, or client_certificate: true on every listener",
            )


def _overlap(first: DirectoryOperator, second: DirectoryOperator) -> bool:
    ours, theirs = ([ipaddress.ip_network(each, strict=False) for each in who.addresses] for who in (first, second))
    return any(one.version == other.version and one.overlaps(other) for one in ours for other in theirs)
