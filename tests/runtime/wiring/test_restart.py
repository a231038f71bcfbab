"""Tests of which changes need a restart."""

import pytest

from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.restart import sections_needing_restart


@pytest.mark.parametrize(
    ("key", "value", "sections"),
    [
        ("reload.watch_s", 1, ["reload"]),
        ("gateway.drain.finish_s", 3, ["gateway.drain"]),
        ("rates.provider", {"per_second": 1, "burst": 1}, []),
    ],
)
def test_a_changed_section_needs_a_restart_if_listed(folder, key, value, sections):
    before = load_settings(folder.path, {}).settings
    folder.put("relay.yaml", key, value)
    assert sections_needing_restart("gateway", before, load_settings(folder.path, {}).settings) == sections


@pytest.mark.parametrize(
    ("key", "value", "roles"),
    [
        ("authority.request_s", 77, []),
        ("authority.verifiers", 3, ["authority"]),
        ("authority.queue", 3, ["gateway", "authority"]),
        ("jobs.term_s", 33, ["jobs"]),
        ("reload.watch_s", 1, ["gateway", "authority", "jobs", "adapter"]),
        ("adapter.socket", "b.sock", ["gateway", "authority", "adapter"]),
    ],
)
def test_each_role_reports_the_sections_that_it_uses(folder, key, value, roles):
    before = load_settings(folder.path, {}).settings
    folder.put("relay.yaml", key, value)
    after = load_settings(folder.path, {}).settings
    names = ("gateway", "authority", "jobs", "adapter")
    assert [role for role in names if sections_needing_restart(role, before, after)] == roles


def test_an_added_portal_needs_a_restart_but_not_a_changed_one(folder):
    without = load_settings(folder.path, {}).settings
    folder.portal()
    with_portal = load_settings(folder.path, {}).settings
    folder.portal(sync_s=60)
    changed = load_settings(folder.path, {}).settings
    for role in ("gateway", "authority"):
        assert sections_needing_restart(role, without, with_portal) == ["portal"]
        assert sections_needing_restart(role, with_portal, without) == ["portal"]
        assert sections_needing_restart(role, with_portal, changed) == []
    assert sections_needing_restart("jobs", without, with_portal) == []
