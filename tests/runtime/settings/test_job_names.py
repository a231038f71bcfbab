"""The jobs that run with given settings."""

from relay.runtime.settings.job_names import JOBS, names_of
from relay.runtime.settings.loading import load


def test_without_a_portal_only_retention_runs(folder):
    settings = load(folder.path, {}).settings
    assert names_of(settings) == ("retention",)


def test_with_a_portal_all_jobs_run(folder):
    folder.portal()
    settings = load(folder.path, {}).settings
    assert names_of(settings) == tuple(JOBS)
