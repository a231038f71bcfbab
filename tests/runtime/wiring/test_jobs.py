"""From settings to jobs: which there are, when they are due, what they reach, who leads."""

import time

import pytest

from relay.domain.portal import PortalAway
from relay.domain.statistics import SendingState
from relay.infra.registry.leadership import LedgerLeadership, RedisLeadership
from relay.infra.upstream.tls import TlsError
from relay.jobs.runner import JobFailed
from relay.policy.statistics.weeks import last_week
from relay.runtime.settings.job_names import names_of
from relay.runtime.settings.loading import SecretMissing, load
from relay.runtime.wiring.credentials import MaterialError
from relay.runtime.wiring.jobs import changes_ahead, labour_of, leadership_of, redis_url
from relay.runtime.wiring.ledger import LedgerUnfit

NOW = 1_795_370_062  # Monday, 2026-11-23 02:54:22 in Korea


@pytest.fixture
async def labour(premises, ledger):
    made = labour_of(load(premises.path, {}), ledger)
    yield made
    await made.close()


@pytest.fixture
async def fence(ledger):
    return (await ledger.jobs.lead("here", 600, int(time.time()))).fence


def by_name(labour):
    return {job.name: job for job in labour.jobs}


async def test_there_are_the_jobs_that_the_settings_lead_to(premises, ledger, labour):
    loaded = load(premises.path, {})
    assert tuple(by_name(labour)) == names_of(loaded.settings)
    premises.without_portal()
    loaded = load(premises.path, {})
    alone = labour_of(loaded, ledger)
    assert (tuple(by_name(alone)), alone.sync) == (names_of(loaded.settings), None)
    await alone.close()


@pytest.mark.parametrize(
    ("name", "due", "every_s"),
    [
        ("directory", NOW + 3600, 3600),
        ("directory_full", NOW + 86_400, 3600),
        ("statistics", NOW + 3600, 3600),  # looked at each hour, though Monday's hour is 65 minutes away
        ("retention", NOW + 35 * 60 + 38, 86_400),
    ],
)
async def test_each_is_due_at_its_own_time(labour, name, due, every_s):
    job = by_name(labour)[name]
    assert (job.next_due(NOW), job.every_s) == (due, every_s)


async def test_statistics_are_due_at_mondays_hour_when_that_is_sooner(labour):
    assert by_name(labour)["statistics"].next_due(NOW + 1800) == NOW + 65 * 60 + 38


async def test_a_sync_takes_what_the_portal_tells(premises, labour, ledger, fence):
    premises.registry.change("ZOPA000001", name="다른이름")
    for name, told in (("directory", "0 new, 1 changed, 0 gone"), ("directory_full", "nothing changed")):
        assert told in await by_name(labour)[name].run(fence, int(time.time()))
    assert (await ledger.registry.registry()).organisations["ZOPA000001"].name == "다른이름"
    assert [call.outcome for call in await ledger.jobs.calls(3)] == ["ok"] * 3


async def test_statistics_are_wanted_once_the_portal_asks_for_them(labour, ledger, fence):
    job, week = by_name(labour)["statistics"], last_week(time.time())
    assert not await job.wanted()
    await ledger.statistics.ask_again(week, "ZBAA000001", ("1",), int(time.time()))
    assert await job.wanted()
    await job.run(fence, int(time.time()))
    assert not await job.wanted()
    (sent,) = (
        one for one in await ledger.statistics.sendings(week) if one.provider == "ZBAA000001" and one.type == "1"
    )
    assert sent.state is SendingState.ACCEPTED


