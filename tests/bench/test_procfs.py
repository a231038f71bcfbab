import os
import subprocess

from harness import procfs


def test_steal_is_the_eighth_number_and_guest_counts_once():
    before = procfs.parse_clock("cpu  100 0 50 800 10 0 5 35 40 0\ncpu0 1 2 3\n")
    after = procfs.parse_clock("cpu  150 0 60 830 10 0 5 45 90 0\n")
    assert (before.total, before.stolen) == (1000, 35)
    assert after.steal_since(before) == 10 / 100


def test_no_time_between_snapshots_is_no_steal():
    now = procfs.parse_clock("cpu  1 0 1 1 0 0 0 0 0 0\n")
    assert now.steal_since(now) == 0


def test_our_process_uses_cpu_and_memory():
    family = procfs.tree(os.getpid())
    before = procfs.spent([os.getpid()])
    sum(number * number for number in range(200_000))
    assert family[0] == os.getpid()
    assert procfs.spent([os.getpid()]).since(before).cpu_us > 0
    assert procfs.rss_mb([os.getpid()]) > 1


def test_an_ended_process_uses_nothing():
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert procfs.spent([ended.pid]) == procfs.Spent(0, 0)
