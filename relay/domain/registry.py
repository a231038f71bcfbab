"""The portal's registry (기관정보, 서비스정보): who there is, told by 지원-002 and 지원-003, kept in the ledger."""

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
    """기관: one row of 지원-002, as far as the relay goes by it.

    `serial_num` is written as it was registered, "" where none is (org_type 05). `addresses` are those it calls from
    (`ip_list`). `relay` is the relay it uses, "" when none; `slots` its 정기적 전송 가능 시간대, `hhmm:hhmm`.
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
    def calls(self) -> bool:
        """Whether it may call data APIs: operators, and receivers other than operators (정보수신자)."""
        return bool(self.subject_codes)

    @property
    def subject_codes(self) -> str:
        """The letters of its calls (첨부14): M of an operator, C of another receiver; "" when it may not call."""
        return ("M" if self.org_type is OrgType.OPERATOR else "") + ("C" if self.is_receiver else "")


@dataclass(frozen=True, slots=True)
class RegisteredService:
    """서비스: one row of 지원-003. The secret is kept as a slow hash (`$scrypt$...`), never itself.

    `secret_mark` tells whether a secret that comes again is the same one: an HMAC that only the relay can make.
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
    """All of it at one moment: organisations by org_code, services by client_id.

    `number` counts what ever changed, 0 for nothing yet. Timestamps are the portal's search_timestamps to ask with
    next, "0" for everything; `synced_at` when it was last heard, in epoch seconds, 0 for never.
    """

    organisations: Mapping[str, Organisation]
    services: Mapping[str, RegisteredService]
    number: int = 0
    orgs_timestamp: str = "0"
    services_timestamp: str = "0"
    synced_at: int = 0


@dataclass(frozen=True, slots=True)
class RegistryChanges:
    """What a sync brings: new or changed ones whole, None for those that are gone. Nothing that stays as it is.

    `orgs_timestamp` and `services_timestamp` are those to ask with next.
    """

    organisations: Mapping[str, Organisation | None]
    services: Mapping[str, RegisteredService | None]
    orgs_timestamp: str
    services_timestamp: str

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return bool(self.organisations or self.services)


class Cause(StrEnum):
    """Why a value of the registry was replaced: by a sync, by a sync that the guard counts, or by a release."""

    SYNC = "sync"
    COUNTED = "counted"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Former(Generic[V]):
    """A value that was in force until `at` (epoch seconds), None when there was none, and why it was replaced."""

    at: int
    value: V | None
    cause: Cause


@dataclass(frozen=True, slots=True)
class Past:
    """Former values of organisations by org_code and of services by client_id, the oldest first.

    What the first load brought into an empty registry has no former value.
    """

    organisations: Mapping[str, Sequence[Former[Organisation]]] = field(default_factory=dict)
    services: Mapping[str, Sequence[Former[RegisteredService]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counted:
    """Organisations (org_codes) and services (client_ids) that a sync harms, as the guard counts them."""

    organisations: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()


COUNTS_NONE: Final = Counted()


@dataclass(frozen=True, slots=True)
class Discarded:
    """Changes of a held sync that a person threw away. Syncs leave out what they say until something else is told."""

    at: int
    reason: str
    changes: RegistryChanges


@dataclass(frozen=True, slots=True)
class Held:
    """A sync that was not taken because it would change too much; it waits for `relay directory release`.

    `reasons` are for people, one sentence each. `since` is when the first of a row of such syncs came.
    """

    hold_id: str
    since: int
    changes: RegistryChanges
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RegistryHead:
    """Where the registry in the ledger stands: the number of the last change, when the portal was last heard.

    `held_since` is 0 when nothing is held. Epoch seconds.
    """

    number: int
    synced_at: int
    held_since: int


class NothingHeld(Exception):
    """There is no held sync with this id: it was released, or a later one took its place."""


class RegistryMoved(Exception):
    """The registry is another one than that by which a sync was judged: it was released into meanwhile. Judge anew."""


class RegistrySource(Protocol):
    """What gateways and the authority ask the ledger, several times a second."""

    async def registry_head(self) -> RegistryHead:
        """Where the registry stands."""

    async def registry_after(self, number: int, most: int) -> tuple[int, RegistryChanges]:
        """At most `most` changes after `number`, in their order, and the number of the last of them.

        None and `number` itself when there are no more. What a sync changed becomes visible all at once, so who reads
        until nothing more comes, and finds the head unchanged, has one moment's registry. Timestamps are "".
        """


class RegistryBook(RegistrySource, Protocol):
    """What the sync does.

    `fence` is that of the leader's term; an older one than the ledger has seen raises Superseded and changes nothing.
    `judged` is the number of the registry that a sync was held against; RegistryMoved, when that is another one by now.
    """

    async def registry(self) -> Registry:
        """All of it."""

    async def past(self, since: int) -> Past:
        """What was in force and was replaced after `since` (epoch seconds)."""

    async def discarded(self, since: int) -> Sequence[Discarded]:
        """What was thrown away after `since`, the latest first."""

    async def take(
        self, changes: RegistryChanges, fence: int, now: int, *, judged: int, counted: Counted = COUNTS_NONE
    ) -> int:
        """Apply a sync whole, be it empty, and let go of what was held; the number of the last change.

        `counted` is what the guard counts of it, for the syncs of the next days.
        """

    async def hold(
        self, changes: RegistryChanges, reasons: tuple[str, ...], fence: int, now: int, *, judged: int
    ) -> Held:
        """Hold a sync back in the place of one that was held before, whose `since` it keeps."""

    async def held(self) -> Held | None:
        """What is held."""

    async def release(self, hold_id: str, now: int) -> int:
        """Apply what is held, because a person said so; the number of the last change. Raises NothingHeld."""

    async def discard(self, hold_id: str, changes: RegistryChanges, reason: str, now: int) -> None:
        """Throw away what is held. `changes` are those that later syncs leave out. Raises NothingHeld."""

    async def forget_away(self, limit: int, fence: int, now: int) -> int:
        """End the consents to operators and services that are away since before `limit`; how many there were."""
