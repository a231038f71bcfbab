"""Which jobs some settings lead to."""

from relay.runtime.settings.job_names import JOBS, names_of
from relay.runtime.settings.loading import load


def test_without_a_portal_the_ledger_is_tidied_and_nothing_else(folder):
    settings = load(folder.path, {}).settings
    assert names_of(settings) == ("retention",)


def test_with_a_portal_all_of_them_run(folder):
    folder.portal()
    settings = load(folder.path, {}).settings
    assert names_of(settings) == tuple(JOBS)
