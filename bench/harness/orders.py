"""Requests as operators send them, as bytes for the load generator and as parts for the policy checks."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.layout import GET_PATH, OPERATOR, POST_PATH

_NUMBER = "M" + "0" * 14
TRAN_ID = f"{OPERATOR}{_NUMBER}"
LATELY = datetime.now(UTC).date() - timedelta(days=40)
"""First day of the requested period, within what a customer may request (규격 3.3.2)."""


@dataclass(frozen=True, slots=True)
class Order:
    """One request of an operator."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    def wire(self) -> bytes:
        """Returns the request's bytes."""
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def _headers(token: str | None, operator: str = OPERATOR) -> dict[str, str]:
    headers = {"Host": "localhost", "User-Agent": "bench/1", "Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return headers | {"x-api-tran-id": f"{operator}{_NUMBER}", "x-api-type": "user-refresh"}


def get(token: str | None, org_code: str, operator: str = OPERATOR) -> Order:
    """은행-001, the list of accounts."""
    target = f"{GET_PATH}?org_code={org_code}&search_timestamp=0&limit=500"
    return Order("GET", target, _headers(token, operator))


def post(token: str | None, org_code: str) -> Order:
    """은행-004, transactions of a deposit account: a body of about 200 bytes."""
    fields = {
        "org_code": org_code,
        "account_num": "11012345678901234567",
        "seqno": "001",
        "from_date": f"{LATELY:%Y%m%d}",
        "to_date": f"{LATELY + timedelta(days=30):%Y%m%d}",
        "next_page": "cGFnZToyMDI1MDExNTEyMzQ1NjowMDAwMDAwMDAwMTIzNDU2Nzg5MA",
        "limit": "500",
    }
    body = json.dumps(fields).encode()
    about = {"Content-Type": "application/json; charset=UTF-8", "Content-Length": str(len(body))}
    return Order("POST", POST_PATH, _headers(token) | about, body)


def write(path: Path, orders: list[Order]) -> Path:
    """Writes the load generator's file of requests."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(b"%d\n%b" % (len(order.wire()), order.wire()) for order in orders))
    return path
