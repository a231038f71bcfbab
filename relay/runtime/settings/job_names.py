"""The jobs of the relay, and which of them run with given settings."""

from typing import Final

from relay.policy.settings.model import Settings

JOBS: Final = {
    "directory": "fetch changed organisations and services from the portal (지원-002, 지원-003)",
    "directory_full": "fetch all organisations and services once a day, so that no change is missed for good",
    "statistics": "send last week's statistics, and those that the portal requests again (지원-005)",
    "retention": "delete ledger rows that are older than the retention settings allow",
}
"""What each job does."""

_WITHOUT_PORTAL: Final = ("retention",)


def get_job_names(settings: Settings) -> tuple[str, ...]:
    """Returns the names of the jobs that run with these settings."""
    return tuple(JOBS) if settings.portal is not None else _WITHOUT_PORTAL
