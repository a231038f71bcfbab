"""A call of the conformance kit, right or wrong, and its bytes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self
from urllib.parse import quote, urlencode, urlsplit

from relay.domain.api import Api
from relay.policy.call.envelope import JSON_TYPE
from relay.policy.upstream.adapter_headers import CONSENT_HEADER

CLIENT_ID: Final = "relay-conform"
API_TYPE: Final = "user-search"
"""The x-api-type of calls that go back up to 5 years (규격 3.3.2)."""


@dataclass(frozen=True, slots=True)
class ConformanceCall:
    """A call of `api` for the customer `ci` ("" for none), with parameters by name.

    `path` is the URI with its placeholders. `headers` are further headers, `raw_body` a body instead of the parameters.
    """

    api: Api
    path: str
    parameters: Mapping[str, str]
    ci: str
    method: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    raw_body: bytes | None = None

    def change(self, **parameters: str | None) -> Self:
        """Returns the call with other parameters; those that are None are left out."""
        changed = {**self.parameters, **parameters}
        return replace(self, parameters={name: value for name, value in changed.items() if value is not None})

    @property
    def used_method(self) -> str:
        """The method of the request."""
        return self.method or self.api.method

    def build_target(self) -> str:
        """Returns path and query; parameters of the path are in the path alone."""
        path = self.path
        in_path = {item.name for item in self.api.request.path}
        for name in in_path:
            path = path.replace(f"{{{name}}}", quote(self.parameters.get(name, ""), safe=""))
        if self.used_method == "POST":
            return path
        query = {name: value for name, value in self.parameters.items() if name not in in_path}
        return f"{path}?{urlencode(query)}" if query else path

    def build_body(self) -> bytes:
        """Returns the body of a POST, b"" for other methods."""
        if self.raw_body is not None:
            return self.raw_body
        if self.used_method != "POST":
            return b""
        return json.dumps(dict(self.parameters), ensure_ascii=False, separators=(",", ":")).encode()


def write_call(call: ConformanceCall, base_url: str, tran_id: str, consent: str = "") -> bytes:
    """Returns the bytes of a call, with the headers and in the order in which the relay sends them.

    `consent` is for the adapter alone: the id that a `next_page` is bound to.
    """
    url = urlsplit(base_url)
    body = call.build_body()
    lines = [
        f"{call.used_method} {url.path}{call.build_target()} HTTP/1.1",
        f"Host: {url.netloc}",
        f"x-api-tran-id: {tran_id}",
        f"x-client-id: {CLIENT_ID}",
    ]
    if call.ci:
        lines.append(f"x-user-ci: {call.ci}")
    lines += [f"{name}: {value}" for name, value in call.headers.items() if name == "x-consent-withheld"]
    if consent:
        lines.append(f"{CONSENT_HEADER.decode()}: {consent}")
    lines.append(f"x-api-type: {API_TYPE}")
    lines += [f"{name}: {value}" for name, value in call.headers.items() if name != "x-consent-withheld"]
    if call.used_method == "POST":
        lines += [f"Content-Type: {JSON_TYPE.decode()}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body
