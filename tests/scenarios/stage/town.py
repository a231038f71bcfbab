"""A relay in this process, its institutions, its operators: what a scenario happens in."""

import asyncio
import base64
import json
import tempfile
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

import yaml

from relay.infra.tokens.client_secrets import hash_secret
from relay.runtime.processes.gateway import GatewayProcess
from stage.books import Books
from stage.caller import Line, client_context
from stage.institution import Institution
from stage.mint import ISSUER, Mint
from stage.waiting import until

ONE, TWO = "ZOPA000001", "ZOPA000002"
BANK, CARD = "ZBAA000001", "ZCDA000001"
ACCOUNTS = "/v1/bank/accounts"
DETAIL = "/v1/bank/accounts/deposit/detail"
ACCOUNT = "1234567890123"
QUICK = {"connect_s": 0.5, "first_byte_s": 0.25, "total_s": 0.6, "idle_s": 4}
PATIENT = {"connect_s": 2, "first_byte_s": 5, "total_s": 8, "idle_s": 4}


def settings_of(certificates, **sections):
    """`relay.yaml`; `sections` are laid over the top level."""
    certs = certificates.folder
    found = {
        "relay": {"org_code": ISSUER, "name": "relay"},
        "gateway": {
            "listeners": [{"address": "127.0.0.1", "port": 0}],
            "tls": {
                "certificate": str(certificates.relay.certificate),
                "private_key": f"file:{certificates.relay.private_key}",
                "client_ca": str(certs / "ca.pem"),
            },
            "timeouts": {"handshake_s": 2, "head_s": 0.3, "body_s": 0.3, "idle_s": 30},
            "drain": {"delay_s": 0, "finish_s": 1},
        },
        "tokens": {
            "issuer": ISSUER,
            "keys": str(certs / "token-keys"),
        },
        "ledger": {
            "url": "sqlite:ledger.db",
            "customer_keys": [{"kid": "one", "key": "file:customers.key"}],
            "poll_s": 0.05,
        },
        "authority": {"socket": short_socket()},
        "rates": {
            "operator_provider": {"per_second": 100000, "burst": 100000},
            "provider": {"per_second": 100000, "burst": 100000},
            "handshakes": {"per_second": 100000, "burst": 100000},
        },
        "admin": {"port": 0},
        "access_log": {"path": "access.log"},
        "reload": {"watch_s": 0},
    }
    for name, values in sections.items():
        found[name] = found.get(name, {}) | values
    return found


@cache
def short_socket():
    """A path that fits a unix socket, wherever pytest puts its folders."""
    return f"{tempfile.mkdtemp(prefix='town-')}/a.sock"


PORTAL, PORTALS_SECRET = "ZPTL000001", "Q7fG2k9Lm4Xc1Vb8"


@cache
def portals_hash():
    return hash_secret(PORTALS_SECRET)


def portal_of(certificates):
    """`portal` of relay.yaml: it calls from 127.0.0.1 alone."""
    return {
        "org_code": PORTAL,
        "base_url": "https://127.0.0.1:1",
        "serial_num": certificates.portal.serial_number,
        "addresses": ["127.0.0.1"],
        "calls": {"client_id": "relayatportal", "client_secret": "file:customers.key"},
        "offers": {"client_id": "portalatrelay", "client_secret_hash": portals_hash()},
    }


def directory_of(certificates, operators=2):
    """Operator one calls from 127.0.0.1 alone, operator two from the whole loopback; or operator one alone."""
    rows = zip((ONE, TWO), certificates.operators, ("127.0.0.1/32", "127.0.0.0/8"), strict=True)
    return {
        "operators": [
            {
                "org_code": org_code,
                "name": org_code,
                "serial_num": pair.serial_number,
                "addresses": [addresses],
                "services": [{"client_id": f"{org_code}SVC01", "name": "one"}],
            }
            for org_code, pair, addresses in list(rows)[:operators]
        ]
    }


def provider_file(institution):
    """The settings of one institution: on a leased line unless its own settings say otherwise."""
    own = dict(institution.settings)
    spare = own.pop("spare_places", [])
    scheme, path = ("https" if own.get("link") == "tls" else "http"), own.pop("base_path", "")
    host = own.pop("host", "127.0.0.1")
    return {
        "org_code": institution.org_code,
        "name": institution.org_code,
        "industry": institution.industry,
        "link": "leased_line",
        "timeouts": QUICK,
        "base_urls": [f"{scheme}://{host}:{institution.port}{path}", *spare],
    } | own


