"""Tests that micro-benchmarks work: they use internals of the relay and could break silently."""

import micro


async def test_every_measurement_works_and_no_call_fails(tmp_path, monkeypatch, caplog):
    def run_three_times(work):
        for _ in range(3):
            work()
        return 1.0

    monkeypatch.setattr(micro, "measure", run_three_times)
    figures = await micro.exchanges(tmp_path / "sandbox")
    assert {"request_head", "judge_get", "judge_post", "whole_get", "whole_post"} <= set(figures)
    assert not caplog.records
