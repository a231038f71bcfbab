"""Addresses of institutions at the adapter, and private headers that institutions and operators never see."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote

from relay.domain.fault import FAULTS, Fault, Refusal
from relay.policy.settings.directory import Provider

CONSENT_HEADER: Final = b"x-relay-consent"
"""Request: the id that a `next_page` is bound to, of the consent or of the token."""

FAULT_HEADER: Final = b"x-relay-fault"
"""Response: the name of the fault that ended the call."""

DETAIL_HEADER: Final = b"x-relay-detail"
"""Response: the detail of the fault for the record, percent-encoded."""

LINES_PATH: Final = "/relay/lines"
"""Path below an institution's base URL at the adapter: 200 if a line to its core is open (지원-102)."""

_MAX_DETAIL: Final = 200
_UNSAFE: Final = {ord('"'): "'", ord("\\"): "/"}


def list_base_urls(provider: Provider) -> tuple[str, ...]:
    """Returns the base URLs of an institution, or its one at the adapter."""
    return (f"http://adapter/{provider.org_code}",) if provider.needs_adapter else provider.base_urls


def build_fault_headers(refusal: Refusal) -> dict[str, str]:
    """Returns the headers of a response that reports a fault."""
    headers = {FAULT_HEADER.decode(): refusal.fault.name}
    if refusal.detail:
        headers[DETAIL_HEADER.decode()] = quote(refusal.detail[:_MAX_DETAIL], safe=" :;,.[]()=$+-_/*")
    return headers


def read_fault(headers: Mapping[bytes, bytes]) -> tuple[Fault, str]:
    """Returns the fault that a response of the adapter reports, and its detail for the record."""
    name = headers[FAULT_HEADER].decode("latin-1")
    detail = unquote(headers.get(DETAIL_HEADER, b"").decode("latin-1"))
    printable = "".join(character if character.isprintable() else " " for character in detail)
    return FAULTS.get(name, FAULTS["relay_broken"]), printable.translate(_UNSAFE)
