"""A real plan, and fakes of everything around the gateway."""

import pytest
from fakes.answers import AnswerWatch
from fakes.quotas import QuotaCounters, ScheduledTransfers

from relay.domain.authorization.grant import Grant, NotCached
from relay.domain.authorization.token import Claims
from relay.domain.fault import FAULTS, Refusal
from relay.domain.party import Peer
from relay.gateway.caller_connection import ConnectionInfo
from relay.gateway.connection_registry import ConnectionRegistry
from relay.gateway.handler import Gateway
from relay.gateway.judge import JudgeDependencies
from relay.gateway.refusal_limits import RefusalBuckets, RefusalLimits
from relay.policy.call.institution_request import RequestTemplate
from relay.policy.call.parties import Parties
from relay.policy.call.plan import compile_plan
from relay.policy.quota.bucket import Bucket
from relay.policy.settings.directory import Directory, Provider
from relay.policy.settings.model import Settings
from relay.policy.settings.scalars import Rate
from relay.standard.catalogue import load_catalogue
from relay.wire.reader import RequestReader, ServerLimits

RELAY = {
    "relay": {"org_code": "ZRLA000001", "name": "relay"},
    "gateway": {"listeners": [{"tls": False, "client_certificate": False}]},
    "tokens": {"issuer": "ZRLA000001", "keys": "keys"},
    "ledger": {"url": "sqlite:ledger.db", "customer_keys": [{"kid": "one", "key": "env:K"}]},
}
DOWN = {"date": "20231122", "start": "0000", "end": "2359"}
PORTAL = {
    "org_code": "ZPTL000001",
    "base_url": "https://portal.example",
    "serial_num": "999-81-00002",
    "addresses": ["192.0.2.9"],
    "calls": {"client_id": "relayatportal", "client_secret": "env:S"},
    "offers": {
        "client_id": "portalatrelay",
        "client_secret_hash": f"$scrypt$ln=10,r=8,p=1${'A' * 22}${'A' * 43}",
    },
}
PEER = Peer("9998101001", "192.0.2.1")


def build_refusal_buckets(connection=100.0, certificate=500.0, address=1000.0):
    """Build buckets by their rate per second, with a burst of twice the rate."""
    rates = (connection, certificate, address)
    return RefusalBuckets(*(Bucket.of(Rate(per_second=rate, burst=int(2 * rate))) for rate in rates))


def operator(org_code, serial_num):
    services = [{"client_id": f"{org_code}SVC01", "name": "one"}]
    fields = {"org_code": org_code, "name": "x", "serial_num": serial_num, "addresses": ["192.0.2.1"]}
    return fields | {"services": services}


def provider(org_code, industry="bank", **more):
    fields = {"org_code": org_code, "name": "x", "industry": industry, "base_urls": ["http://127.0.0.1:1"]}
    return Provider.model_validate(fields | {"link": "leased_line"} | more)


def make_plan(*operators, **sections):
    rows = operators or (operator("ZOPA000001", "999-81-01001"), operator("ZOPA000002", "999-81-01002"))
    providers = (
        provider("ZBAA000001", scheduled_slots=["1000:2200"], maintenance=[DOWN]),
        provider("ZBAA000002", checking="off", withholding="relay"),
        provider("ZCDA000001", "card"),
    )
    directory = Directory.model_validate({"operators": rows})
    settings, parties = Settings.model_validate(RELAY | sections), Parties.from_directory(directory)
    return compile_plan(settings, providers, parties, load_catalogue(), "fingerprint")


@pytest.fixture(scope="session")
def plan():
    return make_plan()


@pytest.fixture(scope="session")
def plan_with_portal():
    return make_plan(portal=PORTAL)


class TokenVerifier:
    """Verifies one token and keeps each call in `asked`."""

    def __init__(self):
        self.asked = []
        self.known = Claims(
            iss="ZRLA000001",
            aud="ZOPA000001",
            exp=2_000_000_000,
            iat=1,
            jti="one",
            scopes=frozenset({"bank.list", "bank.deposit", "card.card"}),
            org_code="ZBAA000001",
            client_id="ZOPA000001SVC01",
        )

    def verify(self, authorization, now):
        self.asked.append((authorization, now))
        if authorization != b"Bearer good":
            raise Refusal(FAULTS["token_untrusted"])
        return self.known


class Grants:
    """Holds one grant, which may be `unknown` until fetched or `refused` with the named fault."""

    def __init__(self):
        self.unknown, self.refused, self.fetched = False, "", []
        self.answered = None
        self.grant = Grant(
            jti="one",
            consent=b"consent-one",
            ends_at=2_000_000_000.0,
            is_scheduled=True,
            assets="\nbank.deposit\ncard.card\n",
            withheld=frozenset(),
            particulars_body=b'{"rsp_code":"00000","scope_list":[]}',
            ci=b"the-ci",
        )

    def get(self, jti, now):
        if self.refused:
            raise Refusal(FAULTS[self.refused])
        if self.unknown:
            raise NotCached(jti)
        if self.grant.is_revoked:
            raise Refusal(FAULTS["token_revoked"])
        return self.grant

    def refresh_soon(self):
        self.refreshes = getattr(self, "refreshes", 0) + 1

    def revoke(self, jtis):
        self.grant.is_revoked |= self.grant.jti in jtis

    async def fetch(self, jti):
        self.fetched.append(jti)
        if self.answered is not None:
            await self.answered.wait()
        self.unknown = False


