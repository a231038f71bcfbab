"""A small folder of settings that is right, to be made wrong by each test."""

from pathlib import Path

import pytest
import yaml

RELAY = """
relay: {org_code: ZZRELAY001, name: Relay}
gateway:
  listeners: [{port: 8443}]
  tls: {certificate: certs/relay.pem, private_key: "file:certs/relay.key", client_ca: certs/ca.pem}
tokens:
  issuer: ZZRELAY001
  keys: certs/token-keys
ledger:
  url: sqlite:ledger.db
  customer_keys: [{kid: one, key: "file:certs/customers.key"}]
"""

BANK = """
org_code: ZBAA000001
name: Bank
industry: bank
base_urls: ["https://bank.example"]
ca: ../certs/bank.pem
"""

DIRECTORY = """
operators:
  - org_code: ZOPA000001
    name: One
    serial_num: 123-45-67890
    addresses: [192.0.2.10]
    services: [{client_id: one1, name: One, callbacks: ["https://one.example/cb"]}]
  - org_code: ZOPB000001
    name: Two
    serial_num: 987-65-43210
    addresses: [192.0.2.20]
    services: [{client_id: two1, name: Two}]
"""

PORTAL = {
    "org_code": "ZPTL000001",
    "base_url": "https://portal.example",
    "serial_num": "999-81-00002",
    "addresses": ["192.0.2.9"],
    "calls": {"client_id": "relayatportal", "client_secret": "file:certs/portal.secret"},
    "offers": {"client_id": "portalatrelay", "client_secret_hash": f"$scrypt$ln=14,r=8,p=1${'A' * 22}${'A' * 43}"},
}


class Folder:
    """Settings on disk; `path` is relay.yaml."""

    def __init__(self, root: Path):
        self.root = root
        self.path = root / "relay.yaml"
        (root / "providers").mkdir()
        self.right()

    def right(self):
        """Everything as it should be again."""
        self.write("relay.yaml", RELAY)
        self.write("providers/bank.yaml", BANK)
        self.write("directory.yaml", DIRECTORY)

    def write(self, name, content):
        file = self.root / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def portal(self, **changes):
        """A portal comes into relay.yaml."""
        self.put("relay.yaml", "portal", PORTAL | changes)

    def put(self, name, key, value):
        """Set one dotted key (numbers are list indexes) of one file."""
        values = yaml.safe_load((self.root / name).read_text())
        at = values
        *way, last = [int(part) if part.isdigit() else part for part in key.split(".")]
        for part in way:
            at = at[part] if isinstance(part, int) else at.setdefault(part, {})
        at[last] = value
        self.write(name, yaml.safe_dump(values))


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)
