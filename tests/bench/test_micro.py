"""The micro-benchmarks measure work that works: they look inside the relay and break silently when it changes."""

import micro


async def test_every_piece_of_work_is_done_and_no_call_fails(tmp_path, monkeypatch, caplog):
    def thrice(work):
        for _ in range(3):
            work()
        return 1.0

    monkeypatch.setattr(micro, "measure", thrice)
    found = await micro.exchanges(tmp_path / "street")
    assert {"request_head", "judge_get", "judge_post", "whole_get", "whole_post"} <= set(found)
    assert not caplog.records
