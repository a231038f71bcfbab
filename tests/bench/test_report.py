import json

import pytest
from harness import report
from harness.load import Load, LoadFailed, parse
from harness.measure import STEAL_LIMIT, Lag, Pair, Run, Stalled

LINE = (
    '{"requests":100,"errors":0,"seconds":2.0,"rps":50.0,"p50_ms":1.0,"p90_ms":2.0,"p99_ms":3.0,"p999_ms":3.5,'
    '"max_ms":4.0,"first_error":""}'
)


def load(**changed):
    return Load(**(json.loads(LINE) | changed))


def run(gateway, cpu_us, *, steal=0.0, case="get", **changed):
    return Run(case, gateway, cpu_us, cpu_us, steal, 0.0, load(**changed))


def test_the_generators_line_is_parsed():
    assert parse(LINE) == load()


@pytest.mark.parametrize("line", ["", "ready", "{}", '{"requests":1}'])
def test_anything_else_is_no_result(line):
    with pytest.raises(LoadFailed):
        parse(line)


def test_medians_of_kept_runs():
    runs = [run("relay", 60), run("relay", 64), run("relay", 62), run("relay", 900, steal=STEAL_LIMIT * 2)]
    figures = report.cases_of(runs)["get"]["relay"]
    assert figures["cpu_us"] == 62
    assert (figures["kept"], figures["total"]) == (3, 4)
    assert figures["cpu_us_runs"] == [60, 64, 62, 900]


def test_when_all_runs_have_steal_time_all_are_used():
    figures = report.summary([run("relay", 60, steal=0.5), run("relay", 80, steal=0.5)])
    assert figures["cpu_us"] == 70
    assert (figures["kept"], figures["total"]) == (0, 2)


def test_errors_of_dropped_runs_count():
    figures = report.summary([run("relay", 60), run("relay", 60, steal=0.5, errors=3, first_error="status 500")])
    assert figures["errors"] == 3
    assert figures["first_error"] == "status 500"


def test_ratio_is_the_cost_of_a_form_over_that_of_the_peer():
    runs = [run("relay", 60), run("relay_compiled", 30), run("aiohttp", 400), run("nginx_lua", 37.5), run("floor", 20)]
    assert report.ratios_of(report.cases_of(runs)) == {
        "get": {
            "relay_to_nginx_lua": 1.6,
            "relay_to_aiohttp": 0.15,
            "relay_to_floor": 3.0,
            "relay_compiled_to_nginx_lua": 0.8,
            "relay_compiled_to_aiohttp": 0.075,
            "relay_compiled_to_floor": 1.5,
            "relay_compiled_to_relay": 0.5,
        }
    }


def test_no_ratio_without_the_relay():
    assert report.ratios_of(report.cases_of([run("haproxy", 50)])) == {}


def test_half_load_has_the_added_latency():
    pairs = [Pair(load(p50_ms=0.1, p99_ms=1.0, p999_ms=1.1), load(p50_ms=0.3, p99_ms=1.5, p999_ms=3.1), 0.0, 0.0)]
    figures = report.half_load_of({"relay": pairs, "haproxy": pairs}, {"relay": 8000.0, "haproxy": 9000.0})
    added = (figures["added_p50_ms"], figures["added_p99_ms"], figures["added_p999_ms"])
    assert (*added, figures["rate"]) == (0.2, 0.5, 2.0, 8000.0)
    assert figures["peers"]["haproxy"]["rate"] == 9000.0
    assert "stall_ms" not in figures


def test_half_load_has_the_longest_stall_of_all_runs():
    pairs = [Pair(load(), load(), 0.0, 0.0, Lag(*times)) for times in ((1.0, 0.5, 0.0), (4.0, 0.2, 0.1))]
    figures = report.half_load_of({"relay_compiled": pairs}, {"relay_compiled": 1.0})["peers"]["relay_compiled"]
    assert (figures["stall_ms"], figures["busy_ms"], figures["collected_ms"]) == (4.0, 0.5, 0.1)


def test_stalled_readers_figure_is_the_relays_at_one_megabyte():
    results = [
        Stalled("relay", 100, 1.0, 50.0, 50.5, load()),
        Stalled("relay", 100, 8.0, 50.5, 52.0, load()),
        Stalled("aiohttp", 100, 1.0, 60.0, 160.0, load()),
    ]
    figures = report.stalled_of(results)
    assert figures["stalled_readers_mb"] == 0.5
    assert [each["grown_mb"] for each in figures["runs"]] == [0.5, 1.5, 100.0]
