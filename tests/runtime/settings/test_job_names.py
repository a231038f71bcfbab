"""The jobs that run with given settings."""

from relay.runtime.settings.job_names import JOBS, get_job_names
from relay.runtime.settings.loading import load_settings


def test_without_a_portal_only_retention_runs(folder):
    settings = load_settings(folder.path, {}).settings
    assert get_job_names(settings) == ("retention",)


def test_with_a_portal_all_jobs_run(folder):
    folder.portal()
    settings = load_settings(folder.path, {}).settings
    assert get_job_names(settings) == tuple(JOBS)
