"""Builds the ledger from its settings: URL and the keys that seal customers."""

import base64
import binascii
import hmac
import os
from collections.abc import Mapping

from relay.domain.ledger import LedgerDown
from relay.infra.ledger.database.engine import LedgerUrlError, build_engine
from relay.infra.ledger.database.sealing import KEY_BYTES, CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import SqlLedger, create_ledger
from relay.policy.settings.authority import LedgerSettings
from relay.runtime.settings.file_references import SecretMissing, read_secret


class LedgerSettingsError(Exception):
    """Settings of the ledger are unusable. The text names key and file and says what to do."""

    def __init__(self, key: str, wrong: str, to_do: str) -> None:
        super().__init__(f"ledger.{key}: {wrong}: {to_do}")
        self.key, self.wrong, self.to_do = f"ledger.{key}", wrong, to_do


def describe_unreachable(error: LedgerDown) -> str:
    """Returns a line for people: what the database answered, and what to do."""
    return (
        f"the ledger does not answer ({error}): check that its database runs and accepts the relay, "
        "or correct ledger.url"
    )


def resolve_ledger_url(settings: LedgerSettings, environ: Mapping[str, str] = os.environ) -> str:
    """Returns `sqlite:PATH` or `postgresql://...`, maybe with a password. Raises LedgerSettingsError."""
    url = settings.url
    if url.startswith(("file:", "env:")):
        try:
            url = read_secret(url, environ).decode("utf-8").strip()
        except SecretMissing as error:
            raise LedgerSettingsError("url", str(error), "write the ledger's URL there") from error
        except UnicodeDecodeError as error:
            raise LedgerSettingsError("url", f"{settings.url} is not UTF-8", "write the ledger's URL there") from error
    try:
        build_engine(url, 1)
    except LedgerUrlError as error:
        raise LedgerSettingsError("url", str(error), f"correct {_describe_place(settings.url)}") from error
    return url


def build_sealer(settings: LedgerSettings, environ: Mapping[str, str] = os.environ) -> Sealer:
    """Returns the sealer of customers with the keys of the settings. Raises LedgerSettingsError."""
    keys = [
        CustomerKey(key.kid, _customer_key(f"customer_keys[{index}].key", key.key, environ))
        for index, key in enumerate(settings.customer_keys)
    ]
    return Sealer(keys)


def build_ledger(
    settings: LedgerSettings, environ: Mapping[str, str] = os.environ, deadline_s: float | None = None
) -> SqlLedger:
    """Returns a ledger that connects at its first use; the caller closes it. Raises LedgerSettingsError.

    A transaction may take `deadline_s` at most.
    """
    return create_ledger(
        resolve_ledger_url(settings, environ), build_sealer(settings, environ), settings.connections, deadline_s
    )


def load_fingerprint_key(settings: LedgerSettings, environ: Mapping[str, str] = os.environ) -> bytes:
    """Returns the key that fingerprints secrets of the portal, derived from the first customer key for this use only.

    Raises LedgerSettingsError.
    """
    first = settings.customer_keys[0]
    key = _customer_key("customer_keys[0].key", first.key, environ)
    return hmac.digest(key, b"marks of the portal's secrets", "sha256")  # stored fingerprints depend on these bytes


def load_cursor_key(settings: LedgerSettings, environ: Mapping[str, str] = os.environ) -> bytes:
    """Returns the key that seals `next_page`, derived from the first customer key for this use only.

    All adapters have it, so that each opens the cursors of the others. Raises LedgerSettingsError.
    """
    key = _customer_key("customer_keys[0].key", settings.customer_keys[0].key, environ)
    return hmac.digest(key, b"next_page of the adapter", "sha256")


def _customer_key(key: str, reference: str, environ: Mapping[str, str]) -> bytes:
    to_do = f"`openssl rand -base64 {KEY_BYTES}` makes one; restore a key that is in use, never replace it"
    try:
        content = base64.b64decode(read_secret(reference, environ), validate=True)
    except SecretMissing as error:
        raise LedgerSettingsError(key, str(error), to_do) from error
    except binascii.Error as error:
        raise LedgerSettingsError(key, f"{_describe_place(reference)} holds no base64", to_do) from error
    if len(content) != KEY_BYTES:
        wrong = f"{_describe_place(reference)} holds {len(content)} bytes, not {KEY_BYTES}"
        raise LedgerSettingsError(key, wrong, to_do)
    return content


def _describe_place(reference: str) -> str:
    """Returns a reference in words; a URL in the settings itself is not repeated."""
    scheme, _, rest = reference.partition(":")
    return {"file": f"the file {rest}", "env": f"the environment variable {rest}"}.get(scheme, "it")
