"""`mydata-sandbox certs dev`: creates development certificates."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Column, Table

from mydata_sandbox.credentials.authority import DAYS, CertificateFiles
from mydata_sandbox.credentials.certificates import DevCertificates, make_dev_certificates

EXAMPLES: Final = """\b
Examples:
  mydata-sandbox certs dev
  mydata-sandbox certs dev --dir /tmp/certs --days 30
  mydata-sandbox certs dev --force --json
"""


@click.group(name="certs")
def command() -> None:
    """Make development certificates."""


@command.command(epilog=EXAMPLES)
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path, file_okay=False), default="certs/dev", show_default=True
)
@click.option("--days", type=click.IntRange(1, 3650), default=DAYS, show_default=True, help="How long they are valid.")
@click.option("--force", is_flag=True, help="Overwrite existing certificates.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def dev(directory: Path, days: int, *, force: bool, as_json: bool) -> None:
    """Create a CA, certificates of all parties, invalid ones for tests, and token keys."""
    try:
        made = make_dev_certificates(directory, datetime.now(UTC), days=days, force=force)
    except FileExistsError as error:
        raise click.ClickException(f"{error}; --force overwrites them") from error
    except OSError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(_rows(made), ensure_ascii=False))
        return
    headings = ("party", "SERIALNUMBER", "certificate or public key")
    table = Table(*(Column(heading, overflow="fold") for heading in headings), title=str(directory))
    table.caption = "private keys: NAME.key.pem, mode 0600"
    for row in _rows(made):
        table.add_row(row["who"], row["serial_number"] or "-", Path(row["certificate"] or "").name)
    Console().print(table)


def _rows(made: DevCertificates) -> list[dict[str, str | None]]:
    pairs: list[tuple[str, CertificateFiles]] = [("relay", made.relay), ("portal", made.portal)]
    pairs += [(f"operator {number}", pair) for number, pair in enumerate(made.operators, 1)]
    pairs += [(f"provider {industry}", pair) for industry, pair in made.providers.items()]
    pairs += [(f"certifier {number}", pair) for number, pair in enumerate(made.certifiers, 1)]
    pairs += [
        ("operator of a foreign CA", made.foreign_operator),
        ("operator, expired", made.expired_operator),
        ("operator, not yet valid", made.future_operator),
        ("operator without SERIALNUMBER", made.serialless_operator),
        ("operator, not registered", made.unregistered_operator),
    ]
    rows = [_row(name, pair.certificate, pair.private_key, pair.serial_number) for name, pair in pairs]
    rows += [
        _row(name, authority.certificate, authority.private_key, None)
        for name, authority in (("CA", made.authority), ("foreign CA", made.foreign_authority))
    ]
    rows += [
        _row(f"token key {key.algorithm}", key.public_key, key.private_key, None) for key in made.token_keys.values()
    ]
    return rows


def _row(name: str, certificate: Path, private_key: Path, serial: str | None) -> dict[str, str | None]:
    return {"who": name, "serial_number": serial, "certificate": str(certificate), "private_key": str(private_key)}
