"""The errors of settings."""

from typing import Final

from relay.infra.ledger.key_fingerprints import CustomerKeyError
from relay.infra.ledger.schema import SchemaError
from relay.infra.upstream.tls import TlsError
from relay.runtime.settings.loading import SecretMissing, SettingsError
from relay.runtime.wiring.credentials import CredentialError
from relay.runtime.wiring.ledger import LedgerSettingsError

SETTINGS_ERRORS: Final = (
    SettingsError,
    SecretMissing,
    CredentialError,
    TlsError,
    LedgerSettingsError,
    SchemaError,
    CustomerKeyError,
)
"""Exceptions of settings that cannot be used, while they are read or applied."""
