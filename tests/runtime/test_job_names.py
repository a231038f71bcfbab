"""Which jobs some settings lead to."""

from relay.runtime.config import load
from relay.runtime.job_names import JOBS, due_by_themselves, names_of


def test_without_a_portal_the_ledger_is_tidied_and_nothing_else(folder):
    settings = load(folder.path, {}).settings
    assert (names_of(settings), due_by_themselves(settings)) == (("retention",), ("retention",))


def test_with_a_portal_all_of_them_run_and_a_full_sync_when_somebody_asks(folder):
    folder.portal()
    settings = load(folder.path, {}).settings
    assert names_of(settings) == tuple(JOBS)
    assert due_by_themselves(settings) == ("directory", "statistics", "retention")
