"""CPU time of converting one page of 100 transactions from a telegram to JSON, beside a decoder written by hand.

.venv/bin/python bench/telegrams.py

The hand-written decoder is what a developer of one bank would write: slices, `int`, `decode`, `json.dumps`; it has
fewer checks. Times are the least of many short rounds of CPU time, because other work of a machine makes
all times longer.
"""

import json
import time
import timeit
from collections.abc import Callable
from pathlib import Path

from relay.policy.mediation.conversion import Call, Conversion, add_position, build_context
from relay.policy.mediation.inspection import encode_response
from relay.policy.mediation.institution import compile_institution
from relay.policy.mediation.mapping.expressions import Frame
from relay.policy.mediation.mapping.rendering import Renderer
from relay.policy.mediation.paging.collection import Answer, PageCollection
from relay.policy.mediation.paging.seal import CursorSeal
from relay.policy.mediation.settings import TelegramLink, TelegramMessage
from relay.runtime.settings.yaml_files import read_yaml
from relay.standard.catalogue import load_catalogue, load_rsp_codes

FOLDER = Path(__file__).parents[1] / "config/providers/haneul-savings-bank/telegrams"
ROWS = 100
NOW = 1_800_000_000.0
UNIQUE = "000000000001"
HEAD, ROW = 102, 127


def load_conversion() -> Conversion:
    """Returns the conversion of BA04."""
    link = TelegramLink.model_validate_json(json.dumps(read_yaml(FOLDER / "link.yaml").values), strict=True)
    message = TelegramMessage.model_validate_json(json.dumps(read_yaml(FOLDER / "BA04.yaml").values), strict=True)
    rsp_codes = {code: (row.http, row.meaning) for code, row in load_rsp_codes().items()}
    files = ("link.yaml", link), [("BA04.yaml", message)]
    institution, problems = compile_institution(*files, load_catalogue(), "bank", rsp_codes)
    assert institution is not None, problems
    return institution.conversions["BA04"]


def build_telegram(conversion: Conversion, call: Call) -> bytes:
    """Returns a response with 100 rows; two thirds of them have a memo."""
    context = build_context(call, UNIQUE, NOW)
    add_position(context, conversion.paging, (), ROWS)
    rows = [
        {
            "tran_date": f"202601{row % 28 + 1:02}",
            "tran_time": "101112",
            "trans_no": str(row),
            "kind": "10",
            "trans_class": "급여이체",
            "currency_code": "KRW",
            "trans_amt": str(row * 1000),
            "balance_amt": str(row * 77),
            "trans_memo": f"한빛상사 {row}월분" if row % 3 else "",
            "branch": "0012",
        }
        for row in range(1, ROWS + 1)
    ]
    return encode_response(conversion, {"resp_code": "0000", "more": "N", "trans_list": rows}, context)


def decode_by_hand(data: bytes) -> bytes:
    """Returns the JSON of a response, as a program for this telegram alone would make it."""
    count = int(data[HEAD + 41 : HEAD + 44])
    start = HEAD + 44
    kinds = {"10": "03", "20": "02", "11": "06", "21": "07", "30": "01"}
    rows = []
    for _ in range(count):
        row = data[start : start + ROW]
        values = {
            "trans_dtime": row[:14].decode("ascii"),
            "trans_no": row[14:26].decode("ascii"),
            "trans_type": kinds.get(row[26:28].decode("ascii"), "99"),
            "trans_class": row[28:38].decode("euc-kr").rstrip(),
            "currency_code": row[38:41].decode("ascii"),
            "trans_amt": str(int(row[41:56]) // 100),
            "balance_amt": str(int(row[56:71]) // 100),
        }
        if paid_in := row[71:77].decode("ascii").strip().lstrip("0"):
            values["paid_in_cnt"] = paid_in
        if memo := row[77:117].decode("euc-kr").rstrip():
            values["trans_memo"] = memo
        rows.append(values)
        start += ROW
    body = {"rsp_code": "00000", "rsp_msg": "성공", "trans_cnt": str(count), "trans_list": rows}
    return json.dumps(body, ensure_ascii=False).encode()


def measure(function: Callable[[], object]) -> float:
    """Returns the least CPU time of one call in microseconds."""
    number = 20
    return min(timeit.repeat(function, timer=time.process_time, number=number, repeat=400)) / number * 1e6


def main() -> None:
    """Prints the table."""
    conversion = load_conversion()
    parameters = {"org_code": "ZBAC000001", "account_num": "1234567890", "from_date": "20260101"}
    parameters |= {"to_date": "20260131", "limit": str(ROWS)}
    call = Call("ZBAC000001", parameters)
    telegram = build_telegram(conversion, call)
    seal = CursorSeal(b"k" * 32)

    def convert() -> Answer:
        collection = PageCollection(conversion, call, seal)
        collection.build_request(UNIQUE, NOW)
        collection.accept(telegram)
        return collection.build_answer()

    collection = PageCollection(conversion, call, seal)
    request = collection.build_request(UNIQUE, NOW)
    body, by_hand = json.loads(convert().body), json.loads(decode_by_hand(telegram))
    assert body == by_hand
    context = build_context(call, UNIQUE, NOW)

    def convert_response() -> list[bytes]:
        response = conversion.decode_response(telegram, context)
        assert response.table is not None
        return Renderer("BA04").render_rows(conversion.output.lists[0], Frame(response.table))[0]

    print(f"telegram of {len(telegram)} bytes, request of {len(request)}, body of {len(convert().body)}")
    print(f"{'whole call: request, response, body':40} {measure(convert):7.0f} us")
    decoding = measure(lambda: conversion.decode_response(telegram, context))
    print(f"{'decoding of the response alone':40} {decoding:7.0f} us")
    print(f"{'decoding and JSON of the rows':40} {measure(convert_response):7.0f} us")
    print(f"{'by hand: response to body':40} {measure(lambda: decode_by_hand(telegram)):7.0f} us")


if __name__ == "__main__":
    main()
