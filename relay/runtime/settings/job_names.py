"""Which jobs there are, and which of them some settings lead to."""

from typing import Final

from relay.policy.settings.model import Settings

JOBS: Final = {
    "directory": "ask the portal what changed of who may call (지원-002, 지원-003)",
    "directory_full": "ask the portal for all of it, once a day: no change is missed for ever",
    "statistics": "send what is due of last week's figures, and what the portal asks for again (지원-005)",
    "retention": "remove from the ledger what is over for longer than retention says",
}
"""What runs, and what for."""
_WITHOUT_PORTAL: Final = ("retention",)


def names_of(settings: Settings) -> tuple[str, ...]:
    """The names of the jobs that these settings lead to."""
    return tuple(JOBS) if settings.portal is not None else _WITHOUT_PORTAL
