"""From settings to the authority's office: what it decides by, and the materials it needs."""

import secrets
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from relay.domain.party import Service
from relay.infra.signing import FolderSigner
from relay.infra.token_keys import TokenKeyProblem
from relay.oauth.office import Client, Office
from relay.policy.authority import Tokens
from relay.policy.registry import Directory, Provider
from relay.runtime.config import Loaded
from relay.runtime.materials import MaterialError

RANDOM_BYTES: Final = 32
_SERIAL: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def office_of(loaded: Loaded) -> Office:
    """The office of these settings."""
    settings = loaded.settings
    pages = settings.authority.pages
    return Office(
        relay=settings.relay.org_code,
        tokens=settings.tokens,
        providers={provider.org_code: provider for provider in loaded.providers},
        clients=clients_of(loaded.directory),
        certifiers={certifier.ca_code: certifier for certifier in settings.certifiers},
        pages_url=pages.url if pages is not None else "",
        request_s=settings.authority.request_s,
    )


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
        key = load_pem_public_key(Path(file).read_bytes())
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
