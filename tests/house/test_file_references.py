"""Checks that every path and secret of the settings is found: only those found are watched and checked."""

import re
from pathlib import Path

from relay.policy.settings.directory import Provider
from relay.policy.settings.model import Settings
from relay.runtime.settings.file_references import find_references
from relay.runtime.settings.messages import describe_allowed, find_leaves, get_schema_node
from relay.runtime.settings.problems import format_key
from relay.runtime.settings.yaml_files import read_yaml

REFERENCES = ("a path, relative to the file that names it", "a reference, file:PATH or env:NAME")
"""Beginnings of what `FilePath` and `SecretReference` say that they hold."""

PLACES = {"directory", "providers", "authority.socket", "adapter.socket", "gateway.socket", "statistics.spool"}
"""Paths that hold no certificate, key or secret: settings, which are read anyway, and what the relay writes."""

EXAMPLES = {Settings: "config/relay.yaml", Provider: "config/providers/hangaram-bank.yaml"}
"""Example files with every key of a model; `test_settings_documented.py` checks this."""


def find_keys(model):
    """Returns the keys of a model that hold a path or a reference to a secret."""
    allowed_by_key = {
        re.sub(r"\[\d+\]", "[]", format_key(place)): describe_allowed(get_schema_node(model, place))
        for place in find_leaves(model)
    }
    return {key for key, allowed in allowed_by_key.items() if any(words in allowed for words in REFERENCES)}


def test_every_path_and_secret_is_a_found_reference(root):
    values = {model: read_yaml(root / file).values for model, file in EXAMPLES.items()}
    settings, provider = (model.model_validate(values[model], context={"folder": root}) for model in EXAMPLES)
    references = find_references(Path("relay.yaml"), settings, [(Path("provider.yaml"), provider)])
    found = {(each.file.name, re.sub(r"\[\d+\]", "[]", each.key)) for each in references}
    keys = {("relay.yaml", key) for key in find_keys(Settings) - PLACES}
    keys |= {("provider.yaml", key) for key in find_keys(Provider) - {"telegrams", "json_apis"}}
    assert {(file, key.removesuffix("[]")) for file, key in found} == keys
