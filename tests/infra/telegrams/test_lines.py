"""All lines of an institution: kept open, shared by calls, and refused while no core is there."""

import asyncio
import socket

import pytest
from fixtures.waiting import until

from relay.domain.fault import Refusal
from relay.infra.telegrams import lines as module
from relay.infra.telegrams.lines import Lines, get_connect_fault
from relay.policy.settings.core import CoreSettings


@pytest.fixture
async def open_lines(link, core):
    """A function that opens the lines of an institution."""
    opened = []

    def open_some(port=None, **settings):
        settings = {"addresses": (f"127.0.0.1:{port or core.port}",), "lines": 1, **settings}
        lines = Lines("ZBAC000001", link, CoreSettings(**settings), None, 1.0, 1.0)
        lines.start()
        opened.append(lines)
        return lines

    yield open_some
    for lines in opened:
        await lines.close()


@pytest.fixture
def free_port():
    """A port on which nothing listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def begin(lines, telegrams, deadline_s=20.0):
    return asyncio.ensure_future(lines.exchange(telegrams[0], asyncio.get_running_loop().time() + deadline_s))


async def catch(exchange):
    with pytest.raises(Refusal) as caught:
        await exchange
    return caught.value.fault.name, caught.value.detail


async def answer_next(core, telegrams):
    telegram, writer = await core.telegrams.get()
    writer.write(telegrams[1](telegram))
    return writer


async def test_a_call_waits_for_the_first_line(open_lines, core, telegrams):
    exchange = begin(open_lines(), telegrams)
    await answer_next(core, telegrams)
    await exchange


async def test_calls_are_spread_over_the_lines(open_lines, core, telegrams):
    lines = open_lines(lines=3)
    await until(lambda: lines.open_lines == 3, "three lines")
    exchanges = [begin(lines, telegrams) for _ in range(3)]
    writers = {await answer_next(core, telegrams) for _ in exchanges}
    await asyncio.gather(*exchanges)
    assert len(writers) == 3


async def test_calls_beyond_the_lines_take_turns(open_lines, core, telegrams):
    lines = open_lines()
    exchanges = [begin(lines, telegrams) for _ in range(4)]
    for exchange in exchanges:
        await answer_next(core, telegrams)
        await exchange


async def test_a_call_that_waits_too_long_is_refused(open_lines, core, telegrams):
    lines = open_lines()
    first = begin(lines, telegrams)
    await core.telegrams.get()
    assert await catch(begin(lines, telegrams, 0.02)) == ("queue_timeout", "lines")
    first.cancel()


async def test_waiting_calls_are_bounded(open_lines, core, telegrams, monkeypatch):
    monkeypatch.setattr(module, "MAX_WAITING", 1)
    lines = open_lines()
    running = begin(lines, telegrams)
    await core.telegrams.get()
    waiting = begin(lines, telegrams)
    await asyncio.sleep(0)
    assert await catch(begin(lines, telegrams)) == ("provider_busy", "lines")
    for each in (running, waiting):
        each.cancel()


async def test_a_cancelled_wait_takes_no_line(open_lines, core, telegrams):
    lines = open_lines()
    first, second, third = (begin(lines, telegrams) for _ in range(3))
    telegram, writer = await core.telegrams.get()
    second.cancel()
    writer.write(telegrams[1](telegram))
    await first
    await answer_next(core, telegrams)
    await third


async def test_a_closed_line_is_opened_again(open_lines, core, telegrams):
    lines = open_lines()
    await until(lambda: lines.open_lines, "a line")
    core.writers[0].transport.abort()
    await until(lambda: len(core.writers) == 2 and lines.open_lines, "a second line")
    exchange = begin(lines, telegrams)
    await answer_next(core, telegrams)
    await exchange


async def test_a_request_on_a_closed_line_is_sent_once_more(open_lines, core, telegrams):
    lines = open_lines()
    exchange = begin(lines, telegrams)
    _, writer = await core.telegrams.get()
    writer.transport.abort()
    await answer_next(core, telegrams)
    await exchange


async def test_a_request_is_sent_at_most_twice(open_lines, core, telegrams):
    lines = open_lines()
    exchange = begin(lines, telegrams)
    for _ in range(2):
        _, writer = await core.telegrams.get()
        writer.transport.abort()
    assert await catch(exchange) == ("provider_reset", "closed")


async def test_a_request_with_half_a_response_is_not_repeated(open_lines, core, telegrams):
    lines = open_lines()
    exchange = begin(lines, telegrams)
    _, writer = await core.telegrams.get()
    writer.write(b"0000")
    writer.close()
    assert await catch(exchange) == ("provider_reset", "closed_within_telegram")


async def test_calls_are_refused_while_no_core_is_there(open_lines, free_port, telegrams, caplog):
    lines = open_lines(free_port)
    assert await catch(begin(lines, telegrams)) == ("connect_refused", "refused")
    assert await catch(begin(lines, telegrams)) == ("connect_refused", "refused")
    assert "core unavailable: org_code=ZBAC000001 cause=refused" in caplog.text


async def test_a_refused_start_is_tried_again(open_lines, core, telegrams, caplog):
    core.code = b"0999"
    lines = open_lines()
    assert await catch(begin(lines, telegrams)) == ("connect_failed", "line_start_refused: 0999")
    assert 'core unavailable: org_code=ZBAC000001 cause="line_start_refused: 0999"' in caplog.text
    core.code = b"0000"
    await until(lambda: lines.open_lines, "a line")
    assert core.management == [(b"0800", b"001")] * len(core.writers)
    exchange = begin(lines, telegrams)
    await answer_next(core, telegrams)
    await exchange


async def test_a_start_without_answer_names_its_reason(open_lines, core, telegrams):
    core.manages = False
    assert await catch(begin(open_lines(answer_s=0.05), telegrams)) == ("provider_silent", "line_start")


async def test_requests_of_a_lost_line_all_get_their_response(open_lines, core, telegrams):
    lines = open_lines(lines=1, requests=12)
    exchanges = [begin(lines, telegrams) for _ in range(12)]
    for _ in exchanges:
        _, writer = await core.telegrams.get()
    writer.transport.abort()
    for _ in exchanges:
        await answer_next(core, telegrams)
    await asyncio.gather(*exchanges)


async def test_one_of_two_addresses_is_enough(open_lines, core, free_port, telegrams):
    lines = open_lines(addresses=(f"127.0.0.1:{free_port}", f"127.0.0.1:{core.port}"))
    exchange = begin(lines, telegrams)
    await answer_next(core, telegrams)
    await exchange


async def test_retired_lines_end_after_their_requests(open_lines, core, telegrams):
    lines = open_lines()
    exchange = begin(lines, telegrams)
    telegram, writer = await core.telegrams.get()
    lines.retire()
    writer.write(telegrams[1](telegram))
    await exchange
    assert await catch(begin(lines, telegrams)) == ("provider_reset", "replaced")
    await until(lambda: not lines.open_lines, "no line")
    await until(lambda: (b"0800", b"002") in core.management, "the end telegram")


async def test_closed_lines_refuse_waiting_calls(open_lines, core, telegrams):
    lines = open_lines()
    running = begin(lines, telegrams)
    await core.telegrams.get()
    waiting = begin(lines, telegrams)
    await asyncio.sleep(0)
    await lines.close()
    assert await catch(running) == ("provider_reset", "closed")
    assert await catch(waiting) == ("provider_reset", "closed")


@pytest.mark.parametrize(
    ("cause", "fault"),
    [("refused", "connect_refused"), ("time_out", "connect_timeout"), ("dns", "dns"), ("error", "connect_failed")],
)
def test_a_cause_has_its_fault(cause, fault):
    assert get_connect_fault(cause).name == fault
