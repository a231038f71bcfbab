"""Telegrams without unique number: each request has a connection of its own."""

import asyncio
import shutil

import pytest
from fixtures.telegram_core import TELEGRAMS
from fixtures.waiting import until

from relay.infra.telegrams.lines import Lines
from relay.policy.settings.core import CoreSettings
from relay.runtime.settings.telegram_files import load_telegram_files


@pytest.fixture
async def lines(core, tmp_path):
    """One line of an institution whose telegrams have a constant in place of the number."""
    folder = shutil.copytree(TELEGRAMS, tmp_path / "telegrams")
    link = folder / "link.yaml"
    link.write_text(link.read_text().replace("n(12)  = $unique_number", "n(12)  = 1"))
    loaded = load_telegram_files(folder, "bank")
    assert loaded.institution.link.unique_digits == 0
    settings = CoreSettings(addresses=(f"127.0.0.1:{core.port}",), lines=1, requests=9)
    lines = Lines("ZBAC000001", loaded.institution.link, settings, None, 1.0, 1.0)
    lines.start()
    yield lines
    await lines.close()


def begin(lines, telegrams):
    deadline = asyncio.get_running_loop().time() + 20
    return asyncio.ensure_future(lines.exchange(lambda number: telegrams[0](number or "000000000001"), deadline))


async def test_a_doubled_response_reaches_no_other_request(lines, core, telegrams):
    build, _ = telegrams
    first = begin(lines, telegrams)
    _, writer = await core.telegrams.get()
    second = begin(lines, telegrams)
    response = build("000000000001", b"one", b"0210")
    writer.write(response)
    assert await first == response
    _, other = await core.telegrams.get()
    assert other is not writer
    writer.write(response)
    other.write(build("000000000001", b"two", b"0210"))
    assert (await second)[-3:] == b"two"


async def test_one_request_is_under_way_at_a_time(lines, core, telegrams):
    exchanges = [begin(lines, telegrams) for _ in range(3)]
    for _ in exchanges:
        _, writer = await core.telegrams.get()
        assert core.telegrams.empty()
        writer.write(telegrams[0]("000000000001", kind=b"0210"))
    await asyncio.gather(*exchanges)
    assert len(core.writers) >= 3


async def test_an_unexpected_telegram_closes_the_line(lines, core, telegrams, caplog):
    await until(lambda: lines.open_lines, "a line")
    core.writers[0].write(telegrams[0]("000000000001", kind=b"0210"))
    await until(lambda: len(core.writers) > 1 and lines.open_lines, "another line")
    assert 'telegram dropped: org_code=ZBAC000001 reason="no request waits for it"' in caplog.text
