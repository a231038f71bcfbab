"""What the adapter knows of institutions, and the port to their cores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from relay.policy.mediation.conversion import PageConversion
from relay.policy.mediation.paging.seal import CursorSeal


class Core(Protocol):
    """The connections to the core of one institution: lines for telegrams, or HTTP connections for JSON."""

    @property
    def open_lines(self) -> int:
        """The number of connections that are open."""

    async def exchange(self, write: Callable[[str], Any], deadline: float) -> Any:
        """Sends the request that `write` returns for a unique number; returns the response.

        `deadline` is loop time. Raises Refusal (50005, 50003), and ConversionError when `write` raises it.
        """


@dataclass(frozen=True, slots=True)
class AdaptedInstitution:
    """One institution: its conversions by api_code and its core. A call ends within `total_s`."""

    org_code: str
    conversions: Mapping[str, PageConversion[Any, Any]]
    core: Core
    total_s: float


@dataclass(frozen=True, slots=True)
class AdapterPlan:
    """All institutions by org_code, and the seal of `next_page`. A reload replaces it as a whole."""

    institutions: Mapping[str, AdaptedInstitution]
    seal: CursorSeal
