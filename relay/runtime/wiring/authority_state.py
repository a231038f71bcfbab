"""What settings and registry determine in the authority: prepared without side effects, put in force as a whole."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from relay.domain.registry import Registry
from relay.infra.certifiers.verification import CompiledCertifiers, ConsentVerifier
from relay.infra.institutions.client import HttpInstitutionClient
from relay.infra.tokens.signing import TokenSigner
from relay.oauth.dependencies import OAuthSettings
from relay.policy.settings.authority import TokenSettings
from relay.policy.settings.directory import Provider
from relay.portal.dependencies import SupportSettings
from relay.runtime.settings.loading import LoadedSettings
from relay.runtime.wiring.authority import build_authority_settings, load_result_key, open_signer, random_serial
from relay.runtime.wiring.certifiers import build_certifiers
from relay.runtime.wiring.credentials import build_institution_context, build_jwks, read_token_keys
from relay.runtime.wiring.portal import build_support_settings
from relay.standard.catalogue import load_catalogue


@dataclass(frozen=True, slots=True)
class AuthorityState:
    """Everything in the authority that depends on settings and registry. A reload replaces it as a whole.

    `oauth` are the settings of the OAuth endpoints, `support` those of the support APIs, `contexts` the TLS contexts
    toward institutions by org_code. `jwks` are the public keys of `signer`. `institutions` has no connection before its
    first call.
    """

    loaded: LoadedSettings
    registry: Registry
    oauth: OAuthSettings
    support: SupportSettings | None
    signer: TokenSigner
    jwks: Mapping[str, Any]
    certifiers: CompiledCertifiers
    contexts: Mapping[str, ssl.SSLContext | None]
    result_keys: Mapping[str, EllipticCurvePublicKey | None]
    institutions: HttpInstitutionClient

    def with_registry(self, registry: Registry) -> "AuthorityState":
        """Returns this state with another registry; everything else stays."""
        if registry is self.registry:
            return self
        oauth, support = build_authority_settings(self.loaded, registry), build_support_settings(self.loaded, registry)
        return replace(self, registry=registry, oauth=oauth, support=support)

    def with_current_token_keys(self) -> "AuthorityState | None":
        """Returns this state with the keys now in its key folder, None if they are the same. Raises CredentialError."""
        signer, jwks = _open_signer(self.loaded.settings.tokens)
        return None if jwks == self.jwks else replace(self, signer=signer, jwks=jwks)


def prepare_authority_state(loaded: LoadedSettings, registry: Registry, verifier: ConsentVerifier) -> AuthorityState:
    """Reads every file that the settings name and builds the state. Changes nothing and is safe on a thread.

    Raises CredentialError, SecretMissing, TlsError.
    """
    contexts = {provider.org_code: build_institution_context(provider) for provider in loaded.providers}

    signer, jwks = _open_signer(loaded.settings.tokens)

    def get_context(provider: Provider) -> ssl.SSLContext | None:
        return contexts[provider.org_code]

    return AuthorityState(
        loaded=loaded,
        registry=registry,
        oauth=build_authority_settings(loaded, registry),
        support=build_support_settings(loaded, registry),
        signer=signer,
        jwks=jwks,
        certifiers=verifier.compile_certifiers(build_certifiers(loaded.settings)),
        contexts=contexts,
        result_keys={provider.org_code: load_result_key(provider) for provider in loaded.providers},
        institutions=HttpInstitutionClient(
            loaded.settings.relay.org_code,
            load_catalogue(),
            get_context,
            random_serial,
            loaded.settings.adapter.socket,
        ),
    )


def _open_signer(tokens: TokenSettings) -> tuple[TokenSigner, Mapping[str, Any]]:
    """Returns the signer of tokens and its public keys. Keys replaced in between are read again by the next reload."""
    jwks = build_jwks(read_token_keys(tokens))
    return open_signer(tokens), jwks
