"""The town's ledger from the other side: what tokens stand for is written here, on a thread and loop of its own."""

import asyncio
import secrets
import threading
from dataclasses import replace
from datetime import UTC, date, datetime

from relay.domain.authorization.consent import Asset
from relay.domain.ledger import TokenHolder
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.schema import upgrade
from relay.infra.ledger.sql_ledger import open_ledger
from relay.runtime.wiring.seed_tokens import SeedToken, build_consent, record_seed_tokens

DATES = ("end_date", "period")


class Books:
    """Writes consents and tokens into the ledger at `path`."""

    def __init__(self, path, key):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.ledger = self.run(self._open(f"sqlite:{path}", Sealer([CustomerKey("one", key)])))

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def record(self, claims, particulars=None, revoked=False):
        """A consent of a customer of its own; what a forged token leaves out is made up."""
        whole = {name: str(claims.get(name) or "made up") for name in ("jti", "org_code", "aud", "client_id", "scope")}
        handout = SeedToken(whole | {"exp": claims["exp"] if type(claims.get("exp")) is int else 2**31}, fresh_ci())
        consent = build_consent(handout, datetime.now(UTC))
        laid = laid_over(consent.particulars, particulars or {})
        self.run(record_seed_tokens(self.ledger, [(handout, replace(consent, particulars=laid))], datetime.now(UTC)))
        if revoked:
            self.revoke(whole["jti"], whole["client_id"], whole["org_code"])
        return handout.ci

    def revoke(self, jti, client_id, org_code):
        now = int(datetime.now(UTC).timestamp())
        assert self.run(self.ledger.withdraw(jti, TokenHolder(client_id, org_code), now))

    async def take_batch(self, batch, now):
        """`StatisticsStore.take_batch`, on the thread of the books."""
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(self.ledger.statistics.take_batch(batch, now), self._loop)
        )

    def close(self):
        self.run(self.ledger.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @staticmethod
    async def _open(url, sealer):
        await upgrade(url, sealer)
        return await open_ledger(url, sealer, 2)


def fresh_ci():
    """A CI nobody else has: base64 of 64 bytes."""
    return secrets.token_hex(44)


def laid_over(particulars, said):
    """`said` as a case says it: dates YYYYMMDD, `assets` by scope (a list of numbers, or of [number, seqno])."""
    said = {name: date.fromisoformat(value) if name in DATES else value for name, value in said.items()}
    assets = said.pop("assets", {})
    targets = tuple(
        replace(target, assets=tuple(map(asset, assets[target.scope]))) if target.scope in assets else target
        for target in particulars.targets
    )
    return replace(particulars, targets=targets, **said)


def asset(said):
    return Asset(said) if isinstance(said, str) else Asset(*said)
