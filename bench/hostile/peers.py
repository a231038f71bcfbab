"""The table of hostile peers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from hostile import authority_peers as authority
from hostile import caller_peers as callers
from hostile import institution_peers as institutions
from hostile.connections import Attack


@dataclass(frozen=True, slots=True)
class Peer:
    """One hostile peer. `also` are kinds of good calls measured beside the data calls."""

    attack: Callable[[Attack], Awaitable[None]]
    also: tuple[str, ...] = ()
    reads_stderr: bool = True
    name_server_hangs: bool = False

    @property
    def summary(self) -> str:
        """One line that describes the attack."""
        return (self.attack.__doc__ or "").partition("\n")[0]


PEERS: Final[dict[str, Peer]] = {
    "unregistered-serial": Peer(callers.unregistered_serial),
    "bad-tokens": Peer(callers.bad_tokens),
    "api-lists": Peer(callers.api_lists),
    "large-lists": Peer(callers.large_lists),
    "random-paths": Peer(callers.random_paths),
    "malformed-requests": Peer(callers.malformed_requests),
    "never-reads": Peer(callers.never_reads),
    "slow-heads": Peer(callers.slow_heads),
    "connect-call-close": Peer(callers.connect_call_close),
    "handshake-flood": Peer(callers.handshake_flood),
    "foreign-certificates": Peer(callers.foreign_certificates),
    "foreign-server-names": Peer(callers.foreign_server_names),
    "idle-gateway": Peer(callers.idle_at_gateway),
    "idle-pages": Peer(callers.idle_at_pages, ("pages", "refresh")),
    "idle-admin": Peer(callers.idle_at_admin, ("admin",)),
    "unread-stderr": Peer(callers.garbage, reads_stderr=False),
    "names-that-hang": Peer(callers.names_that_hang, name_server_hangs=True),
    "interim-answers": Peer(institutions.interim_answers),
    "one-byte-chunks": Peer(institutions.one_byte_chunks),
    "large-withheld-list": Peer(institutions.large_withheld_list),
    "headers-without-end": Peer(institutions.headers_without_end),
    "silent-institution": Peer(institutions.silent_institution),
    "closing-institution": Peer(institutions.reset_in_response),
    "unread-responses": Peer(institutions.unread_responses),
    "hang-ups": Peer(authority.hang_ups, ("refresh",)),
    "silent-certifier": Peer(authority.silent_certifier, ("refresh",)),
    "wrong-secrets": Peer(authority.wrong_secrets, ("refresh",)),
    "unknown-clients": Peer(authority.unknown_clients, ("refresh",)),
}
