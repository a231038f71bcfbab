"""Tests of jobs and leadership built from settings."""

import time

import pytest

from relay.domain.portal import PortalDown
from relay.domain.statistics import SendingState
from relay.infra.registry.leadership import LedgerLeadership, RedisLeadership
from relay.infra.upstream.tls import TlsError
from relay.jobs.runner import JobFailed
from relay.policy.statistics.weeks import last_week
from relay.runtime.settings.file_references import resolve_redis_url
from relay.runtime.settings.job_names import get_job_names
from relay.runtime.settings.loading import SecretMissing, load_settings
from relay.runtime.wiring.credentials import CredentialError
from relay.runtime.wiring.jobs import build_job_set, open_leadership, preview_changes
from relay.runtime.wiring.ledger import LedgerSettingsError

NOW = 1_795_370_062  # Monday, 2026-11-23 02:54:22 in Korea


@pytest.fixture
async def job_set(deployment, ledger):
    job_set = build_job_set(load_settings(deployment.path, {}), ledger)
    yield job_set
    await job_set.close()


@pytest.fixture
async def fence(ledger):
    return (await ledger.jobs.lead("here", 600, int(time.time()))).fence


def by_name(job_set):
    return {job.name: job for job in job_set.jobs}


async def test_jobs_follow_the_settings(deployment, ledger, job_set):
    loaded = load_settings(deployment.path, {})
    assert tuple(by_name(job_set)) == get_job_names(loaded.settings)
    deployment.without_portal()
    loaded = load_settings(deployment.path, {})
    without_portal = build_job_set(loaded, ledger)
    assert (tuple(by_name(without_portal)), without_portal.sync) == (get_job_names(loaded.settings), None)
    await without_portal.close()


@pytest.mark.parametrize(
    ("name", "due", "every_s"),
    [
        ("directory", NOW + 3600, 3600),
        ("directory_full", NOW + 86_400, 3600),
        ("statistics", NOW + 3600, 3600),  # checked each hour, although Monday's time is 65 minutes away
        ("retention", NOW + 35 * 60 + 38, 86_400),
    ],
)
async def test_each_job_has_its_schedule(job_set, name, due, every_s):
    job = by_name(job_set)[name]
    assert (job.next_due(NOW), job.every_s) == (due, every_s)


async def test_statistics_are_due_on_monday_when_that_is_sooner(job_set):
    assert by_name(job_set)["statistics"].next_due(NOW + 1800) == NOW + 65 * 60 + 38


async def test_a_sync_applies_the_portals_changes(deployment, job_set, ledger, fence):
    deployment.registry.change("ZOPA000001", name="다른이름")
    for name, message in (("directory", "0 new, 1 changed, 0 gone"), ("directory_full", "nothing changed")):
        assert message in await by_name(job_set)[name].run(fence, int(time.time()))
    assert (await ledger.registry.registry()).organisations["ZOPA000001"].name == "다른이름"
    assert [call.outcome for call in await ledger.jobs.load_calls(3)] == ["ok"] * 3


async def test_statistics_are_wanted_once_the_portal_requests_them(job_set, ledger, fence):
    job, week = by_name(job_set)["statistics"], last_week(time.time())
    assert not await job.wanted()
    await ledger.statistics.request_resend(week, "ZBAA000001", ("1",), int(time.time()))
    assert await job.wanted()
    await job.run(fence, int(time.time()))
    assert not await job.wanted()
    (sent,) = (
        sending
        for sending in await ledger.statistics.sendings(week)
        if sending.provider == "ZBAA000001" and sending.type == "1"
    )
    assert sent.state is SendingState.ACCEPTED


