import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.fault import Refusal
from relay.policy.mediation.errors import ConversionError
from relay.policy.mediation.inspection import decode_message
from relay.policy.mediation.paging.collection import PageCollection
from relay.policy.mediation.paging.seal import CursorSeal

SEAL = CursorSeal(b"s" * 32)
NOW = 1_800_000_000.0
PERIOD = {"account_num": "110", "from_date": "20260101", "to_date": "20260131"}
ROW = {"tran_date": "20260131", "tran_time": "101112", "kind": "10", "trans_class": "급여", "currency_code": "KRW",
       "trans_amt": "1", "balance_amt": "1"}  # fmt: skip


class List:
    """A core with `total` transactions. It sends at most `size` per telegram, whatever the request says."""

    def __init__(self, core, total, size, **parameters):
        self.core, self.total, self.size = core, total, size
        self.parameters = {**PERIOD, **parameters}
        self.telegrams = 0
        self.asked = []

    def fetch(self, limit, next_page="", stop_after=0):
        """Returns the body of one page."""
        parameters = {**self.parameters, "limit": str(limit)} | ({"next_page": next_page} if next_page else {})
        bank = self.core("BA04", parameters)
        collection = PageCollection(bank.conversion, bank.call, SEAL)
        while not collection.is_complete:
            self.telegrams += 1
            unique = f"{self.telegrams:012}"
            request = collection.build_request(unique, NOW)
            values = decode_message("request", bank.conversion.request, request)
            first = int(values["next_no"] or "0")
            self.asked.append((first, int(values["row_limit"])))
            collection.accept(self.respond(bank, first, unique))
            if stop_after and self.telegrams >= stop_after:
                collection.stop()
        return json.loads(collection.build_answer().body)

    def respond(self, bank, first, unique):
        last = min(first + self.size, self.total)
        rows = [{**ROW, "trans_no": str(number)} for number in range(first, last)]
        more = {"more": "Y", "next_date": "20260131", "next_no": str(last)} if last < self.total else {"more": "N"}
        return bank.respond({**more, "trans_list": rows}, unique_number=unique)

    def fetch_all(self, limit):
        """Returns the numbers of all transactions, page by page."""
        pages, cursor = [], ""
        while True:
            body = self.fetch(limit, cursor)
            pages.append([int(row["trans_no"]) for row in body["trans_list"]])
            assert body["trans_cnt"] == str(len(pages[-1]))
            if "next_page" not in body:
                return pages
            assert body["next_page"] != cursor
            cursor = body["next_page"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 130), st.integers(1, 100), st.integers(1, 130))
def test_pages_have_all_rows_once_and_in_order(core, total, size, limit):
    pages = List(core, total, size).fetch_all(limit)
    assert [number for page in pages for number in page] == list(range(total))
    assert all(len(page) <= limit for page in pages)


def test_a_limit_is_split_over_several_telegrams(core):
    bank = List(core, 100, 30)
    body = bank.fetch(70)
    assert (body["trans_cnt"], bank.telegrams) == ("70", 3)
    assert bank.asked == [(0, 70), (30, 40), (60, 10)]


def test_rows_beyond_the_limit_come_with_the_next_page(core):
    bank = List(core, 100, 30)
    first = bank.fetch(70)
    second = bank.fetch(70, first["next_page"])
    assert second["trans_list"][0]["trans_no"] == f"{70:012}"
    assert bank.asked[3] == (60, 80)


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "1.5", "１", "0001"])
def test_a_limit_that_is_none_is_refused(core, limit):
    bank = core("BA04", {**PERIOD, "limit": limit})
    with pytest.raises(Refusal) as caught:
        PageCollection(bank.conversion, bank.call, SEAL)
    assert (caught.value.fault.rsp_code, caught.value.detail) == ("40001", "limit (1-500)")


def test_a_list_in_one_telegram_is_divided_by_the_limit(files, core):
    del files.messages["BA01.yaml"]["paging"]
    files.messages["BA01.yaml"]["request"]["fields"] = ["ci an(88) = $user_ci"]
    files.messages["BA01.yaml"]["response"]["fields"].append("search_timestamp datetime")
    compiled, problems = files.compile()
    assert problems == []
    rows = [{"account_num": str(number), "product": "예금", "product_kind": "L1", "status": "A"} for number in range(5)]
    values = {"reg_date": "20200302", "more": "N", "accounts": rows, "search_timestamp": "20260131000000"}
    numbers, cursor, stamps = [], "", []
    while cursor is not None:
        parameters = {"limit": "2"} | ({"next_page": cursor} if cursor else {"search_timestamp": "0"})
        bank = core("BA01", parameters, user_ci="c" * 88, of=compiled)
        collection = PageCollection(bank.conversion, bank.call, SEAL)
        collection.build_request("000000000001", NOW)
        collection.accept(bank.respond(values))
        body = json.loads(collection.build_answer().body)
        numbers += [row["account_num"] for row in body["account_list"]]
        stamps.append("search_timestamp" in body)
        cursor = body.get("next_page")
    assert numbers == ["0", "1", "2", "3", "4"]
    assert stamps == [True, False, False]


