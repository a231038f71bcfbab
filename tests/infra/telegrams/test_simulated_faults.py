"""Thousands of exchanges with a simulated core that fails at random, in simulated time.

Each request gets its own response or ends once, whatever the core, the lines and the callers do.
"""

import asyncio
import contextlib
import random
from collections import Counter

import pytest
from fixtures.telegram_core import TELEGRAMS

from relay.domain.fault import Refusal
from relay.infra.telegrams.lines import Lines
from relay.policy.mediation.errors import ConversionError
from relay.policy.settings.core import CoreSettings
from relay.runtime.settings.telegram_files import load_telegram_files

FAULTS = {
    "answer": 60, "split": 8, "slow": 6, "none": 2, "late": 4, "doubled": 4, "foreign": 4, "header": 3, "shifted": 1,
    "garbage": 0.5, "half": 0.5, "close": 0.5, "stray": 0.5, "test": 2, "unknown test": 1, "end": 0.5,
}  # fmt: skip
"""What the core does with a request, and how often."""

ENDS = {
    "response", "gone", "header", "request", "provider_silent", "provider_reset", "conversion_failed", "queue_timeout",
    "connect_refused", "connect_failed", "connect_timeout",
}  # fmt: skip
SEED, CALLS = 20270115, 2500
KIND, NUMBER, CODE = slice(6, 10), slice(41, 53), slice(53, 57)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer."""

    def __init__(self):
        self.now = 1000.0
        super().__init__()

    def time(self):
        return self.now

    def _run_once(self):
        if not self._ready and self._scheduled:
            self.now = max(self.now, self._scheduled[0].when())
        super()._run_once()


class SimulatedTransport:
    """The relay's end of a connection to the simulated core."""

    def __init__(self, core, line):
        self.core, self.line = core, line
        self.is_closed = False
        self.unanswered = set()

    def is_closing(self):
        return self.is_closed

    def get_write_buffer_size(self):
        return 0

    def write(self, data):
        assert not self.is_closed
        self.core.receive(self, data)

    def close(self):
        if not self.is_closed:
            self.is_closed = True
            self.core.loop.call_soon(self.line.connection_lost, None)

    abort = close

    def deliver(self, data, delay_s, number=b""):
        """Has the line receive bytes later, unless it is closed by then. They answer the request with this number."""

        def receive():
            if not self.is_closed:
                self.unanswered.discard(number)
                self.line.data_received(data)

        self.core.loop.call_later(delay_s, receive)


def frame(header, body):
    return b"%06d" % (len(header) + len(body) - 6) + header[6:] + body


def change(telegram, place, value):
    return telegram[: place.start] + value + telegram[place.start + len(value) :]


class SimulatedCore:
    """Answers requests with their own body, or fails. `numbers` counts what it did."""

    def __init__(self, loop, choose):
        self.loop, self.choose = loop, choose
        self.did = Counter()
        self.is_there = True
        self.lines = []

    def receive(self, wire, telegram):
        if telegram[KIND] == b"0800":
            code = b"0999" if self.choose.random() < 0.05 else b"0000"
            if self.choose.random() < 0.97:
                wire.deliver(change(change(telegram, KIND, b"0810"), CODE, code), 0.001)
        elif telegram[KIND] == b"0200":
            assert telegram[NUMBER] not in wire.unanswered
            fault = self.choose.choices(list(FAULTS), list(FAULTS.values()))[0]
            self.did[fault] += 1
            wire.unanswered.add(telegram[NUMBER])
            self.respond(wire, fault, telegram)

    def respond(self, wire, fault, telegram):
        response = change(telegram, KIND, b"0210")
        soon = self.choose.uniform(0.001, 0.05)
        middle = self.choose.randrange(1, len(response))
        parts = {
            "answer": [(response, soon)],
            "split": [(response[:middle], soon), (response[middle:], soon)],
            "slow": [(response, self.choose.uniform(0.1, 0.9))],
            "none": [],
            "late": [(response, self.choose.uniform(1.05, 3.0))],
            "doubled": [(response + response, soon)],
            "foreign": [(self.build_foreign(), soon), (response, soon)],
            "header": [(change(response, KIND, b"02X0"), soon)],
            "shifted": [(change(response, slice(52, 53), b"?"), soon)],
            "garbage": [(response[:6] + b"<html>" * 40, soon)],
            "half": [(response[:middle], soon), (b"", soon)],
            "close": [(b"", soon)],
            "stray": [(response + b"?0"[: self.choose.randrange(1, 3)], soon)],
            "test": [(self.build_line_test(b"301"), soon), (response, soon)],
            "unknown test": [(self.build_line_test(b"777"), soon), (response, soon)],
            "end": [(self.build_line_test(b"002"), soon), (response, soon)],
        }[fault]
        for data, delay_s in parts:
            if data:
                is_answer = fault not in {"late", "shifted", "half", "garbage"} and (data, delay_s) == parts[-1]
                wire.deliver(data, delay_s, telegram[NUMBER] if is_answer else b"")
            else:
                self.loop.call_later(delay_s, wire.close)

    def build_foreign(self):
        """Returns a response that this line has not asked for: with a number that no request of it ever had."""
        number = b"%012d" % self.choose.randrange(10**11, 10**12)
        return change(frame(TEMPLATE[:102], b"foreign."), NUMBER, number)

    def build_line_test(self, code):
        return change(frame(TEMPLATE[:102], code + b" " * 17), KIND, b"0800")


