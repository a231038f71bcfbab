"""One line to a core: matching of responses, line management, and the ends of a line."""

import asyncio

import pytest
from fixtures.waiting import until

from relay.domain.fault import Refusal
from relay.infra.telegrams.line import Line, LineSettings
from relay.infra.telegrams.unique_numbers import UniqueNumbers
from relay.policy.mediation.errors import ConversionError
from relay.primitives.log_throttle import LogThrottle


@pytest.fixture
async def open_line(link, core):
    """A function that opens a line to the core."""
    lines = []

    async def open_one(requests=1, answer_s=5.0, test_s=60.0, start=True):
        settings = LineSettings("ZBAC000001", link, requests, answer_s, test_s, LogThrottle())
        freed = []
        line = Line(settings, UniqueNumbers(12, 1.0), freed.append)
        line.freed = freed
        lines.append(line)
        await asyncio.get_running_loop().create_connection(lambda: line, "127.0.0.1", core.port)
        if start:
            await line.start()
        return line

    yield open_one
    for line in lines:
        line.close()


def begin(line, telegrams, deadline_s=20.0):
    """Begins an exchange with an empty request."""
    build, _ = telegrams
    line.load += 1
    return asyncio.ensure_future(line.exchange(build, asyncio.get_running_loop().time() + deadline_s))


async def catch(exchange):
    with pytest.raises(Refusal) as caught:
        await exchange
    return caught.value.fault.name, caught.value.detail


async def test_a_line_is_started_before_its_first_request(open_line, core):
    await open_line()
    assert core.management == [(b"0800", b"001")]


async def test_a_line_that_the_core_does_not_start_is_refused(open_line, core):
    core.manages = False
    assert await catch(open_line(answer_s=0.05)) == ("provider_silent", "line_start")


async def test_a_request_gets_the_response_of_its_number(open_line, core, telegrams):
    line = await open_line(requests=2)
    exchanges = [begin(line, telegrams), begin(line, telegrams)]
    assert not line.has_room
    received = [await core.telegrams.get() for _ in exchanges]
    for telegram, writer in reversed(received):
        writer.write(telegrams[1](telegram, telegram[41:53]))
    answers = [await exchange for exchange in exchanges]
    assert [answer[102:] for answer in answers] == [telegram[41:53] for telegram, _ in received]
    assert (line.load, line.has_room, len(line.freed)) == (0, True, 2)


async def test_an_unfinished_telegram_keeps_requests_off_its_line(open_line, core, telegrams):
    build, answer = telegrams
    line = await open_line()
    exchange = begin(line, telegrams)
    telegram, writer = await core.telegrams.get()
    foreign = build("999999999999", kind=b"0210")
    writer.write(answer(telegram) + foreign[:9])
    await exchange
    assert (line.load, line.has_room) == (0, False)
    freed = len(line.freed)
    writer.write(foreign[9:])
    await until(lambda: line.has_room, "room on the line")
    assert len(line.freed) == freed + 1


async def test_a_line_closes_when_a_foreign_telegram_does_not_end(open_line, core, telegrams, monkeypatch, caplog):
    monkeypatch.setattr("relay.infra.telegrams.line.UNFINISHED_S", 0.01)
    line = await open_line()
    exchange = begin(line, telegrams)
    telegram, writer = await core.telegrams.get()
    writer.write(telegrams[1](telegram) + b"0")
    await exchange
    await line.closed.wait()
    assert "unfinished_telegram" in caplog.text


async def test_foreign_and_doubled_responses_are_dropped(open_line, core, telegrams, caplog):
    build, answer = telegrams
    line = await open_line()
    exchange = begin(line, telegrams)
    telegram, writer = await core.telegrams.get()
    response = answer(telegram)
    writer.write(build("999999999999", kind=b"0210") + response + response)
    assert await exchange == response
    await until(lambda: caplog.text.count("no request waits for it"), "the log line")
    assert line.has_room
    assert "999999999999" not in caplog.text


