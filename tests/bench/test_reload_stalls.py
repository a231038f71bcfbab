"""Stalls of a reload are measured and printed for a role."""

import re

import reload_stalls


def test_a_reload_of_the_jobs_is_measured(capfd):
    reload_stalls.main(["--role", "jobs", "--change", "one", "--rounds", "1", "--size", "2"])
    head, line = capfd.readouterr().out.splitlines()
    assert head.split() == ["ms", "stall", "longest", "busy"]
    assert re.fullmatch(r"jobs +one +\d+\.\d +\d+\.\d +\d+\.\d", line)