class Connection:
    """A connection of a caller that keeps written bytes."""

    transport = None

    def __init__(self, plan=None):
        self.info = ConnectionInfo(PEER, is_excess=False)
        self.will_close, self.source = False, None
        self.written, self.ends = b"", []

    def write(self, data):
        self.written += data

    def send_response(self, data):
        self.write(data)
        self.finish()

    def finish(self):
        self.source = None
        self.ends.append("finished")

    def close_after_response(self):
        self.will_close = True

    def abort(self):
        self.source = None
        self.ends.append("aborted")

    @property
    def head(self):
        return self.written.split(b"\r\n\r\n")[0].decode()

    @property
    def body(self):
        return self.written.split(b"\r\n\r\n", 1)[1]


@pytest.fixture
def token_verifier():
    return TokenVerifier()


@pytest.fixture
def counters():
    return QuotaCounters()


@pytest.fixture
def grants():
    return Grants()


@pytest.fixture
def authority_quotas():
    return QuotaCounters()


@pytest.fixture
def dependencies(token_verifier, grants, counters, authority_quotas):
    refusals = RefusalLimits(build_refusal_buckets())
    return JudgeDependencies(token_verifier, grants, counters, authority_quotas, refusals, ScheduledTransfers())


@pytest.fixture
def connection():
    return Connection()


LIMITS = ServerLimits(head_bytes=16384, headers=100, body_bytes=65536, pipelined=8, head_s=1, body_s=1, idle_s=1)
LINES = {
    "Host": "relay.test",
    "x-api-tran-id": "ZOPA000001M00000000000001",
    "x-api-type": "user-refresh",
    "Authorization": "Bearer good",
}


@pytest.fixture
def head():
    """Builds heads. Keywords are header fields (`_` is `-`); None removes a field."""

    def make(target="/v1/bank/accounts?org_code=ZBAA000001&limit=1", method="GET", **lines):
        fields = LINES | {name.replace("_", "-"): value for name, value in lines.items()}
        text = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value)]
        heads = []
        reader = RequestReader(LIMITS, lambda head, _: heads.append(head))
        reader.feed("\r\n".join([*text, "", ""]).encode())
        return heads[0]

    return make


@pytest.fixture
def replan():
    """Builds plans with other operators."""
    return lambda *pairs, **sections: make_plan(*(operator(*pair) for pair in pairs), **sections)


class Upstream:
    """An upstream that keeps its requests and receiver, or is `busy`."""

    def __init__(self):
        self.asked, self.operators, self.busy, self.receiver = [], [], False, None
        self.attempts, self.first_byte_at, self.cancelled, self.is_reused = 1, 0.0, False, False

    def send(self, request, receiver, operator, is_scheduled=False):
        self.operators.append(operator)
        if self.busy:
            raise Refusal(FAULTS["provider_busy"])
        self.asked.append(request)
        self.receiver = receiver
        return self

    def cancel(self):
        self.cancelled = True


class AuthorityUpstream(Upstream):
    """The authority; keeps operator and kind of each request in `shares`."""

    def __init__(self):
        super().__init__()
        self.shares = []

    def send(self, request, receiver, operator, kind):
        self.shares.append((operator, kind))
        return super().send(request, receiver, operator)


class Recorder(list):
    record = list.append


@pytest.fixture
def upstream():
    return Upstream()


@pytest.fixture
def records():
    return Recorder()


@pytest.fixture
def authority():
    return AuthorityUpstream()


@pytest.fixture
def monotonic(clock):
    """The gateway's monotonic clock."""
    clock.now = 1.0
    return clock


@pytest.fixture
def connection_registry():
    return ConnectionRegistry(lambda connection: connection.info.peer, 100, 100, lambda: 0.0)


@pytest.fixture
def answers():
    return AnswerWatch()


@pytest.fixture
def gateway(plan, upstream, authority, answers, dependencies, records, connection_registry, monotonic):
    upstreams = dict.fromkeys(plan.institutions, (upstream, (RequestTemplate.from_url("http://127.0.0.1:1/base"),)))
    return Gateway(
        plan,
        upstreams,
        dependencies,
        authority=authority,
        answers=answers,
        recorder=records,
        connection_registry=connection_registry,
        clock=monotonic,
    )


class Scene:
    """A gateway, the connection of one caller, and fakes of everything the gateway calls."""

    def __init__(self, gateway, connection, head, upstream, authority, dependencies, records):
        self.gateway, self.connection, self.head = gateway, connection, head
        self.upstream, self.authority = upstream, authority
        self.dependencies, self.records = dependencies, records
        self.grants, self.counters = dependencies.grants, dependencies.quotas
        self.token_verifier = dependencies.token_verifier

    def ask(self, *target, body=b"", **lines):
        """Handle one call of the caller."""
        self.gateway.handle(self.connection, self.head(*target, **lines), body)

    @property
    def recorded(self):
        """The reasons of all closed exchanges."""
        return [exchange.reason for exchange in self.records]


@pytest.fixture
def scene(gateway, connection, head, upstream, authority, dependencies, records):
    return Scene(gateway, connection, head, upstream, authority, dependencies, records)
