"""Line management: start, test and end of a line, and answers to those of the core."""

import asyncio
import dataclasses
import shutil

import pytest
from fixtures.telegram_core import TELEGRAMS
from fixtures.waiting import until

from relay.domain.fault import Refusal
from relay.infra.telegrams.line import LineClosed
from relay.runtime.settings.telegram_files import load_telegram_files


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


async def test_a_line_whose_start_is_refused_is_not_used(open_line, core, caplog):
    core.code = b"0999"
    assert await catch(open_line()) == ("connect_failed", "line_start_refused: 0999")
    assert 'line start refused by the core: org_code=ZBAC000001 reason="response code 0999"' in caplog.text


@pytest.mark.parametrize("code", [b"0000", b"    "])
async def test_a_start_without_another_code_is_a_success(open_line, core, code):
    core.code = code
    assert (await open_line()).has_room


async def test_a_refused_test_closes_the_line(open_line, core, telegrams):
    line = await open_line(test_s=0.02)
    core.code = b"0999"
    await until(line.closed.is_set, "the end of the line")


async def test_a_request_during_a_failed_test_may_be_sent_again(open_line, core, telegrams):
    line = await open_line(test_s=0.02)
    core.manages = False
    await until(lambda: (b"0800", b"301") in core.management, "a line test")
    exchange = begin(line, telegrams)
    await core.telegrams.get()
    refusal = telegrams[0]("1", b"301" + b" " * 17, b"0810")
    core.writers[0].write(refusal[:53] + b"0999" + refusal[57:])
    with pytest.raises(LineClosed):
        await exchange


@pytest.fixture
def unwritable(tmp_path):
    """A link whose answers of line management do not fit in their field."""
    folder = shutil.copytree(TELEGRAMS, tmp_path / "telegrams")
    link = load_telegram_files(folder, "bank").institution.link
    return dataclasses.replace(link, ok="00000")


async def test_an_answer_that_cannot_be_written_costs_no_request(open_line, core, telegrams, unwritable, caplog):
    line = await open_line(link=unwritable)
    exchange = begin(line, telegrams)
    telegram, writer = await core.telegrams.get()
    writer.write(telegrams[0]("000000000042", b"301" + b" " * 17, b"0800"))
    await until(lambda: "line management not written" in caplog.text, "the log line")
    writer.write(telegrams[1](telegram))
    await exchange
    await until(line.closed.is_set, "the end of the line")
    assert 'reason="line management answer: offset 53: resp_code: expected at most 4 characters; ' in caplog.text
    assert "correct management in link.yaml" in caplog.text


async def test_unknown_line_management_costs_no_request(open_line, core, telegrams, caplog):
    line = await open_line()
    exchange = begin(line, telegrams)
    telegram, writer = await core.telegrams.get()
    writer.write(telegrams[0]("000000000042", b"777" + b" " * 17, b"0800") + telegrams[1](telegram))
    await exchange
    assert 'telegram dropped: org_code=ZBAC000001 reason="line management: offset 102: mgmt_code' in caplog.text
