"""CPU time of converting one page of 100 rows of JSON to that of the standard, beside code written by hand.

.venv/bin/python bench/json_apis.py

The hand-written code is what a developer of one insurer would write: `json.loads`, a loop, `json.dumps`; it has fewer
checks, and floats for numbers. With jmespath or jsonpath-ng installed, the time of their paths alone is measured, too:
one compiled path for each of the 8 fields. Times are the least of many short rounds of CPU time.
"""

import importlib
import json
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

from relay.policy.mediation.conversion import Call
from relay.policy.mediation.json_api.conversion import JsonConversion
from relay.policy.mediation.json_api.decoding import JsonDecoder, parse_json
from relay.policy.mediation.json_api.notation import JsonItem
from relay.policy.mediation.json_api.plan import compile_record
from relay.policy.mediation.json_api.requests import JsonResponse
from relay.policy.mediation.paging.collection import Answer, PageCollection
from relay.policy.mediation.paging.seal import CursorSeal
from relay.runtime.settings.json_files import load_json_files

FOLDER = Path(__file__).parents[1] / "config/providers/dasol-life-insurance/json"
ROWS = 100
NOW = 1_800_000_000.0
UNIQUE = "000000000001"
FIELDS = ("no", "at", "paid.principal", "paid.interest", "currency", "memo", "kind", "branch.name")
METHODS = {"GIRO": "01", "TRANSFER": "02", "DIRECT": "03", "CARD": "04"}


def load_conversion() -> JsonConversion:
    """Returns the conversion of IS07."""
    files = load_json_files(FOLDER, "insu")
    assert files.institution is not None, files.problems
    return files.institution.conversions["IS07"]


def build_response() -> JsonResponse:
    """Returns a response with 100 rows."""
    rows = [
        {
            "paidAt": f"2026-01-{row % 28 + 1:02}T10:11:12+09:00",
            "no": f"P{row}",
            "premium": 540_000 + row,
            "times": row,
            "amount": 54_000 + row,
            "method": "CARD",
        }
        for row in range(1, ROWS + 1)
    ]
    data = {"policyNo": "N01202009180005", "plateNo": "12가3456", "nextCursor": None, "payments": rows}
    body = {"result": {"code": "OK", "message": "정상", "requestNo": UNIQUE}, "data": data}
    return JsonResponse(200, json.dumps(body, ensure_ascii=False).encode(), "application/json")


def convert_by_hand(body: bytes) -> bytes:
    """Returns the JSON of a response, as a program for this API alone would make it."""
    values = json.loads(body)
    rows = []
    for row in values["data"]["payments"]:
        moment = row["paidAt"]
        rows.append(
            {
                "trans_dtime": moment[:19].replace("-", "").replace("T", "").replace(":", ""),
                "trans_no": row["no"],
                "face_amt": str(row["premium"]),
                "paid_in_cnt": str(row["times"]),
                "paid_amt": str(row["amount"]),
                "pay_method": METHODS.get(row["method"], "99"),
            }
        )
    result = {"rsp_code": "00000", "rsp_msg": "성공", "trans_cnt": str(len(rows))}
    return json.dumps({**result, "trans_list": rows}, ensure_ascii=False).encode()


def measure(function: Callable[[], object], number: int = 20, repeat: int = 300) -> float:
    """Returns the least CPU time of one call in microseconds."""
    return min(timeit.repeat(function, timer=time.process_time, number=number, repeat=repeat)) / number * 1e6


def build_rows() -> dict[str, Any]:
    """Returns 100 rows of 8 fields, three of them in other objects, as parsed JSON."""
    row = {
        "no": "1",
        "at": "2",
        "paid": {"principal": "3", "interest": "4"},
        "currency": "KRW",
        "memo": "가",
        "kind": "N",
    }
    return {"data": {"items": [{**row, "branch": {"name": "서울"}} for _ in range(ROWS)]}}


def measure_paths() -> None:
    """Prints the time of the relay's paths, and of those of libraries that are installed."""
    document = build_rows()
    fields = tuple(JsonItem(name=f"f{index}", type="ah", at=path) for index, path in enumerate(FIELDS))
    record = compile_record([("items", JsonItem(list="items", at="data.items", fields=fields))], {}, [])
    spent = measure(lambda: JsonDecoder("x", {}).decode(record, document))
    print(f"{'the relay: 8 columns of 100 rows, checked':44} {spent:7.0f} us")
    try:
        jmespath = importlib.import_module("jmespath")
        paths = [jmespath.compile(f"data.items[*].{path}") for path in FIELDS]
        print(f"{'jmespath: 8 columns of 100 rows':44} {measure(lambda: [p.search(document) for p in paths]):7.0f} us")
    except ImportError:
        print("jmespath is not installed")
    try:
        jsonpath = importlib.import_module("jsonpath_ng")
        paths = [jsonpath.parse(f"$.data.items[*].{path}") for path in FIELDS]
        spent = measure(lambda: [[match.value for match in p.find(document)] for p in paths], 1, 30)
        print(f"{'jsonpath-ng: 8 columns of 100 rows':44} {spent:7.0f} us")
    except ImportError:
        print("jsonpath-ng is not installed")


def main() -> None:
    """Prints the table."""
    conversion, response = load_conversion(), build_response()
    parameters = {"org_code": "ZISC000001", "insu_num": "N01202009180005", "car_number": "12가3456"}
    parameters |= {"from_date": "20260101", "to_date": "20260131", "limit": str(ROWS)}
    call = Call("ZISC000001", parameters, user_ci="CI==")
    seal = CursorSeal(b"k" * 32)

    def convert() -> Answer:
        collection = PageCollection(conversion, call, seal)
        collection.build_request(UNIQUE, NOW)
        collection.accept(response)
        return collection.build_answer()

    assert json.loads(convert().body) == json.loads(convert_by_hand(response.body))
    context = dict(parameters) | {"unique_number": UNIQUE}
    print(f"response of {len(response.body)} bytes, body of {len(convert().body)}")
    print(f"{'whole call: request, response, body':44} {measure(convert):7.0f} us")
    spent = measure(lambda: conversion.decode_response(response, context))
    print(f"{'parsing and decoding of the response':44} {spent:7.0f} us")
    print(f"{'parsing alone':44} {measure(lambda: parse_json('x', response.body, 'UTF-8')):7.0f} us")
    print(f"{'by hand: response to body':44} {measure(lambda: convert_by_hand(response.body)):7.0f} us")
    measure_paths()


if __name__ == "__main__":
    main()
