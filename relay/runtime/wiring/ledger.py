"""The ledger that the settings lead to: its URL, the keys that seal customers, opened."""

import base64
import binascii
import hmac
import os
from collections.abc import Mapping

from relay.domain.ledger import Unreachable
from relay.infra.ledger.database.engine import LedgerUrlWrong, engine_for
from relay.infra.ledger.database.sealing import KEY_BYTES, CustomerKey, Sealer
from relay.infra.ledger.schema import Upgraded, upgrade
from relay.infra.ledger.sql_ledger import SqlLedger, ledger_at
from relay.policy.settings.authority import LedgerSettings
from relay.runtime.settings.secret_references import SecretMissing, secret


class LedgerUnfit(Exception):
    """What the settings say about the ledger leads to none. The text names key and file and says what to do."""

    def __init__(self, key: str, wrong: str, to_do: str) -> None:
        super().__init__(f"ledger.{key}: {wrong}: {to_do}")
        self.key, self.wrong, self.to_do = f"ledger.{key}", wrong, to_do


def unanswered(error: Unreachable) -> str:
    """Words for whoever starts something: what the database says, in one line, and what to do."""
    return (
        f"the ledger does not answer ({error}): see that its database runs and lets the relay in, or correct ledger.url"
    )


def url_of(settings: LedgerSettings, environ: Mapping[str, str] = os.environ) -> str:
    """The ledger's URL, `sqlite:PATH` or `postgresql://...`, maybe with a password. Raises LedgerUnfit."""
    url = settings.url
    if url.startswith(("file:", "env:")):
        try:
            url = secret(url, environ).decode("utf-8").strip()
        except SecretMissing as error:
            raise LedgerUnfit("url", str(error), "write the ledger's URL there") from error
        except UnicodeDecodeError as error:
            raise LedgerUnfit("url", f"no text stands in {settings.url}", "write the ledger's URL there") from error
    try:
        engine_for(url, 1)
    except LedgerUrlWrong as error:
        raise LedgerUnfit("url", str(error), f"correct {_where(settings.url)}") from error
    return url


def sealer_of(settings: LedgerSettings, environ: Mapping[str, str] = os.environ) -> Sealer:
    """Who seals customers with the keys that the settings refer to. Raises LedgerUnfit."""
    keys = [
        CustomerKey(key.kid, _customer_key(f"customer_keys[{index}].key", key.key, environ))
        for index, key in enumerate(settings.customer_keys)
    ]
    return Sealer(keys)


async def prepared(settings: LedgerSettings, environ: Mapping[str, str] = os.environ) -> Upgraded:
    """The ledger with the tables this relay knows and the keys of the settings introduced, whole or not at all.

    Raises LedgerUnfit, SchemaProblem, KeysUnfit, Unreachable.
    """
    return await upgrade(url_of(settings, environ), sealer_of(settings, environ))


async def opened(settings: LedgerSettings, environ: Mapping[str, str] = os.environ) -> SqlLedger:
    """The ledger, not asked anything yet. Whoever opens it closes it, on the same loop. Raises LedgerUnfit."""
    return ledger_of(settings, environ)


def ledger_of(
    settings: LedgerSettings, environ: Mapping[str, str] = os.environ, deadline_s: float | None = None
) -> SqlLedger:
    """The same before the loop runs that it will belong to. A transaction may take `deadline_s` at most."""
    return ledger_at(url_of(settings, environ), sealer_of(settings, environ), settings.connections, deadline_s)


def marks_key(settings: LedgerSettings, environ: Mapping[str, str] = os.environ) -> bytes:
    """The key of the marks that secrets of the portal are recognised by: of the first customer key, and no other use.

    Raises LedgerUnfit.
    """
    first = settings.customer_keys[0]
    key = _customer_key("customer_keys[0].key", first.key, environ)
    return hmac.digest(key, b"marks of the portal's secrets", "sha256")


def _customer_key(key: str, reference: str, environ: Mapping[str, str]) -> bytes:
    to_do = f"`openssl rand -base64 {KEY_BYTES}` makes one; a key in use is brought back, never made anew"
    try:
        found = base64.b64decode(secret(reference, environ), validate=True)
    except SecretMissing as error:
        raise LedgerUnfit(key, str(error), to_do) from error
    except binascii.Error as error:
        raise LedgerUnfit(key, f"no base64 stands in {_where(reference)}", to_do) from error
    if len(found) != KEY_BYTES:
        raise LedgerUnfit(key, f"{len(found)} bytes stand in {_where(reference)}, not {KEY_BYTES}", to_do)
    return found


def _where(reference: str) -> str:
    """A reference in words; a URL that stands in the settings itself is not repeated."""
    scheme, _, rest = reference.partition(":")
    return {"file": f"the file {rest}", "env": f"the environment variable {rest}"}.get(scheme, "it")
