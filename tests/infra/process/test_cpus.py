"""CPUs that the process may use: affinity and quotas of control groups."""

import os

import pytest

from relay.infra.process.cpus import count_usable_cpus


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Writes control groups: quotas by path. Returns the arguments of count_usable_cpus."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))

    def write(own, **quotas):
        for path, text in quotas.items():
            folder = tmp_path / "cgroup" / path.replace("_", "/")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "cpu.max").write_text(text)
        (tmp_path / "own").write_text(own)
        return tmp_path / "cgroup", tmp_path / "own"

    return write


@pytest.mark.parametrize(
    ("quota", "cpus"),
    [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1), ("x", 8), ("100 0", 8)],
)
def test_a_quota_limits_the_cpus(groups, quota, cpus):
    assert count_usable_cpus(*groups("0::/pod\n", pod=quota)) == cpus


def test_the_smallest_quota_up_to_the_root_counts(groups):
    assert count_usable_cpus(*groups("1:cpu:/x\n0::/a/b\n", a="300000 100000", a_b="max 100000")) == 3


@pytest.mark.parametrize("own", ["", "4:cpu:/x\n", "0::/../x\n", "0::/gone\n"])
def test_without_a_quota_the_affinity_counts(groups, own):
    assert count_usable_cpus(*groups(own)) == 8


def test_a_missing_file_of_groups_is_no_quota(tmp_path):
    assert count_usable_cpus(tmp_path, tmp_path / "none") == len(os.sched_getaffinity(0))
