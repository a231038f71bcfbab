"""A case of `tests/cases` turned into bytes. What may stand in one is what is read here.

given: portal (the relay has one), certificate (a name of DevCertificates), operator, address,
       institution (a name of misdeeds), token (see Mint)
when:  api, method, path, provider, query, query_more, query_text, headers, headers_more, header_of, lines, body,
       body_hex, values, days_ago (fields, in days before today), nested, size, chunked, tail, replace, cut, raw
then:  fault, noted (of an answer that passes), status, rsp_code, error (of OAuth), says, echo, closes (true, later),
       cut, reaches, retry_after
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import yaml

from relay.domain.authorization.consent import KOREA
from stage.town import ACCOUNT, BANK, ONE, request

FOLDER = Path(__file__).resolve().parents[2] / "cases"
_PAGE = {"search_timestamp": "0", "limit": "10"}
_BASIC = {"account_num": ACCOUNT, "search_timestamp": "0"}
_TODAY = datetime.now(KOREA).date()
_DATES = {
    "account_num": ACCOUNT,
    "from_date": f"{_TODAY - timedelta(days=40):%Y%m%d}",
    "to_date": f"{_TODAY - timedelta(days=10):%Y%m%d}",
    "limit": "10",
}
_APIS = {
    "accounts": ("GET", "/v1/bank/accounts", _PAGE),
    "prepaid": ("GET", "/v1/bank/prepaid", _PAGE),
    "detail": ("POST", "/v1/bank/accounts/deposit/detail", _BASIC),
    "transactions": ("POST", "/v1/bank/accounts/deposit/transactions", _DATES),
    "loan": ("POST", "/v1/bank/accounts/loan/basic", _BASIC),
}


@dataclass(frozen=True)
class Case:
    """One misfortune."""

    file: Path
    then: dict
    given: dict = field(default_factory=dict)
    when: dict = field(default_factory=dict)

    @property
    def name(self):
        return self.file.stem

    @property
    def portal(self):
        """Whether it needs a relay that has a portal."""
        return self.given.get("portal", False)

    @property
    def operator(self):
        return self.given.get("operator", ONE)

    @property
    def provider(self):
        return self.when.get("provider", BANK)

    def request(self, town):
        """The call's bytes, and the x-api-tran-id an answer has to repeat."""
        when = self.when
        if "raw" in when:
            return when["raw"].encode(), ""
        method, path, values = _APIS[when.get("api", "accounts")]
        body = self._body(values) if method == "POST" else b""
        fields = self._fields(town, method)
        if when.get("chunked"):
            body = b"".join(b"400\r\n%b\r\n" % body[at : at + 1024].ljust(1024) for at in range(0, len(body), 1024))
            body += b"0\r\n\r\n"
            fields["Transfer-Encoding"] = "chunked"
        target = when.get("path", path) + ("" if method == "POST" else f"?{self._query(values)}")
        data = request(when.get("method", method), target, fields, body)
        if "lines" in when:
            data = data.replace(b"\r\n\r\n", "\r\n".join(["", *when["lines"], "", ""]).encode(), 1)
        if "replace" in when:
            data = data.replace(*(text.encode() for text in when["replace"]), 1)
        return (data + when.get("tail", "").encode())[: when.get("cut")], fields["x-api-tran-id"] or ""

    def _query(self, values):
        if "query_text" in self.when:
            return self.when["query_text"]
        asked = _laid({"org_code": self.provider} | values, self.when.get("query", {}))
        return "&".join(filter(None, [urlencode(asked), self.when.get("query_more")]))

    def _body(self, values):
        when = self.when
        days = {name: f"{_TODAY - timedelta(days=days):%Y%m%d}" for name, days in when.get("days_ago", {}).items()}
        asked = _laid({"org_code": self.provider} | values | days, when.get("values", {}))
        if "body" in when:
            return when["body"].encode()
        if "body_hex" in when:
            return bytes.fromhex(when["body_hex"])
        if "nested" in when:
            return b'{"org_code":' + b"[" * when["nested"] + b"]" * when["nested"] + b"}"
        return json.dumps(asked).encode().ljust(when.get("size", 0))

    def _fields(self, town, method):
        industry = "card" if self.provider.startswith("ZC") else "bank"
        token = town.mint.good(self.operator, self.provider, industry)
        if "token" in self.given:
            token = town.mint.described(self.given["token"], self.operator, self.provider, industry)
        fields = town.fields(self.operator, self.provider, token=token) | {"Authorization": f"Bearer {token}"}
        if method == "POST":
            fields["Content-Type"] = "application/json; charset=UTF-8"
        fields |= {f"X-More-{number}": "x" for number in range(self.when.get("headers_more", 0))}
        if "header_of" in self.when:
            fields["X-Long"] = "x" * self.when["header_of"]
        return fields | self.when.get("headers", {})


def _laid(values, over):
    return {name: value for name, value in (values | over).items() if value is not None}


def cases():
    """Every case of the folder, by name."""
    return [Case(file, **yaml.safe_load(file.read_text())) for file in sorted(FOLDER.glob("*.yaml"))]
