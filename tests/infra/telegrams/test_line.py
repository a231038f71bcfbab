"""One line to a core: matching of responses, line management, and the ends of a line."""

import asyncio

import pytest
from fixtures.waiting import until

from relay.domain.fault import Refusal
from relay.infra.telegrams import line as module
from relay.infra.telegrams.line import LineClosed
from relay.policy.mediation.errors import ConversionError


def begin(line, telegrams, deadline_s=20.0):
    """Begins an exchange with an empty request."""
    build, _ = telegrams
    line.load += 1
    return asyncio.ensure_future(line.exchange(build, asyncio.get_running_loop().time() + deadline_s))


async def catch(exchange):
    with pytest.raises((Refusal, LineClosed)) as caught:
        await exchange
    error = caught.value
    return ("line_closed", "") if isinstance(error, LineClosed) else (error.fault.name, error.detail)


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
        (b"", "line_closed", ""),
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
    assert await catch(begin(line, telegrams)) == ("line_closed", "")


async def test_a_request_that_cannot_be_written_frees_its_place(open_line):
    line = await open_line()
    line.load += 1

    def fail(_):
        raise ConversionError("BA12 request", 0, "length", "6 digits")

    with pytest.raises(ConversionError):
        await line.exchange(fail, asyncio.get_running_loop().time() + 5)
    assert (line.load, line.freed) == (0, [line])


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


# numbers of requests without response


async def test_a_number_without_response_is_not_used_again(open_line, core, telegrams, link, caplog):
    line = await open_line(requests=2, answer_s=0.2, digits=1)
    silent = begin(line, telegrams)
    late, writer = await core.telegrams.get()
    other = begin(line, telegrams)
    telegram, _ = await core.telegrams.get()
    writer.write(telegrams[1](telegram))
    await other
    assert await catch(silent) == ("provider_silent", "response")
    used = []
    for _ in range(9):  # all numbers of one digit
        exchange = begin(line, telegrams)
        telegram, _ = await core.telegrams.get()
        used.append(telegram[41:53])
        if len(used) == 9:
            writer.write(telegrams[1](late, b"late"))
        writer.write(telegrams[1](telegram, b"own"))
        assert (await exchange)[102:] == b"own"
    assert late[41:53] not in used
    assert 'reason="its request has ended without response"' in caplog.text


async def test_a_line_whose_numbers_are_used_up_takes_no_request(open_line, core, telegrams):
    line = await open_line(requests=9, answer_s=0.2, digits=1)
    silent = [begin(line, telegrams) for _ in range(4)]
    for _ in range(4):
        _, writer = await core.telegrams.get()
    for is_last in (False, True):
        answered = begin(line, telegrams)
        telegram, _ = await core.telegrams.get()
        writer.write(telegrams[1](telegram))
        await answered
        if not is_last:
            for exchange in silent:
                await catch(exchange)
            assert line.has_room
            silent = [begin(line, telegrams)]
            await core.telegrams.get()
    await catch(silent[0])
    await until(line.closed.is_set, "the end of the line")


# broken headers and stray bytes


def spoil_kind(telegram):
    return telegram[:6] + b"02X0" + telegram[10:]


@pytest.mark.parametrize("requests", [1, 4])
async def test_a_broken_header_ends_the_request_of_its_number(open_line, core, telegrams, requests):
    line = await open_line(requests=requests)
    exchange = begin(line, telegrams)
    telegram, writer = await core.telegrams.get()
    writer.write(spoil_kind(telegrams[1](telegram)))
    with pytest.raises(ConversionError, match=r"^header: offset 6: msg_type: expected 4 digits$"):
        await exchange
    assert line.has_room


async def test_a_number_with_a_broken_header_is_not_used_again(open_line, core, telegrams):
    line = await open_line(requests=2, digits=1)
    exchange = begin(line, telegrams)
    telegram, writer = await core.telegrams.get()
    writer.write(spoil_kind(telegrams[1](telegram)))
    with pytest.raises(ConversionError):
        await exchange
    used = []
    for _ in range(9):  # all numbers of one digit
        exchange = begin(line, telegrams)
        request, _ = await core.telegrams.get()
        used.append(request[41:53])
        writer.write(telegrams[1](request))
        await exchange
    assert telegram[41:53] not in used


async def test_a_broken_header_without_number_is_dropped_with_its_place(open_line, core, telegrams, caplog):
    line = await open_line(requests=2)
    exchange = begin(line, telegrams)
    telegram, writer = await core.telegrams.get()
    response = telegrams[1](telegram)
    writer.write(response[:41] + b"?" * 12 + response[53:] + spoil_kind(telegrams[0]("000000000009")) + response)
    await exchange
    for place in ("offset 41: unique_no: expected 12 digits", "offset 6: msg_type: expected 4 digits"):
        assert f'telegram dropped: org_code=ZBAC000001 reason="header: {place}" count=1' in caplog.text


async def test_broken_line_management_ends_no_request(open_line, core, telegrams):
    line = await open_line(requests=2)
    exchange = begin(line, telegrams)
    telegram, writer = await core.telegrams.get()
    broken = telegrams[0](telegram[41:53].decode(), b"301" + b" " * 17, b"0800")
    writer.write(broken[:23] + b"x" + broken[24:] + telegrams[1](telegram))  # "x" is in the org_code or the date
    await exchange


@pytest.mark.parametrize("stray", [b"?", b"00?", b"000003"])
async def test_garbage_on_an_idle_line_closes_it_at_once(open_line, core, stray):
    line = await open_line()
    core.writers[0].write(stray)
    await until(line.closed.is_set, "the end of the line")


async def test_an_incomplete_telegram_keeps_requests_away(open_line, core, telegrams):
    line = await open_line()
    test = telegrams[0]("000000000042", b"301" + b" " * 17, b"0800")
    core.writers[0].write(test[:40])
    await until(lambda: not line.has_room, "the first part")
    core.writers[0].write(test[40:])
    await until(lambda: line.has_room and line.freed, "the rest")


async def test_an_idle_line_with_half_a_telegram_is_closed(open_line, core, monkeypatch):
    monkeypatch.setattr(module, "REST_S", 0.02)
    line = await open_line()
    core.writers[0].write(b"000")
    await until(line.closed.is_set, "the end of the line")


async def test_requests_on_a_lost_line_may_be_sent_again(open_line, core, telegrams):
    line = await open_line(requests=3)
    exchanges = [begin(line, telegrams) for _ in range(3)]
    telegram, writer = await core.telegrams.get()
    writer.write(telegrams[1](telegram))
    await exchanges[0]
    writer.transport.abort()
    for exchange in exchanges[1:]:
        with pytest.raises(LineClosed):
            await exchange
    assert len(line.freed) == 3
    assert line.load == 0