def test_an_api_with_pages_needs_a_seal(core):
    bank = core("BA04", {**PERIOD, "limit": "50"})
    with pytest.raises(ValueError, match="needs a seal"):
        PageCollection(bank.conversion, bank.call)


def test_the_last_page_has_no_cursor(core):
    assert "next_page" not in List(core, 10, 10).fetch(10)


def test_a_list_without_rows_is_complete(core):
    body = List(core, 0, 10).fetch(10)
    assert (body["trans_cnt"], body["trans_list"]) == ("0", [])
    assert "next_page" not in body


def test_a_stopped_page_continues_where_it_ended(core):
    bank = List(core, 100, 10)
    first = bank.fetch(100, stop_after=3)
    assert first["trans_cnt"] == "30"
    assert bank.fetch(10, first["next_page"])["trans_list"][0]["trans_no"] == f"{30:012}"


def test_a_page_takes_a_bounded_number_of_telegrams(core):
    bank = List(core, 100, 1)
    body = bank.fetch(100)
    assert (body["trans_cnt"], bank.telegrams) == ("20", 20)
    assert "next_page" in body


def start(core, **parameters):
    bank = core("BA04", {**PERIOD, "limit": "50", **parameters})
    collection = PageCollection(bank.conversion, bank.call, SEAL)
    collection.build_request("000000000001", NOW)
    return bank, collection


def test_a_key_that_does_not_move_on_is_refused(core):
    bank, collection = start(core)
    more = {"more": "Y", "next_date": "20260131", "next_no": "7", "trans_list": []}
    collection.accept(bank.respond(more))
    collection.build_request("000000000001", NOW)
    with pytest.raises(ConversionError, match="moves on"):
        collection.accept(bank.respond(more))


def test_the_cursor_of_another_account_is_refused(core):
    first = List(core, 100, 30).fetch(70)
    with pytest.raises(Refusal):
        List(core, 100, 30, account_num="111").fetch(70, first["next_page"])


def test_a_failure_on_a_later_telegram_is_the_answer(core):
    bank, collection = start(core)
    collection.accept(bank.respond({"more": "Y", "next_date": "20260131", "next_no": "7", "trans_list": [ROW]}))
    collection.build_request("000000000001", NOW)
    collection.accept(bank.respond({}, code="9001"))
    answer = collection.build_answer()
    assert (answer.status, answer.rsp_code) == (500, "50008")
    assert b"trans_list" not in answer.body


def test_the_end_of_a_list_may_be_a_response_code(core):
    bank, collection = start(core)
    collection.accept(bank.respond({"more": "Y", "next_date": "20260131", "next_no": "7",
                                    "trans_list": [{**ROW, "trans_no": "1"}]}))  # fmt: skip
    collection.build_request("000000000001", NOW)
    collection.accept(bank.respond({"more": "N"}, code="0001"))
    body = json.loads(collection.build_answer().body)
    assert body["trans_cnt"] == "1"
    assert "next_page" not in body


def cut_body(telegram, size=102):
    return b"%06d" % (size - 6) + telegram[6:size]


def test_no_rows_may_be_a_header_alone(core):
    bank, collection = start(core)
    collection.accept(cut_body(bank.respond({}, code="0001")))
    body = json.loads(collection.build_answer().body)
    assert body == {"rsp_code": "00000", "rsp_msg": "성공", "trans_cnt": "0", "trans_list": []}


def test_a_header_alone_is_too_little_for_required_values(core):
    bank = core("BA22", {"account_num": "110", "search_timestamp": "0"})
    collection = PageCollection(bank.conversion, bank.call)
    collection.build_request("000000000001", NOW)
    collection.accept(cut_body(bank.respond({}, code="0001")))
    with pytest.raises(ConversionError, match="balance_amt: expected a body"):
        collection.build_answer()
