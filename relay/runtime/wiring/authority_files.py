"""Opens the files that the authority's settings name: keys, certificates, TLS toward institutions."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from relay.infra.certifiers.verification import CertifierCredentials
from relay.infra.tokens.signing import TokenSigner
from relay.policy.settings.authority import CertifierSettings
from relay.policy.settings.directory import Provider
from relay.runtime.settings.loading import LoadedSettings
from relay.runtime.wiring.authority import load_result_key, open_signer
from relay.runtime.wiring.certifiers import build_certifiers
from relay.runtime.wiring.credentials import build_institution_context
from relay.runtime.wiring.expired_certificates import Certificates, read_certificates


@dataclass(frozen=True, slots=True)
class AuthorityFiles:
    """Settings with the contents of their files: the authority opens no file while it serves."""

    loaded: LoadedSettings
    signer: TokenSigner
    certifiers: Sequence[tuple[CertifierSettings, CertifierCredentials]]
    contexts: Mapping[str, ssl.SSLContext | None]
    result_keys: Mapping[str, EllipticCurvePublicKey | None]
    certificates: Certificates

    def tls_context(self, provider: Provider) -> ssl.SSLContext | None:
        """Returns the TLS context toward an institution of these settings, None on a leased line."""
        return self.contexts[provider.org_code]


def open_authority_files(loaded: LoadedSettings) -> AuthorityFiles:
    """Opens every file of the settings; safe on a thread. Raises CredentialError, SecretMissing, TlsError."""
    return AuthorityFiles(
        loaded=loaded,
        signer=open_signer(loaded.settings.tokens),
        certifiers=tuple(build_certifiers(loaded.settings)),
        contexts={provider.org_code: build_institution_context(provider) for provider in loaded.providers},
        result_keys={provider.org_code: load_result_key(provider) for provider in loaded.providers},
        certificates=read_certificates(loaded),
    )
