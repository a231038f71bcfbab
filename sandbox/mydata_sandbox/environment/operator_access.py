"""What an operator of a sandbox needs to call its relay, read from the sandbox's folder."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from mydata_sandbox.certifiers.pki import CertifierPki
from mydata_sandbox.credentials.authority import CertificateFiles
from mydata_sandbox.credentials.certificates import load_dev_certificates
from mydata_sandbox.credentials.derived_secrets import SecretSource
from mydata_sandbox.environment.build import (
    CERTIFICATES_FOLDER,
    CERTIFIER_CLIENT_ID,
    CERTIFIER_SECRET_NAME,
    PKI_FOLDER,
    SEED_FILE,
)
from mydata_sandbox.environment.model import load_facts
from mydata_sandbox.operator.callback import PATH
from mydata_sandbox.parties import LOOPBACK


class UnknownName(LookupError):
    """The sandbox has no such institution or service. The message has the choices."""


@dataclass(frozen=True, slots=True)
class OperatorAccess:
    """Addresses, files and secrets of one operator's service, for calls about one institution.

    `certifier` is the base URL of the e-signature provider, `certifier_client` its client_id and secret.
    """

    gateway: str
    certifier: str
    ca: Path
    identity: CertificateFiles
    pki: CertifierPki
    operator: str
    client_id: str
    client_secret: str = field(repr=False)
    callback: str
    certifier_client: tuple[str, str] = field(repr=False)
    org_code: str
    industry: str

    @classmethod
    def load(cls, folder: Path, org_code: str, client_id: str) -> Self:
        """Returns the access of the service `client_id` in a sandbox's folder. Raises UnknownName."""
        facts, certs = load_facts(folder), (folder / CERTIFICATES_FOLDER).resolve()
        services = [(code, service) for code, clients in facts["operators"].items() for service in clients]
        operator = next((code for code, service in services if service == client_id), "")
        if not operator:
            raise UnknownName(f"client_id {client_id} is not one of {', '.join(name for _, name in services)}")
        if org_code not in facts["institutions"]:
            raise UnknownName(f"org_code {org_code} is not one of {', '.join(facts['institutions'])}")
        certificates, secrets = load_dev_certificates(certs), SecretSource.load(certs / SEED_FILE)
        host = LOOPBACK if facts["relay"] is None else facts["relay"]["sandbox_address"]
        base = f"https://[{host}]" if ":" in host else f"https://{host}"
        return cls(
            gateway=facts["gateway"],
            certifier=f"{base}:{facts['ports']['signature_certifier']}",
            ca=certificates.ca,
            identity=certificates.operators[list(facts["operators"]).index(operator)],
            pki=CertifierPki(certs / PKI_FOLDER),
            operator=operator,
            client_id=client_id,
            client_secret=secrets.derive(client_id),
            callback=f"{base}:{facts['ports']['callback']}{PATH}",
            certifier_client=(CERTIFIER_CLIENT_ID, secrets.derive(CERTIFIER_SECRET_NAME)),
            org_code=org_code,
            industry=facts["institutions"][org_code],
        )
