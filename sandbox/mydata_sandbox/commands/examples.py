"""`mydata-sandbox examples`: writes the example calls that the relay's documents contain."""

import json
from pathlib import Path
from typing import Final

import click

from mydata_sandbox.scenarios.data_examples import build_data_examples
from mydata_sandbox.scenarios.fixed_examples import build_oauth_examples, build_portal_examples, build_support_examples
from relay.domain.ids import INDUSTRIES
from relay.standard.catalogue import load_catalogue

EXAMPLES: Final = """\b
Examples:
  mydata-sandbox examples relay/standard/examples
"""


@click.command(name="examples", epilog=EXAMPLES)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
def command(directory: Path) -> None:
    """Write an example of every call of the standard, one file for each industry.

    `relay apis --openapi` has these examples. The suite compares the files of the relay with those that this command
    writes.
    """
    catalogue = load_catalogue()
    groups = {industry: build_data_examples(catalogue, industry) for industry in INDUSTRIES}
    groups |= {
        "oauth": build_oauth_examples(),
        "support": build_support_examples(),
        "portal": build_portal_examples(),
    }
    directory.mkdir(parents=True, exist_ok=True)
    for group, examples in groups.items():
        text = json.dumps(examples, ensure_ascii=False, indent=1)
        (directory / f"{group}.json").write_text(f"{text}\n", encoding="utf-8")
    click.echo(f"{len(groups)} files in {directory}")
