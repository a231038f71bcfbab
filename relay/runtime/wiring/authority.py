"""Builds the authority's settings, its token signer and the keys of redirect results."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from relay.domain.party import Service
from relay.domain.registry import OrgType, Registry
from relay.infra.files.regular import describe_read_error, read_file
from relay.infra.tokens.key_folder import TokenKeyError
from relay.infra.tokens.signing import TokenSigner
from relay.oauth.dependencies import Client, OAuthSettings
from relay.policy.settings.authority import CertifierSettings, TokenSettings
from relay.policy.settings.directory import Directory, Provider
from relay.runtime.settings.loading import LoadedSettings
from relay.runtime.wiring.credentials import CredentialError

RANDOM_BYTES: Final = 32
_CERTIFIERS: Final = frozenset({OrgType.IDENTITY_CERTIFIER, OrgType.SIGNATURE_CERTIFIER})
_SERIAL: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def build_authority_settings(loaded: LoadedSettings, registry: Registry) -> OAuthSettings:
    """Returns the authority's settings. With a portal, clients and certifiers come from its registry."""
    settings = loaded.settings
    pages = settings.authority.pages
    has_portal = settings.portal is not None
    certifiers = {certifier.ca_code: certifier for certifier in settings.certifiers}
    return OAuthSettings(
        relay=settings.relay.org_code,
        tokens=settings.tokens,
        providers={provider.org_code: provider for provider in loaded.providers},
        clients=registry_clients(registry) if has_portal else directory_clients(loaded.directory),
        certifiers=registered_certifiers(registry, certifiers) if has_portal else certifiers,
        pages_url=pages.url if pages is not None else "",
        request_s=settings.authority.request_s,
        pages_proxies=pages.proxies if pages is not None else (),
        relay_name=settings.relay.name,
        organisations=organisation_names(registry) if has_portal else operator_names(loaded.directory),
    )


def operator_names(directory: Directory) -> dict[str, str]:
    """Returns the names of a directory's operators by org_code."""
    return {operator.org_code: operator.name for operator in directory.operators}


def organisation_names(registry: Registry) -> dict[str, str]:
    """Returns the names of a registry's organisations by org_code."""
    return {code: organisation.name for code, organisation in registry.organisations.items()}


def directory_clients(directory: Directory) -> dict[str, Client]:
    """Returns the services of a directory by client_id."""
    return {
        service.client_id: Client(
            Service(service.client_id, service.name, operator.org_code, service.callbacks, service.app_schemes),
            service.client_secret_hash or "",
        )
        for operator in directory.operators
        for service in operator.services
    }


def registry_clients(registry: Registry) -> dict[str, Client]:
    """Returns the services of operators that may call, by client_id."""
    calling = {code for code, organisation in registry.organisations.items() if organisation.may_call}
    return {
        service.client_id: Client(
            Service(service.client_id, service.name, service.operator, service.callbacks, service.app_schemes),
            service.secret_hash,
        )
        for service in registry.services.values()
        if service.operator in calling
    }


def registered_certifiers(registry: Registry, known: Mapping[str, CertifierSettings]) -> dict[str, CertifierSettings]:
    """Returns the certifiers of the settings that the registry lists: evidence of a removed certifier is refused."""
    listed = {code for code, organisation in registry.organisations.items() if organisation.org_type in _CERTIFIERS}
    return {code: certifier for code, certifier in known.items() if code in listed}


def open_signer(tokens: TokenSettings) -> TokenSigner:
    """Returns the signer of tokens. Raises CredentialError when the folder of keys cannot be used."""
    try:
        return TokenSigner.from_folder(Path(tokens.keys), tokens.issuer, tokens.leeway_s)
    except TokenKeyError as problem:
        raise CredentialError(str(problem)) from problem


def load_result_key(provider: Provider) -> EllipticCurvePublicKey | None:
    """Returns the key that verifies redirect results of an institution, None without redirect.

    Raises CredentialError.
    """
    if provider.redirect is None:
        return None
    file = provider.redirect.public_key
    try:
        key = load_pem_public_key(read_file(file))
    except OSError as error:
        raise CredentialError(describe_read_error(file, error)) from error
    except ValueError as error:
        raise CredentialError(f"the file {file} holds none; expected: a public key, PEM") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise CredentialError(f"{file}: the key is not EC P-256 (ES256)")
    return key


def random_serial() -> str:
    """Returns the 14 free characters of a 거래고유번호."""
    return "".join(secrets.choice(_SERIAL) for _ in range(14))


def random_text() -> str:
    """Returns 256 random bits as URL-safe text."""
    return secrets.token_urlsafe(RANDOM_BYTES)
