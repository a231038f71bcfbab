"""Counts are added once and read by day; messages are stored with the portal's answer. Fees depend on both."""

import asyncio
import time
from dataclasses import replace

import pytest

from relay.domain.jobs import Superseded
from relay.domain.statistics import Batch, Line, Pulse, Sending, SendingState

NOW = 1_800_000_000
BANK, CARD = "ZBAA000001", "ZCAA000001"
LINE = Line("20270115", "00", BANK, "ZOPA000001", "svc1", "1", "BA01", "200_00000")
LATER = LINE._replace(stat_date="20270117")
OF_CARD = LINE._replace(provider=CARD, stat_date="20270116", outcome="403_40301")
SENT = Sending(
    week="20270117",
    provider=BANK,
    type="1",
    state=SendingState.ACCEPTED,
    attempts=2,
    tried_at=NOW + 5,
    accepted_at=NOW + 6,
    counted_at=NOW + 1,
    tran_id="ZRAA000001M00000000000001",
    rsp_code="00000",
    content=b'{"stat_date_cnt":7}' * 100,
)


@pytest.fixture
def book(ledger):
    return ledger.statistics


def lines(count, start=0):
    return [LINE._replace(api_code=f"AP{number:04}") for number in range(start, start + count)]


class TestBatches:
    async def test_a_repeated_batch_is_counted_once(self, book):
        batch = Batch("one", {LINE: 3, OF_CARD: 1})
        assert await book.take_batch(batch, NOW) is True
        assert await book.take_batch(batch, NOW) is False
        assert await book.counts("20270101", "20271231") == [(LINE, 3), (OF_CARD, 1)]

    async def test_batches_add_up(self, book):
        await book.take_batch(Batch("one", {LINE: 3}), NOW)
        await book.take_batch(Batch("two", {LINE: 4, LATER: 1}), NOW)
        assert await book.counts("20270115", "20270117") == [(LINE, 7), (LATER, 1)]

    async def test_an_empty_batch_is_recorded(self, book):
        assert await book.take_batch(Batch("one", {}), NOW) is True
        assert await book.take_batch(Batch("one", {}), NOW) is False

    async def test_twenty_concurrent_senders_lose_and_double_nothing(self, book):
        batches = [Batch(f"batch-{number}", dict.fromkeys(lines(40, number % 7), 1)) for number in range(20)]
        ordered = [Batch(batch.batch_id, dict(reversed(batch.counts.items()))) for batch in batches]
        both = [batch for pair in zip(batches, ordered, strict=True) for batch in pair]
        results = await asyncio.gather(*[book.take_batch(batch, NOW) for batch in both])
        assert sum(results) == 20
        counted = dict(await book.counts("20270115", "20270115"))
        assert counted == {line: sum(line in batch.counts for batch in batches) for line in lines(46)}

    async def test_two_thousand_lines_take_less_than_five_seconds(self, book):
        many = Batch("many", dict.fromkeys(lines(2000), 2))
        started = time.monotonic()
        await book.take_batch(many, NOW)
        await book.take_batch(replace(many, batch_id="more"), NOW)
        assert time.monotonic() - started < 5
        assert await book.counts("20270115", "20270115") == [(line, 4) for line in lines(2000)]


class TestReading:
    @pytest.fixture(autouse=True)
    async def counted(self, book):
        await book.take_batch(Batch("one", {LATER: 1, OF_CARD: 2, LINE: 3}), NOW)

    @pytest.mark.parametrize(
        ("arguments", "counts"),
        [
            (("20270115", "20270117"), [(LINE, 3), (OF_CARD, 2), (LATER, 1)]),
            (("20270116", "20270116"), [(OF_CARD, 2)]),
            (("20270115", "20270117", BANK), [(LINE, 3), (LATER, 1)]),
            (("20270118", "20271231"), []),
        ],
    )
    async def test_counts_are_ordered_by_line(self, book, arguments, counts):
        assert await book.counts(*arguments) == counts

    async def test_the_first_day_is_found(self, book):
        assert await book.first_day() == "20270115"

    async def test_institutions_with_counts_are_found(self, book):
        assert await book.providers_in("20270116", "20270117") == {BANK, CARD}
        assert await book.providers_in("20270116", "20270116") == {CARD}

    @pytest.mark.parametrize(
        ("last", "provider", "moment", "changed"),
        [
            ("20270117", BANK, NOW + 100, True),
            ("20270117", BANK, NOW + 101, False),
            ("20270116", BANK, NOW + 1, False),
            ("20270117", CARD, NOW + 1, False),
            ("20270117", CARD, NOW, True),
        ],
    )
    async def test_a_change_of_counts_is_detected(self, book, last, provider, moment, changed):
        await book.take_batch(Batch("two", {LATER: 1}), NOW + 100)
        await book.take_batch(Batch("three", {LATER: 1}), NOW + 50)
        assert await book.changed_since("20270115", last, provider, moment) is changed


