"""What the adapter knows of institutions, and the port to their cores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from relay.policy.mediation.conversion import Conversion
from relay.policy.mediation.paging.seal import CursorSeal


class Core(Protocol):
    """The lines to the core of one institution."""

    @property
    def open_lines(self) -> int:
        """The number of lines that are open."""

    async def exchange(self, write: Callable[[str], bytes], deadline: float) -> bytes:
        """Sends the request telegram that `write` returns for a unique number; returns the response telegram.

        `deadline` is loop time. Raises Refusal (50005, 50003), and ConversionError when `write` raises it.
        """


@dataclass(frozen=True, slots=True)
class AdaptedInstitution:
    """One institution: its conversions by api_code and its core. A call ends within `total_s`."""

    org_code: str
    conversions: Mapping[str, Conversion]
    core: Core
    total_s: float


@dataclass(frozen=True, slots=True)
class AdapterPlan:
    """All institutions by org_code, and the seal of `next_page`. A reload replaces it as a whole."""

    institutions: Mapping[str, AdaptedInstitution]
    seal: CursorSeal