async def test_what_would_change_is_told_and_nothing_is_taken(premises, ledger):
    premises.registry.change("ZOPA000001", name="다른이름")
    changes = await changes_ahead(load(premises.path, {}), ledger)
    assert (list(changes.organisations), changes.services) == (["ZOPA000001"], {})
    assert (await ledger.registry.registry()).organisations["ZOPA000001"].name != "다른이름"
    premises.without_portal()
    with pytest.raises(JobFailed, match="there is no portal"):
        await changes_ahead(load(premises.path, {}), ledger)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"portal\.calls\.client_secret: the file .* cannot be read"),
        (b"\xff", r"portal\.calls\.client_secret: what stands there is no text"),
    ],
)
async def test_a_secret_of_the_portal_that_is_gone_is_named(premises, labour, content, words):
    file = premises.path.parent / "certs" / "portal.secret"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PortalAway, match=words):
        await labour.sync.portal.organisations("0")


async def test_a_secret_that_was_changed_counts_without_a_start(premises, ledger, labour):
    file = premises.path.parent / "certs" / "portal.secret"
    right = file.read_bytes()
    file.write_bytes(b"wrong")
    with pytest.raises(JobFailed, match="the portal gave no registry"):
        await labour.sync.ahead(1_800_000_000)
    file.write_bytes(right)
    assert not await labour.sync.ahead(1_800_000_000)


@pytest.mark.parametrize(
    ("spoil", "raised"),
    [
        (lambda folder: (folder / "certs" / "ca.pem").write_text("none"), TlsError),
        (lambda folder: (folder / "certs" / "relay.key.pem").unlink(), TlsError),
        (lambda folder: (folder / "certs" / "customers.key").write_text("none"), LedgerUnfit),
    ],
    ids=["ca", "key", "customers"],
)
async def test_what_settings_lead_to_and_cannot_be_used_is_told(premises, ledger, spoil, raised):
    loaded = load(premises.path, {})
    spoil(premises.path.parent)
    with pytest.raises(raised):
        labour_of(loaded, ledger)


class TestLeadership:
    async def test_the_ledger_tells_who_leads_where_there_is_no_redis(self, premises, ledger):
        async with leadership_of(load(premises.path, {}).settings.jobs, ledger.jobs) as one:
            assert isinstance(one, LedgerLeadership)
            assert await one.campaign(int(time.time()))

    async def test_each_candidate_has_a_name_of_its_own(self, premises, ledger):
        settings = load(premises.path, {}).settings.jobs
        async with leadership_of(settings, ledger.jobs) as one, leadership_of(settings, ledger.jobs) as other:
            assert (await one.campaign(int(time.time()))).holder != other._holder

    async def test_redis_tells_it_where_there_is_one(self, premises, ledger, redis_server):
        premises.redis(redis_server.url)
        async with leadership_of(load(premises.path, {}).settings.jobs, ledger.jobs) as one:
            assert isinstance(one, RedisLeadership)
            assert await one.campaign(int(time.time()))
            await one.resign()

    @pytest.mark.parametrize("url", ["http://user:hidden@there", "redis://there:hidden/0", b"\xff\xfe"])
    async def test_a_url_of_no_redis_is_told_without_repeating_it(self, premises, ledger, url):
        premises.redis("")
        (premises.path.parent / "redis").write_bytes(url if isinstance(url, bytes) else url.encode())
        with pytest.raises(MaterialError, match=r"jobs\.redis") as told:
            async with leadership_of(load(premises.path, {}).settings.jobs, ledger.jobs):
                pass
        assert "hidden" not in str(told.value)

    @pytest.mark.parametrize("reference", ["file:{}", "env:URL"])
    def test_a_url_may_stand_elsewhere(self, tmp_path, monkeypatch, reference):
        file = tmp_path / "url"
        file.write_text("redis://there:6379/0\n")
        monkeypatch.setenv("URL", "redis://there:6379/0")
        assert redis_url(reference.format(file)) == "redis://there:6379/0"
        assert redis_url("redis://here:6379/0") == "redis://here:6379/0"

    def test_a_url_that_stands_nowhere_is_told(self, tmp_path):
        with pytest.raises(SecretMissing, match="cannot be read"):
            redis_url(f"file:{tmp_path / 'gone'}")
