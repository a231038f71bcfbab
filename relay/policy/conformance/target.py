"""What is tested: an institution's address, customers, limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.policy.settings.scalars import ProviderTimeouts


@dataclass(frozen=True, slots=True)
class Target:
    """An institution under test.

    `customers` are CIs: the first one is asked about, the second one is another customer whose assets the first must
    not see. `left_out` are api_codes that it does not offer. `needs_certificate`: it must refuse a client without
    certificate. `is_withholding`: it removes fields without consent itself. `relay` is the org_code in tran-ids.
    `adapter` is the Unix socket of the adapter for an institution that does not speak the standard.
    """

    base_url: str
    industry: str
    org_code: str
    customers: tuple[str, ...] = field(repr=False)
    relay: str
    timeouts: ProviderTimeouts = field(default_factory=ProviderTimeouts)
    left_out: frozenset[str] = frozenset()
    turned_on: frozenset[str] = frozenset()
    needs_certificate: bool = False
    is_withholding: bool = True
    adapter: str = ""

    @property
    def is_adapted(self) -> bool:
        """Whether the adapter converts the calls. What the gateway checks before it is not tried then."""
        return bool(self.adapter)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is tried: calls each second, parallel calls, assets of each API, pages of a walk.

    `pause_s` is the time between the pieces of a slow call.
    """

    rate: float = 20.0
    parallel: int = 16
    assets: int = 3
    pages: int = 50
    pause_s: float = 0.2


@dataclass(frozen=True, slots=True)
class Selection:
    """The rules and APIs to report; empty sets select all. APIs are given by api_id or api_code."""

    rules: frozenset[str] = frozenset()
    apis: frozenset[str] = frozenset()

    def has_rule(self, rule: str) -> bool:
        """Returns whether a rule is selected."""
        return not self.rules or rule in self.rules

    def has_api(self, api_id: str, api_code: str) -> bool:
        """Returns whether an API is selected; "" stands for the institution as a whole."""
        return not self.apis or bool(self.apis & {api_id, api_code})


Statuses = Mapping[str, int]
"""The HTTP statuses of the standard's response codes."""
