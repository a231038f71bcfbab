"""`relay schema`: prints the JSON Schema of a settings file, for editors and charts."""

import json
from typing import Final

import click
from pydantic import BaseModel

from relay.policy.settings.directory import Directory, Provider
from relay.policy.settings.model import Settings

MODELS: Final[dict[str, type[BaseModel]]] = {"relay": Settings, "provider": Provider, "directory": Directory}


@click.command(
    "schema",
    epilog="""\b
Examples:
  relay schema relay > relay.schema.json
  relay schema provider > provider.schema.json

\b
An editor with YAML support reads it from the first line of a file:
  # yaml-language-server: $schema=../provider.schema.json""",
)
@click.argument("name", metavar="relay|provider|directory", type=click.Choice(list(MODELS)))
def command(name: str) -> None:
    """Print the JSON Schema of relay.yaml, a provider's file or directory.yaml."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **MODELS[name].model_json_schema()}
    click.echo(json.dumps(schema, ensure_ascii=False, indent=2))
