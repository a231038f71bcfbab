"""전송요구: a customer's consent that a provider sends data to an operator's service, and its states.

The particulars (전송요구내역) are those of 정보제공-공통-002 and of the signed consent of 통합인증-002
(규격 6.2, 3.2.2).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

from relay.domain.korea import DAY_S, start_of_day


class Authentication(StrEnum):
    """How the customer was authenticated: 개별인증 or 통합인증."""

    INDIVIDUAL = "individual"
    INTEGRATED = "integrated"


class ConsentState(StrEnum):
    """The state of a consent: in force, withdrawn (철회), replaced by a newer one, or past its end_date."""

    ACTIVE = "active"
    REVOKED = "revoked"
    REPLACED = "replaced"
    ENDED = "ended"


CONSENT_MOVES: Final[Mapping[ConsentState, frozenset[ConsentState]]] = {
    ConsentState.ACTIVE: frozenset({ConsentState.REVOKED, ConsentState.REPLACED, ConsentState.ENDED}),
}
"""All states but ACTIVE are final: the customer can only give a new consent."""


@dataclass(frozen=True, slots=True)
class Asset:
    """자산: an account, card, policy or contract, by its number in the list API; `seqno` for industries with 회차."""

    asset: str = field(repr=False)
    seqno: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One scope of a consent and its assets; None for all assets ("all_asset"), as in every list scope."""

    scope: str
    assets: tuple[Asset, ...] | None = None


@dataclass(frozen=True, slots=True)
class Particulars:
    """전송요구내역. Cycles are "" unless scheduled; flags are None for industries that do not have them (규격 6.2).

    `end_date` is the last day of the consent, in Korea; `period` the last day on which the operator may keep the data.
    """

    is_scheduled: bool
    end_date: date
    purpose: str
    period: date
    targets: tuple[Target, ...]
    fnd_cycle: str = ""
    add_cycle: str = ""
    is_consent_trans_memo: bool | None = None
    is_consent_merchant_name_regno: bool | None = None
    is_consent_trans_category: bool | None = None

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes without repetition, in the order of the targets."""
        return tuple(dict.fromkeys(target.scope for target in self.targets))

    @property
    def has_all_assets(self) -> bool:
        """Whether no target names single assets."""
        return all(target.assets is None for target in self.targets)

    @property
    def ends_at(self) -> int:
        """The moment after the last day of the consent, in epoch seconds."""
        return start_of_day(self.end_date) + DAY_S


def build_scope(industry: str, scopes: Iterable[str]) -> str:
    """Returns a token's 권한 범위 for an industry: `<industry>.list` first, without repetition."""
    return " ".join(dict.fromkeys((f"{industry}.list", *scopes)))


@dataclass(frozen=True, slots=True)
class Consent:
    """A stored consent. `provider` and `operator` are org_codes; `ci` is the customer's and never in the repr.

    `consent_id` is an opaque string. `given_at` is in whole seconds since the epoch.
    """

    consent_id: str
    provider: str
    operator: str
    client_id: str
    authentication: Authentication
    particulars: Particulars
    given_at: int
    ci: str = field(repr=False)
    state: ConsentState = ConsentState.ACTIVE
