"""The process of `relay serve --role gateway` for measurements from inside: CONFIG OUTPUT [--probe] [--any-signature].

Each half second it appends one JSON line to the file OUTPUT: the time, what the probe measured since the line before,
and the number of tokens that were new. With `--probe` a timer of the event loop is due each millisecond (loop_lag.py).

With `--any-signature` the gateway takes any signature, and its ledger knows each token with a consent of its own. So a
load can make a million tokens. All that the gateway remembers of a token is made by its own code.
"""

import argparse
import asyncio
import base64
import json
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import jwt

from harness.loop_lag import LagProbe
from harness.seed_tokens import SeedToken, build_consent
from relay.domain.authorization.consent import Consent
from relay.domain.authorization.issued_tokens import TokenKind, TokenRecord
from relay.infra.dns.event_loop import new_event_loop
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.runtime.processes.gateway import GatewayProcess

LINE_S: Final = 0.5
DAY_S: Final = 86_400


class AnySignature:
    """Replaces the verification of signatures, and the ledger's look-up of tokens. `count` is the number of tokens."""

    def __init__(self) -> None:
        self.count = 0
        setattr(jwt.api_jws, "decode", self._decode)  # noqa: B010 - mypy refuses to assign functions
        setattr(SqlLedger, "find_token_and_consent", _find)  # noqa: B010

    def _decode(self, token: bytes, *_: Any, **__: Any) -> bytes:
        self.count += 1
        payload = token.split(b".")[1]
        return base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))


async def _find(_: object, jti: str) -> tuple[TokenRecord, Consent]:
    """Returns the token of a jti (see numbered_tokens.py) with a consent of its own customer."""
    _, org_code, operator, client_id = jti.split(".")
    now = datetime.now(UTC)
    issued_at = int(now.timestamp())
    claims = {"org_code": org_code, "aud": operator, "client_id": client_id, "scope": "bank.list bank.deposit"}
    consent = build_consent(SeedToken(claims, secrets.token_hex(44)), now)
    record = TokenRecord(
        jti, TokenKind.ACCESS, consent.consent_id, claims["scope"], issued_at, issued_at + DAY_S, bytes(32)
    )
    return record, consent


async def _write_lines(output: Path, probe: LagProbe | None, tokens: AnySignature | None) -> None:
    while True:
        await asyncio.sleep(LINE_S)
        figures = probe.report() if probe else {}
        line = {"at": time.monotonic(), **figures, "new_tokens": tokens.count if tokens else 0}
        with output.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


async def main(options: argparse.Namespace) -> None:
    """Serves until a signal stops the gateway."""
    tokens = AnySignature() if options.any_signature else None
    process = GatewayProcess(options.config)
    probe = LagProbe(asyncio.get_running_loop()) if options.probe else None
    writing = asyncio.create_task(_write_lines(options.output, probe, tokens))
    await process.run()
    writing.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--probe", action="store_true")
    parser.add_argument("--any-signature", action="store_true")
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main(parser.parse_args()))