HEADER = b"0210A012099ZBAC00000120270115170000000000000001" + b" " * 49
TEMPLATE = b"000000" + HEADER


class SimulatedLines(Lines):
    """Lines that are connected to the simulated core."""

    core = None

    async def _connect(self, line, slot):
        await asyncio.sleep(0.001)
        if not self.core.is_there:
            raise ConnectionRefusedError(111, "refused")
        line.connection_made(SimulatedTransport(self.core, line))
        self.core.lines.append(line)


@pytest.fixture(scope="module")
def links(tmp_path_factory):
    """The compiled link by the digits of unique numbers. The last digits of the field vary; the others are constant."""
    compiled = {}
    for digits in (2, 12):
        folder = tmp_path_factory.mktemp("telegrams") / "telegrams"
        folder.mkdir()
        for file in TELEGRAMS.glob("*.yaml"):
            text = file.read_text()
            if digits < 12:
                fields = f"- zeros n({12 - digits}) = {'0' * (12 - digits)}\n  - unique_no n({digits}) = $unique_number"
                text = text.replace("- unique_no n(12)  = $unique_number", fields)
            (folder / file.name).write_text(text)
        compiled[digits] = load_telegram_files(folder, "bank").institution.link
    return compiled


class Callers:
    """Calls at random times; each has a body of its own. `ends` counts how they ended."""

    def __init__(self, get_lines, choose):
        self.get_lines, self.choose = get_lines, choose
        self.ends = Counter()

    async def call(self, identity):
        loop = asyncio.get_running_loop()
        body = b"%08d" % identity
        if self.choose.random() < 0.02:
            await self.leave(body)
            return
        try:
            response = await self.get_lines().exchange(self.write(body), loop.time() + self.choose.uniform(0.2, 4.0))
        except Refusal as refusal:
            self.ends[refusal.fault.name] += 1
        except ConversionError as error:
            self.ends[error.message] += 1
        else:
            assert response[-8:] == body
            self.ends["response"] += 1

    async def leave(self, body):
        """Calls, and goes away before the response."""
        self.ends["gone"] += 1
        with contextlib.suppress(TimeoutError, Refusal, ConversionError):
            async with asyncio.timeout(self.choose.uniform(0.0, 0.1)):
                await self.get_lines().exchange(self.write(body), asyncio.get_running_loop().time() + 4)

    def write(self, body):
        is_broken = self.choose.random() < 0.005

        def write(number):
            if is_broken:
                raise ConversionError("request", 0, "body", "less")
            request = change(frame(TEMPLATE[:102], body), NUMBER, number.zfill(12).encode())
            return change(request, KIND, b"0200")

        return write


async def simulate(link, requests, seed, calls, rate):
    choose = random.Random(seed)
    core = SimulatedCore(asyncio.get_running_loop(), choose)
    settings = CoreSettings(addresses=("core:1",), lines=3, requests=requests, answer_s=1.0, test_s=0.5)

    def open_lines():
        lines = SimulatedLines("ZBAC000001", link, settings, None, 1.0, 1.0)
        lines.core = core
        lines.start()
        return lines

    current, former = open_lines(), []
    callers = Callers(lambda: current, choose)
    tasks = []
    for identity in range(calls):
        tasks.append(asyncio.ensure_future(callers.call(identity)))
        await asyncio.sleep(choose.expovariate(rate))
        assert all(0 <= line.load <= settings.requests for line in core.lines)
        event = choose.random()
        if event < 0.001:
            former.append(current)
            current = open_lines()
            former[-1].retire()
        elif event < 0.002:
            core.is_there = False
        elif event < 0.02:
            core.is_there = True
    await asyncio.gather(*tasks)
    await asyncio.sleep(60)
    assert [line.load for line in core.lines] == [0] * len(core.lines)
    assert sum(not line.closed.is_set() for line in core.lines) == current.open_lines
    assert sum(callers.ends.values()) == calls
    await current.close()
    assert all(line.closed.is_set() for line in core.lines)
    return callers.ends, core.did


@pytest.mark.parametrize(("digits", "requests", "rate"), [(12, 1, 10), (12, 16, 60), (2, 8, 30), (2, 49, 100)], ids=str)
def test_each_request_gets_its_own_response_or_ends_once(links, digits, requests, rate):
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        problems = []
        runner.get_loop().set_exception_handler(lambda _, context: problems.append(context))
        ends, did = runner.run(simulate(links[digits], requests, SEED, CALLS, rate))
    assert problems == []
    assert set(ends) <= ENDS
    assert len(did) == len(FAULTS)
    assert ends["response"] > CALLS / 2
