"""Port of the jobs to the portal (종합포털): the APIs that the relay calls there (지원-001, -002, -003, -005)."""

from collections.abc import Mapping
from typing import Any, Protocol


class PortalDown(Exception):
    """The portal gave no usable response, after all retries. The text says what came, without any value."""


class PortalRefused(Exception):
    """The portal refused the request. `rsp_code` and HTTP status are its own, `api_id` is the call's."""

    def __init__(self, status: int, rsp_code: str, api_id: str = "") -> None:
        response = f"HTTP {status}, rsp_code {rsp_code or 'none'}"
        super().__init__(f"{api_id}: {response}" if api_id else response)
        self.status = status
        self.rsp_code = rsp_code


class Portal(Protocol):
    """Client of the portal. It handles token, mutual TLS, timeouts, retries and call records itself."""

    async def organisations(self, since: str) -> Mapping[str, Any]:
        """Returns the JSON body of 지원-002. `since` is a search_timestamp. Raises PortalDown, PortalRefused."""

    async def services(self, since: str) -> Mapping[str, Any]:
        """Returns the JSON body of 지원-003. Raises PortalDown, PortalRefused."""

    async def send_statistics(self, body: Mapping[str, Any]) -> tuple[str, str]:
        """Sends 지원-005. Returns its tran_id and the rsp_code of the acceptance. Raises as above."""
