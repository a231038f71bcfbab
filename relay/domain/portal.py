"""The portal (종합포털) as the jobs see it: the APIs that the relay calls there (지원-001, -002, -003, -005)."""

from collections.abc import Mapping
from typing import Any, Protocol


class PortalAway(Exception):
    """The portal gave no answer that can be used, however often it was asked. The text says what came, no value."""


class PortalRefused(Exception):
    """The portal answered that it does not want this. `rsp_code` and HTTP status are its own, `api_id` the call's."""

    def __init__(self, status: int, rsp_code: str, api_id: str = "") -> None:
        told = f"HTTP {status}, rsp_code {rsp_code or 'none'}"
        super().__init__(f"{api_id}: {told}" if api_id else told)
        self.status = status
        self.rsp_code = rsp_code


class Portal(Protocol):
    """Calls the portal: token, mutual TLS, times, retries and records are its business."""

    async def organisations(self, since: str) -> Mapping[str, Any]:
        """The body of 지원-002, JSON as it came. `since` is a search_timestamp. Raises PortalAway, PortalRefused."""

    async def services(self, since: str) -> Mapping[str, Any]:
        """The body of 지원-003, JSON as it came. Raises PortalAway, PortalRefused."""

    async def send_statistics(self, body: Mapping[str, Any]) -> tuple[str, str]:
        """Send 지원-005; the tran_id it went with and the rsp_code of its acceptance. Raises as above."""