async def test_a_silent_line_is_closed_after_its_time(open_line, core, telegrams):
    line = await open_line(answer_s=0.05)
    assert await catch(begin(line, telegrams)) == ("provider_silent", "response")
    await until(line.closed.is_set, "the end of the line")
    assert not line.has_room


async def test_a_busy_line_survives_one_request_without_response(open_line, core, telegrams):
    line = await open_line(requests=4, answer_s=0.3)
    silent, answered = begin(line, telegrams), begin(line, telegrams)
    await core.telegrams.get()
    telegram, writer = await core.telegrams.get()
    writer.write(telegrams[1](telegram))
    await answered
    assert await catch(silent) == ("provider_silent", "response")
    assert (line.closed.is_set(), line.load, line.has_room) == (False, 0, True)


async def test_a_cancelled_request_keeps_its_place_until_the_response(open_line, core, telegrams):
    line = await open_line()
    exchange = begin(line, telegrams)
    telegram, writer = await core.telegrams.get()
    exchange.cancel()
    await asyncio.wait([exchange])
    assert (line.load, line.has_room) == (1, False)
    writer.write(telegrams[1](telegram))
    await until(lambda: line.has_room, "a free place")


async def test_a_request_beyond_its_deadline_ends_alone(open_line, core, telegrams):
    line = await open_line()
    assert await catch(begin(line, telegrams, 0.02)) == ("provider_silent", "response")
    assert line.load == 1


@pytest.mark.parametrize(
    ("sent", "fault", "detail"),
    [
        (b"", "provider_reset", "closed"),
        (b"0000", "provider_reset", "closed_within_telegram"),
        (b"garbage", "conversion_failed", "frame: offset 0: length: expected 6 digits"),
    ],
)
async def test_the_end_of_a_line_ends_its_requests(open_line, core, telegrams, sent, fault, detail):
    line = await open_line(requests=2)
    exchanges = [begin(line, telegrams), begin(line, telegrams)]
    _, writer = await core.telegrams.get()
    writer.write(sent)
    writer.close()
    assert [await catch(exchange) for exchange in exchanges] == [(fault, detail)] * 2
    assert line.load == 0
    assert await catch(begin(line, telegrams)) == ("provider_reset", "closed")


async def test_a_request_that_cannot_be_written_frees_its_place(open_line):
    line = await open_line()
    line.load += 1

    def fail(_):
        raise ConversionError("BA12 request", 0, "length", "6 digits")

    with pytest.raises(ConversionError):
        await line.exchange(fail, asyncio.get_running_loop().time() + 5)
    assert (line.load, line.freed) == (0, [line])


async def test_a_silent_line_is_tested_and_stays_open(open_line, core):
    line = await open_line(test_s=0.02)
    await until(lambda: core.management.count((b"0800", b"301")) > 1, "two line tests")
    assert not line.closed.is_set()


async def test_a_line_test_without_answer_closes_the_line(open_line, core):
    line = await open_line(test_s=0.02, answer_s=0.05)
    core.manages = False
    await until(line.closed.is_set, "the end of the line")


async def test_a_line_test_of_the_core_is_answered(open_line, core, telegrams):
    await open_line()
    test = telegrams[0]("000000000042", b"301" + b" " * 17, b"0800")
    core.writers[0].write(test)
    await until(lambda: (b"0810", b"301") in core.management, "the answer")


async def test_a_line_that_the_core_ends_takes_no_request(open_line, core, telegrams):
    line = await open_line()
    core.writers[0].write(telegrams[0]("000000000042", b"002" + b" " * 17, b"0800"))
    await until(line.closed.is_set, "the end of the line")
    await until(lambda: (b"0810", b"002") in core.management, "the answer")


async def test_a_retired_line_ends_after_its_requests(open_line, core, telegrams):
    line = await open_line()
    exchange = begin(line, telegrams)
    telegram, writer = await core.telegrams.get()
    line.retire()
    assert not line.closed.is_set()
    writer.write(telegrams[1](telegram))
    await exchange
    await until(line.closed.is_set, "the end of the line")
    await until(lambda: (b"0800", b"002") in core.management, "the end telegram")
