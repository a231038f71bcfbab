"""Checks that every gateway applies the same policy, before anything is timed."""

import http.client
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from harness import orders
from harness.gateways import FLOORS, Gateway
from harness.identity import Identity
from harness.layout import LARGE, SIZES, SMALL
from harness.orders import Order

GOOD = range(200, 201)
REFUSED = range(400, 500)


@dataclass(frozen=True, slots=True)
class Check:
    """One request and its expected status."""

    name: str
    order: Order
    expected: range
    listener: str = "plain"
    certificate: bool = False
    size: int | None = None


def checks(identity: Identity) -> Iterator[Check]:
    """Yields every check for GET and POST; the good token comes first and last: refusals must not change caches."""
    good, large = identity.token(jti="check"), identity.token(org_code=LARGE)
    for method, order in (("get", orders.get), ("post", orders.post)):
        scope = "bank.deposit" if method == "get" else "bank.list"
        yield Check(f"{method} good", order(good, SMALL), GOOD, size=SIZES[SMALL])
        yield Check(f"{method} no token", order(None, SMALL), REFUSED)
        yield Check(f"{method} bad signature", order(identity.token(identity.unknown_key), SMALL), REFUSED)
        yield Check(f"{method} changed claims", order(_changed(good, large), LARGE), REFUSED)
        yield Check(f"{method} expired", order(identity.token(exp=1_700_000_000), SMALL), REFUSED)
        yield Check(f"{method} other issuer", order(identity.token(iss="ZXXX000001"), SMALL), REFUSED)
        yield Check(f"{method} other operator", order(identity.token(aud="ZOPA000009"), SMALL), REFUSED)
        yield Check(f"{method} wrong org_code", order(good, LARGE), REFUSED)
        yield Check(f"{method} missing scope", order(identity.token(scope=scope), SMALL), REFUSED)
        yield Check(f"{method} good again", order(good, SMALL), GOOD, size=SIZES[SMALL])
    yield Check("get 1 MB", orders.get(large, LARGE), GOOD, size=SIZES[LARGE])
    yield Check("tls", orders.get(good, SMALL), GOOD, listener="tls", size=SIZES[SMALL])
    yield Check("mutual tls", orders.get(good, SMALL), GOOD, listener="mtls", certificate=True, size=SIZES[SMALL])


def _changed(good: str, other: str) -> str:
    """Returns the claims of `other` under the signature of `good`."""
    head, _, signature = good.split(".")
    return ".".join((head, other.split(".")[1], signature))


def ask(gateway: Gateway, identity: Identity, check: Check) -> tuple[int, bytes]:
    """Returns status and body of a request on a new connection."""
    port = getattr(gateway.ports, check.listener)
    connection: http.client.HTTPConnection
    if check.listener == "plain":
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    else:
        context = ssl.create_default_context(cafile=identity.path("ca.pem"))
        if check.certificate:
            context.load_cert_chain(identity.path("operator.pem"), identity.path("operator.key"))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    try:
        connection.request(check.order.method, check.order.target, check.order.body or None, check.order.headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def failures(gateway: Gateway, identity: Identity) -> list[str]:
    """Returns how this gateway deviates from the policy; empty when it can be compared."""
    if gateway.name in FLOORS:
        return []
    problems = []
    for check in checks(identity):
        try:
            status, body = ask(gateway, identity, check)
        except (OSError, http.client.HTTPException) as error:
            problems.append(f"{check.name}: {error!r}")
            continue
        if status not in check.expected:
            problems.append(f"{check.name}: status {status}, {body[:120]!r}")
        elif check.size is not None and len(body) != check.size:
            problems.append(f"{check.name}: {len(body)} bytes instead of {check.size}")
    without_certificate = Check("", orders.get(identity.token(), SMALL), GOOD, listener="mtls")
    try:
        status, _ = ask(gateway, identity, without_certificate)
    except (OSError, http.client.HTTPException):
        return problems
    if status not in REFUSED:
        problems.append(f"mutual tls without a certificate: status {status}")
    return problems
