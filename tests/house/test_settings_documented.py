"""Checks that example files have every key of the models with its default."""

from enum import Enum

import pytest
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined, to_jsonable_python

from relay.policy.settings import authority, portal, scalars
from relay.policy.settings import directory as registry
from relay.policy.settings import model as settings
from relay.policy.settings.directory import Directory, Provider
from relay.policy.settings.model import Settings
from relay.runtime.settings.messages import find_leaves, get_schema_node
from relay.runtime.settings.yaml_files import parse_scalar
from relay.runtime.wiring.gateway import START_ONLY

MANUALS = {
    "config/relay.yaml": Settings,
    "config/providers/hangaram-bank.yaml": Provider,
    "config/directory.yaml": Directory,
}
"""Example files with every key of a model; comments end with `default: ...`."""

NO_VALUE = {"none", "relay"}


def written(node, lines, place=()):
    """Yields each key of a file (list indexes are 0) with its default in the comment, None without one."""
    for entry in node.value if isinstance(node, yaml.SequenceNode) else ():
        yield from written(entry, lines, (*place, 0))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            comment = lines[key.start_mark.line].partition(" # ")[2]
            _, separator, default = comment.rpartition("default: ")
            yield (*place, key.value), default.strip() if separator else None
            yield from written(value, lines, (*place, key.value))


def manual(root, file):
    """Returns the documented default of each key; of several list entries the first that has the key."""
    text = (root / file).read_text()
    return dict(reversed([*written(yaml.compose(text), text.splitlines())]))


def default_at(model, place):
    """Returns the default of a key, that of its section first (`Rate(per_second=50)`); undefined when required."""
    value = PydanticUndefined
    for part in [part for part in place if part != 0]:
        section = value
        value = getattr(section, part) if isinstance(section, BaseModel) else model.model_fields[part].default
        model = inner(model.model_fields[part].annotation)
    return value


def inner(annotation):
    """Returns the model inside `Model`, `Model | None` or `tuple[Model, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    candidates = (inner(part) for part in getattr(annotation, "__args__", ()))
    return next((model for model in candidates if model is not None), None)


def models():
    modules = (scalars, settings, authority, portal, registry)
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseModel | Enum) and value.__module__ == module.__name__
    ]


@pytest.mark.parametrize("file", MANUALS)
def test_every_key_is_in_an_example_file(root, file):
    assert set(find_leaves(MANUALS[file])) - set(manual(root, file)) == set()


@pytest.mark.parametrize("file", MANUALS)
def test_every_key_has_a_documented_default(root, file):
    defaults = manual(root, file)
    assert [place for place in find_leaves(MANUALS[file]) if defaults.get(place) is None] == []


@pytest.mark.parametrize("file", MANUALS)
def test_every_documented_default_is_that_of_the_model(root, file):
    wrong = []
    for place, documented in manual(root, file).items():
        if documented is None or "properties" in (get_schema_node(MANUALS[file], (*place, 0)) or {}):
            continue
        default = default_at(MANUALS[file], place)
        if default is PydanticUndefined:
            fits = documented == "required"
        elif default is None:
            fits = documented in NO_VALUE
        else:
            fits = to_jsonable_python(default) == ([] if documented == "[]" else parse_scalar(documented))
        if not fits:
            wrong.append((place, documented, default))
    assert wrong == []


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_model_has_a_docstring(model):
    assert vars(model).get("__doc__")


@pytest.mark.parametrize("section", START_ONLY)
def test_sections_applied_at_start_only_are_documented(root, section):
    page = (root / "docs" / "operate" / "settings.md").read_text()
    assert f"`{section}`" in page.partition("Taken at the next start only")[2]


def test_models_are_found():
    assert {Settings, Provider, Directory} < set(models())