async def test_a_preview_returns_changes_and_applies_nothing(deployment, ledger):
    deployment.registry.change("ZOPA000001", name="다른이름")
    changes = await preview_changes(load_settings(deployment.path, {}), ledger)
    assert (list(changes.organisations), changes.services) == (["ZOPA000001"], {})
    assert (await ledger.registry.registry()).organisations["ZOPA000001"].name != "다른이름"
    deployment.without_portal()
    with pytest.raises(JobFailed, match="there is no portal"):
        await preview_changes(load_settings(deployment.path, {}), ledger)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"portal\.calls\.client_secret: the file .* cannot be read"),
        (b"\xff", r"portal\.calls\.client_secret: the secret is not UTF-8 text"),
    ],
)
async def test_a_missing_portal_secret_is_named(deployment, job_set, content, words):
    file = deployment.path.parent / "certs" / "portal.secret"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PortalDown, match=words):
        await job_set.sync.portal.organisations("0")


async def test_a_changed_portal_secret_applies_without_restart(deployment, ledger, job_set):
    file = deployment.path.parent / "certs" / "portal.secret"
    right = file.read_bytes()
    file.write_bytes(b"wrong")
    with pytest.raises(JobFailed, match="the portal gave no registry"):
        await job_set.sync.preview(1_800_000_000)
    file.write_bytes(right)
    assert not await job_set.sync.preview(1_800_000_000)


@pytest.mark.parametrize(
    ("spoil", "raised"),
    [
        (lambda folder: (folder / "certs" / "ca.pem").write_text("none"), TlsError),
        (lambda folder: (folder / "certs" / "relay.key.pem").unlink(), TlsError),
        (lambda folder: (folder / "certs" / "customers.key").write_text("none"), LedgerSettingsError),
    ],
    ids=["ca", "key", "customers"],
)
async def test_unusable_job_files_raise(deployment, ledger, spoil, raised):
    loaded = load_settings(deployment.path, {})
    spoil(deployment.path.parent)
    with pytest.raises(raised):
        build_job_set(loaded, ledger)


class TestLeadership:
    async def test_leadership_uses_the_ledger_without_redis(self, deployment, ledger):
        async with open_leadership(load_settings(deployment.path, {}).settings.jobs, ledger.jobs) as leadership:
            assert isinstance(leadership, LedgerLeadership)
            assert await leadership.campaign(int(time.time()))

    async def test_each_candidate_has_its_own_name(self, deployment, ledger):
        settings = load_settings(deployment.path, {}).settings.jobs
        async with open_leadership(settings, ledger.jobs) as first, open_leadership(settings, ledger.jobs) as second:
            now = int(time.time())
            former = await first.campaign(now)
            assert await second.campaign(now) is None
            await first.resign()
            assert (await second.campaign(int(time.time()))).holder != former.holder

    async def test_leadership_uses_redis_when_configured(self, deployment, ledger, redis_server):
        deployment.redis(redis_server.url)
        async with open_leadership(load_settings(deployment.path, {}).settings.jobs, ledger.jobs) as leadership:
            assert isinstance(leadership, RedisLeadership)
            assert await leadership.campaign(int(time.time()))
            await leadership.resign()

    @pytest.mark.parametrize("url", ["http://user:hidden@there", "redis://there:hidden/0", b"\xff\xfe"])
    async def test_an_invalid_redis_url_is_reported_without_its_text(self, deployment, ledger, url):
        deployment.redis("")
        (deployment.path.parent / "redis").write_bytes(url if isinstance(url, bytes) else url.encode())
        with pytest.raises(CredentialError, match=r"jobs\.redis") as raised:
            async with open_leadership(load_settings(deployment.path, {}).settings.jobs, ledger.jobs):
                pass
        assert "hidden" not in str(raised.value)

    @pytest.mark.parametrize("reference", ["file:{}", "env:URL"])
    def test_a_redis_url_may_be_a_reference(self, tmp_path, monkeypatch, reference):
        file = tmp_path / "url"
        file.write_text("redis://there:6379/0\n")
        monkeypatch.setenv("URL", "redis://there:6379/0")
        assert resolve_redis_url(reference.format(file)) == "redis://there:6379/0"
        assert resolve_redis_url("redis://here:6379/0") == "redis://here:6379/0"

    def test_a_missing_redis_url_is_reported(self, tmp_path):
        with pytest.raises(SecretMissing, match="cannot be read"):
            resolve_redis_url(f"file:{tmp_path / 'gone'}")
