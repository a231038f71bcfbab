"""Files that the settings of the authority lead to, opened: keys, certificates, TLS toward institutions."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from relay.infra.certifiers.verification import Materials
from relay.infra.tokens.signing import FolderSigner
from relay.policy.settings.authority import Certifier
from relay.policy.settings.directory import Provider
from relay.runtime.settings.loading import Loaded
from relay.runtime.wiring.authority import result_key, signer_of
from relay.runtime.wiring.certifiers import furnished
from relay.runtime.wiring.credentials import provider_context
from relay.runtime.wiring.expired_certificates import Certificates, certificates_of


@dataclass(frozen=True, slots=True)
class OpenedFiles:
    """Settings with what stands in their files, so that the authority opens none while it serves."""

    loaded: Loaded
    signer: FolderSigner
    certifiers: Sequence[tuple[Certifier, Materials]]
    contexts: Mapping[str, ssl.SSLContext | None]
    result_keys: Mapping[str, EllipticCurvePublicKey | None]
    certificates: Certificates

    def context_of(self, provider: Provider) -> ssl.SSLContext | None:
        """The TLS context toward an institution of these settings; None on a leased line."""
        return self.contexts[provider.org_code]


def open_files(loaded: Loaded) -> OpenedFiles:
    """Opens what the settings lead to. A thread may do it. Raises MaterialError, SecretMissing, TlsError."""
    return OpenedFiles(
        loaded=loaded,
        signer=signer_of(loaded.settings.tokens),
        certifiers=tuple(furnished(loaded.settings)),
        contexts={provider.org_code: provider_context(provider) for provider in loaded.providers},
        result_keys={provider.org_code: result_key(provider) for provider in loaded.providers},
        certificates=certificates_of(loaded),
    )