async def test_an_empty_ledger_has_no_first_day(book):
    assert await book.first_day() == ""


class TestPulses:
    @pytest.mark.parametrize(
        ("pulses", "merged"),
        [
            ([(100, 0, 0)], (100, 0, 0)),
            ([(100, 105, 2), (100, 106, 1)], (100, 106, 3)),
            ([(0, 105, 2), (0, 106, 1)], (0, 106, 3)),
            ([(100, 105, 2), (110, 0, 0)], (110, 105, 0)),
            ([(100, 105, 2), (110, 111, 1)], (110, 111, 1)),
            ([(100, 105, 2), (103, 0, 0)], (103, 105, 2)),
            ([(110, 0, 0), (100, 105, 2)], (110, 105, 0)),
            ([(110, 0, 0), (100, 111, 2)], (110, 111, 2)),
        ],
        ids=[
            "it_answers",
            "failures_add_up",
            "it_never_answered",
            "an_answer_ends_failures",
            "failures_after_the_answer_count",
            "an_answer_before_the_failure_ends_nothing",
            "failures_before_the_answer_are_over",
            "failures_after_it_are_not",
        ],
    )
    async def test_failures_count_since_the_last_answer(self, book, pulses, merged):
        for number, pulse in enumerate(pulses):
            await book.take_batch(Batch(f"batch-{number}", {}, {BANK: Pulse(*pulse)}), NOW)
        assert await book.pulse(BANK) == Pulse(*merged)
        assert await book.pulse(CARD) is None


class TestSendings:
    async def test_a_message_is_stored_with_the_portals_answer(self, book, fence):
        others = [replace(SENT, type="2", state=SendingState.WAITING), replace(SENT, provider=CARD)]
        for sending in (*others, SENT):
            await book.save_sending(sending, fence, NOW)
        assert await book.sendings("20270117") == [SENT, *others]
        assert await book.sendings("20270124") == []
        again = replace(SENT, attempts=3, state=SendingState.REFUSED, rsp_code="50001", content=b"other")
        await book.save_sending(again, fence, NOW)
        assert (await book.sendings("20270117"))[0] == again

    async def test_messages_are_read_by_institution_and_without_content(self, book, fence):
        for sending in (SENT, replace(SENT, provider=CARD)):
            await book.save_sending(sending, fence, NOW)
        assert await book.sendings("20270117", BANK) == [SENT]
        assert await book.sendings("20270117", BANK, content=False) == [replace(SENT, content=b"")]
        await book.request_resend("20270117", BANK, ["1"], NOW + 60)
        assert await book.requested_sendings(content=False) == [replace(SENT, content=b"", requested=True)]

    async def test_content_is_compressed(self, book, fence, sql, url):
        await book.save_sending(SENT, fence, NOW)
        (size,) = sql(url, "SELECT length(content) FROM sendings")
        assert int(size) < len(SENT.content) / 10

    async def test_the_portal_may_request_a_message_that_was_never_sent(self, book):
        await book.request_resend("20270117", BANK, ["2", "1"], NOW)
        waiting = [Sending("20270117", BANK, type_, SendingState.WAITING, requested=True) for type_ in ("1", "2")]
        assert await book.requested_sendings() == waiting

    async def test_a_requested_message_stays_until_it_is_sent_again(self, book, fence):
        await book.save_sending(SENT, fence, NOW)
        await book.request_resend("20270117", BANK, ["1"], NOW + 60)
        assert await book.requested_sendings() == [replace(SENT, requested=True)]

    @pytest.mark.parametrize(
        ("state", "counted_at", "accepted_at", "is_asked"),
        [
            (SendingState.ACCEPTED, NOW + 60, NOW + 60, False),
            (SendingState.ACCEPTED, NOW + 59, NOW + 61, True),
            (SendingState.ACCEPTED, NOW + 60, NOW + 59, True),
            (SendingState.REFUSED, NOW + 60, 0, True),
            (SendingState.WAITING, NOW + 60, 0, True),
        ],
    )
    async def test_only_acceptance_of_later_counts_answers_a_request(
        self, book, fence, state, counted_at, accepted_at, is_asked
    ):
        await book.request_resend("20270117", BANK, ["1"], NOW + 60)
        sending = replace(SENT, state=state, counted_at=counted_at, accepted_at=accepted_at)
        await book.save_sending(sending, fence, NOW + 70)
        assert [sending.requested for sending in await book.sendings("20270117")] == [is_asked]

    async def test_a_superseded_leader_stores_nothing(self, ledger, book, fence):
        await book.save_sending(SENT, fence, NOW)
        await ledger.jobs.take_lead("there", 60, NOW)
        with pytest.raises(Superseded):
            await book.save_sending(replace(SENT, attempts=9), fence, NOW)
        assert await book.sendings("20270117") == [SENT]