class Town:
    """Everything that stands around one relay. `exchanges` are the closed ones, in order."""

    def __init__(self, folder: Path, certificates, institutions, operators=2, **sections):
        self.folder = folder
        self.certificates = certificates
        self.institutions = {one.org_code: one for one in institutions}
        self.operators = operators
        self.sections = sections
        (folder / "customers.key").write_bytes(base64.b64encode(bytes(32)))
        self.books = Books(folder / "ledger.db", bytes(32))
        self.mint = Mint(certificates.token_keys, self.books.record)
        self.exchanges = []
        self.process = None
        self._count = 0
        self._contexts = {}

    # standing up, lying down

    def write(self):
        """Write the settings as they should be now."""
        (self.folder / "providers").mkdir(exist_ok=True)
        for file in (self.folder / "providers").iterdir():
            file.unlink()
        for one in self.institutions.values():
            self.put(f"providers/{one.org_code}.yaml", provider_file(one))
        self.put("directory.yaml", directory_of(self.certificates, self.operators))
        self.put("relay.yaml", settings_of(self.certificates, **self.sections))

    def put(self, name, values):
        (self.folder / name).write_text(yaml.safe_dump(values))

    async def open(self):
        for one in self.institutions.values():
            await one.open()
        self.write()
        self.process = GatewayProcess(self.folder / "relay.yaml")
        self._run = asyncio.get_running_loop().create_task(self.process.run())
        await until(lambda: self.process.ports or self._run.done(), "listening")
        # tests block this loop while they write tokens: a batch half written here would wait for them, and they for it
        self.relay.tally._delivery._take = self.books.take_batch
        self._watch_records()

    def _watch_records(self):
        written = self.relay.gateway._record
        self.records = written.__self__

        def record(exchange):
            self.exchanges.append(exchange)
            written(exchange)

        self.relay.gateway._record = record

    async def close(self):
        for one in self.institutions.values():
            await one.shut()
        if self.process is not None:
            self.process.stop()
            self.process.stop()
            await self._run
        self.books.close()
        bugs = [bug for one in self.institutions.values() for bug in one.bugs]
        assert not bugs, bugs

    def forget(self):
        """Between two scenes: institutions are as new, no line and no record of before stands."""
        self.exchanges.clear()
        for one in self.institutions.values():
            one.forget()

    # who is there

    @property
    def relay(self):
        return self.process.relay

    @property
    def bank(self) -> Institution:
        return self.institutions[BANK]

    @property
    def log(self):
        return self.folder / "access.log"

    def pool(self, org_code=BANK):
        return self.relay.pools[org_code][1]

    async def quiet(self):
        """Wait until no call is in flight and every record is written."""
        await until(lambda: self.relay.gateway.in_flight == 0, "no call in flight")

    async def record(self):
        """The one exchange there was, once it is closed."""
        (exchange,) = await until(lambda: self.exchanges, "a record")
        return exchange

    # calling

    def line(self, pair=None, *, address=None, narrow=False):
        """A connection of operator one, or of whoever holds `pair`."""
        context = self.context(pair or self.certificates.operators[0])
        return Line.open(self.process.ports[0], context, address, narrow=narrow)

    def context(self, pair):
        if pair not in self._contexts:
            self._contexts[pair] = client_context(self.certificates.ca, pair)
        return self._contexts[pair]

    async def admin(self, path):
        """A GET at the private port."""
        async with await Line.open(self.process.admin.port, None) as line:
            return await line.ask(request("GET", path, {"Host": "admin.test"}))

    def pair_of(self, operator):
        return self.certificates.operators[(ONE, TWO).index(operator)]

    def tran_id(self, operator=ONE):
        self._count += 1
        return f"{operator}M{self._count:014}"

    def fields(self, operator=ONE, provider=BANK, token=None):
        """The header fields of a good call."""
        industry = self.institutions[provider].industry if provider in self.institutions else "bank"
        return {
            "Host": "relay.test",
            "x-api-tran-id": self.tran_id(operator),
            "x-api-type": "user-refresh",
            "Authorization": f"Bearer {token or self.mint.good(operator, provider, industry)}",
        }

    def get(self, path=ACCOUNTS, query=None, *, operator=ONE, provider=BANK, **fields):
        """A GET as bytes, good unless told otherwise; fields given as None are left out, `_` in names is `-`."""
        asked = {"org_code": provider, "search_timestamp": "0", "limit": "10"} | (query or {})
        named = self.fields(operator, provider) | _named(fields)
        return request("GET", f"{path}?{urlencode(asked)}", named)

    def post(self, path=DETAIL, values=None, *, operator=ONE, provider=BANK, **fields):
        asked = {"org_code": provider, "account_num": ACCOUNT, "search_timestamp": "0"} | (values or {})
        named = self.fields(operator, provider) | {"Content-Type": "application/json; charset=UTF-8"} | _named(fields)
        return request("POST", path, named, json.dumps(asked).encode())

    async def ask(self, data=None, pair=None):
        """One call on a line of its own."""
        async with await self.line(pair) as line:
            return await line.ask(data or self.get())


def _named(fields):
    return {name.replace("_", "-"): value for name, value in fields.items()}


def request(method, target, fields, body=b""):
    """A request's bytes; fields with None are left out, the length is written unless a framing stands there."""
    fields = {name: value for name, value in fields.items() if value is not None}
    framed = {"content-length", "transfer-encoding"} & {name.lower() for name in fields}
    if body and not framed:
        fields["Content-Length"] = str(len(body))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode() + body
