"""From settings to the authority's office: what it decides by, and the materials it needs."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from relay.domain.party import Service
from relay.domain.registry import OrgType, Registry
from relay.infra.files.regular import read_file
from relay.infra.tokens.key_folder import TokenKeyProblem
from relay.infra.tokens.signing import FolderSigner
from relay.oauth.services import Client, Office
from relay.policy.settings.authority import Certifier, Tokens
from relay.policy.settings.directory import Directory, Provider
from relay.runtime.settings.loading import Loaded
from relay.runtime.wiring.credentials import MaterialError

RANDOM_BYTES: Final = 32
_CERTIFIERS: Final = frozenset({OrgType.IDENTITY_CERTIFIER, OrgType.SIGNATURE_CERTIFIER})
_SERIAL: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def office_of(loaded: Loaded, registry: Registry) -> Office:
    """The office of these settings; with a portal, who may ask for tokens stands in its registry."""
    settings = loaded.settings
    pages = settings.authority.pages
    told = settings.portal is not None
    certifiers = {certifier.ca_code: certifier for certifier in settings.certifiers}
    return Office(
        relay=settings.relay.org_code,
        tokens=settings.tokens,
        providers={provider.org_code: provider for provider in loaded.providers},
        clients=clients_in(registry) if told else clients_of(loaded.directory),
        certifiers=certifiers_in(registry, certifiers) if told else certifiers,
        pages_url=pages.url if pages is not None else "",
        request_s=settings.authority.request_s,
        pages_proxies=pages.proxies if pages is not None else (),
        relay_name=settings.relay.name,
        organisations=organisations_in(registry) if told else organisations_of(loaded.directory),
    )


def organisations_of(directory: Directory) -> dict[str, str]:
    """The names of a directory's operators by org_code."""
    return {operator.org_code: operator.name for operator in directory.operators}


def organisations_in(registry: Registry) -> dict[str, str]:
    """The names of a registry's organisations by org_code."""
    return {code: one.name for code, one in registry.organisations.items()}


def clients_of(directory: Directory) -> dict[str, Client]:
    """The services of a directory by client_id."""
    return {
        service.client_id: Client(
            Service(service.client_id, service.name, operator.org_code, service.callbacks, service.app_schemes),
            service.client_secret_hash or "",
        )
        for operator in directory.operators
        for service in operator.services
    }


def clients_in(registry: Registry) -> dict[str, Client]:
    """The services of a registry by client_id: of those who may call."""
    calling = {code for code, one in registry.organisations.items() if one.calls}
    return {
        one.client_id: Client(
            Service(one.client_id, one.name, one.operator, one.callbacks, one.app_schemes), one.secret_hash
        )
        for one in registry.services.values()
        if one.operator in calling
    }


def certifiers_in(registry: Registry, known: Mapping[str, Certifier]) -> dict[str, Certifier]:
    """The certifiers of the settings that the registry lists as such: one that the portal let go proves nothing."""
    listed = {code for code, one in registry.organisations.items() if one.org_type in _CERTIFIERS}
    return {code: certifier for code, certifier in known.items() if code in listed}


def signer_of(tokens: Tokens) -> FolderSigner:
    """Who signs tokens. Raises MaterialError when the folder of keys cannot be used."""
    try:
        return FolderSigner.of_folder(Path(tokens.keys), tokens.issuer, tokens.leeway_s)
    except TokenKeyProblem as problem:
        raise MaterialError(str(problem)) from problem


def result_key(provider: Provider) -> EllipticCurvePublicKey | None:
    """The key that an institution of the redirect way signs its results with; None for others. Raises MaterialError."""
    if provider.redirect is None:
        return None
    file = provider.redirect.public_key
    try:
        key = load_pem_public_key(read_file(file))
    except (OSError, ValueError) as error:
        raise MaterialError(f"{file}: no public key in PEM: {error}") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise MaterialError(f"{file}: the key is not EC P-256 (ES256)")
    return key


def serial() -> str:
    """The 14 free characters of a 거래고유번호."""
    return "".join(secrets.choice(_SERIAL) for _ in range(14))


def random_text() -> str:
    """256 random bits as URL-safe text."""
    return secrets.token_urlsafe(RANDOM_BYTES)
