"""The portal's registry: organisations (기관정보, 지원-002) and services (서비스정보, 지원-003), kept in the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Generic, Protocol, TypeVar

V = TypeVar("V")


class OrgType(StrEnum):
    """기관구분 of 지원-002."""

    OWN_API = "01"
    THROUGH_RELAY = "02"
    OPERATOR = "03"
    RELAY = "04"
    IDENTITY_CERTIFIER = "05"
    SIGNATURE_CERTIFIER = "06"
    PORTAL = "07"
    OTHER = "99"


@dataclass(frozen=True, slots=True)
class Organisation:
    """기관: one row of 지원-002, limited to the values that the relay uses.

    `serial_num` is written as it was registered, "" where there is none (org_type 05). `addresses` are the addresses it
    calls from (`ip_list`). `relay` is the relay it uses, "" for none; `slots` its 정기적 전송 가능 시간대, `hhmm:hhmm`.
    """

    org_code: str
    org_type: OrgType
    name: str
    serial_num: str = ""
    addresses: tuple[str, ...] = ()
    is_receiver: bool = False
    relay: str = ""
    industry: str = ""
    slots: tuple[str, ...] = ()
    domain: str = ""
    cert_issuer_dn: str = ""
    cert_oid: str = ""

    @property
    def may_call(self) -> bool:
        """Whether it may call data APIs: operators, and receivers that are not operators (정보수신자)."""
        return bool(self.subject_codes)

    @property
    def subject_codes(self) -> str:
        """Subject codes of its calls (첨부14): M for an operator, C for another receiver; "" when it may not call."""
        return ("M" if self.org_type is OrgType.OPERATOR else "") + ("C" if self.is_receiver else "")


@dataclass(frozen=True, slots=True)
class RegisteredService:
    """서비스: one row of 지원-003. The secret is stored as a slow hash (`$scrypt$...`), never in clear.

    `secret_mark` is an HMAC that only the relay can compute; equal values mean equal secrets.
    """

    client_id: str
    operator: str
    name: str
    secret_hash: str = field(repr=False)
    callbacks: tuple[str, ...] = ()
    app_schemes: tuple[str, ...] = ()
    secret_mark: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Registry:
    """The whole registry at one moment: organisations by org_code, services by client_id.

    `number` is the number of the last change, 0 for an empty registry. The timestamps are the search_timestamps of the
    next requests, "0" for everything; `synced_at` is the last successful sync in epoch seconds, 0 for never.
    """

    organisations: Mapping[str, Organisation]
    services: Mapping[str, RegisteredService]
    number: int = 0
    orgs_timestamp: str = "0"
    services_timestamp: str = "0"
    synced_at: int = 0


@dataclass(frozen=True, slots=True)
class RegistryChanges:
    """The changes of one sync: new and changed values whole, None for removed ones. Unchanged values are missing.

    `orgs_timestamp` and `services_timestamp` are the search_timestamps of the next requests.
    """

    organisations: Mapping[str, Organisation | None]
    services: Mapping[str, RegisteredService | None]
    orgs_timestamp: str
    services_timestamp: str

    def __bool__(self) -> bool:
        """Whether there is any change."""
        return bool(self.organisations or self.services)


class Cause(StrEnum):
    """Why a value of the registry was replaced: by a sync, by a sync that counts for the guard, or by a release."""

    SYNC = "sync"
    COUNTED = "counted"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class FormerValue(Generic[V]):
    """A value that was in force until `at` (epoch seconds), None for no value, and why it was replaced."""

    at: int
    value: V | None
    cause: Cause


@dataclass(frozen=True, slots=True)
class RegistryHistory:
    """Replaced values of organisations by org_code and of services by client_id, the oldest first.

    Values that the first load brought into an empty registry have no predecessor.
    """

    organisations: Mapping[str, Sequence[FormerValue[Organisation]]] = field(default_factory=dict)
    services: Mapping[str, Sequence[FormerValue[RegisteredService]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartySet:
    """A set of organisations (org_codes) and services (client_ids), for example those that a sync harms."""

    organisations: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()


NO_PARTIES: Final = PartySet()


@dataclass(frozen=True, slots=True)
class Discard:
    """Changes of a held sync that an administrator discarded. Later syncs skip them while the portal repeats them."""

    at: int
    reason: str
    changes: RegistryChanges


@dataclass(frozen=True, slots=True)
class HeldSync:
    """A sync that was not applied because it would change too much; it waits for `relay directory release`.

    `reasons` are sentences for the administrator. `since` is when the first of several held syncs in a row came.
    """

    hold_id: str
    since: int
    changes: RegistryChanges
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RegistryHead:
    """State of the registry in the ledger: number of the last change, time of the last successful sync.

    `held_since` is 0 when no sync is held. Times are epoch seconds.
    """

    number: int
    synced_at: int
    held_since: int


class NoHeldSync(Exception):
    """There is no held sync with this id: it was released, or a later one replaced it."""


class RegistryChanged(Exception):
    """The registry changed after the sync was judged, for example by a release. The sync must be judged again."""


class RegistryReader(Protocol):
    """Queries of gateways and the authority, several times a second."""

    async def registry_head(self) -> RegistryHead:
        """Returns the state of the registry."""

    async def registry_after(self, number: int, limit: int) -> tuple[int, RegistryChanges]:
        """Returns at most `limit` changes after `number`, in order, and the number of the last of them.

        Returns no changes and `number` itself at the end. A sync becomes visible as a whole: a reader that reads to the
        end and finds the head unchanged has a consistent registry. Timestamps are "".
        """


class RegistryStore(RegistryReader, Protocol):
    """The registry as the sync writes it.

    `fence` is the fence of the leader's term; a fence older than the latest one raises Superseded and changes nothing.
    `judged` is the number of the registry that a sync was judged against; a different current number raises
    RegistryChanged.
    """

    async def registry(self) -> Registry:
        """Returns the whole registry."""

    async def past(self, since: int) -> RegistryHistory:
        """Returns values that were replaced after `since` (epoch seconds)."""

    async def discarded(self, since: int) -> Sequence[Discard]:
        """Returns changes that were discarded after `since`, the latest first."""

    async def apply(
        self, changes: RegistryChanges, fence: int, now: int, *, judged: int, counted: PartySet = NO_PARTIES
    ) -> int:
        """Applies a whole sync, also an empty one, and drops the held sync. Returns the number of the last change.

        `counted` are the parties that count for the guard in the next days.
        """

    async def hold(
        self, changes: RegistryChanges, reasons: tuple[str, ...], fence: int, now: int, *, judged: int
    ) -> HeldSync:
        """Holds a sync. It replaces a sync that was held before and keeps its `since`."""

    async def held(self) -> HeldSync | None:
        """Returns the held sync."""

    async def release(self, hold_id: str, now: int) -> int:
        """Applies the held sync for an administrator. Returns the number of the last change; raises NoHeldSync."""

    async def discard(self, hold_id: str, changes: RegistryChanges, reason: str, now: int) -> None:
        """Discards the held sync. Later syncs skip `changes`. Raises NoHeldSync."""

    async def end_orphaned_consents(self, limit: int, fence: int, now: int) -> int:
        """Ends consents to operators and services removed before `limit`. Returns the number of consents."""
