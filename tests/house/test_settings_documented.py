"""The manual is true: every key stands in an example file, with the default the model has."""

from enum import Enum

import pytest
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined, to_jsonable_python

from relay.policy.settings import authority, portal, scalars
from relay.policy.settings import directory as registry
from relay.policy.settings import model as rooms
from relay.policy.settings.directory import Directory, Provider
from relay.policy.settings.model import Settings
from relay.runtime.settings.messages import leaves, node_at
from relay.runtime.settings.yaml_files import scalar
from relay.runtime.wiring.gateway import START_ONLY

MANUALS = {
    "config/relay.yaml": Settings,
    "config/providers/hangaram-bank.yaml": Provider,
    "config/directory.yaml": Directory,
}
"""The file that shows every key of a model; its comments end in `default: ...`."""

NO_VALUE = {"none", "relay"}


def written(node, lines, place=()):
    """Each key of a file (list indexes are 0) and what its comment says after `default:`; None when it says nothing."""
    for entry in node.value if isinstance(node, yaml.SequenceNode) else ():
        yield from written(entry, lines, (*place, 0))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            comment = lines[key.start_mark.line].partition(" # ")[2]
            _, told, default = comment.rpartition("default: ")
            yield (*place, key.value), default.strip() if told else None
            yield from written(value, lines, (*place, key.value))


def manual(root, file):
    """What each key tells; of several entries of a list the first that has the key."""
    text = (root / file).read_text()
    return dict(reversed([*written(yaml.compose(text), text.splitlines())]))


def default_at(model, place):
    """The default of a key, that of the section above it first (`Rate(per_second=50)`); undefined when required."""
    value = PydanticUndefined
    for part in [part for part in place if part != 0]:
        section = value
        value = getattr(section, part) if isinstance(section, BaseModel) else model.model_fields[part].default
        model = inner(model.model_fields[part].annotation)
    return value


def inner(annotation):
    """The model inside `Model`, `Model | None` or `tuple[Model, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (inner(part) for part in getattr(annotation, "__args__", ()))
    return next((model for model in found if model is not None), None)


def models():
    rooms_of_models = (scalars, rooms, authority, portal, registry)
    return [
        thing
        for room in rooms_of_models
        for thing in vars(room).values()
        if isinstance(thing, type) and issubclass(thing, BaseModel | Enum) and thing.__module__ == room.__name__
    ]


@pytest.mark.parametrize("file", MANUALS)
def test_every_key_stands_in_the_manual(root, file):
    assert set(leaves(MANUALS[file])) - set(manual(root, file)) == set()


@pytest.mark.parametrize("file", MANUALS)
def test_every_key_tells_its_default(root, file):
    told = manual(root, file)
    assert [place for place in leaves(MANUALS[file]) if told.get(place) is None] == []


@pytest.mark.parametrize("file", MANUALS)
def test_every_default_told_is_the_models(root, file):
    wrong = []
    for place, told in manual(root, file).items():
        if told is None or "properties" in (node_at(MANUALS[file], (*place, 0)) or {}):
            continue
        default = default_at(MANUALS[file], place)
        if default is PydanticUndefined:
            fits = told == "required"
        elif default is None:
            fits = told in NO_VALUE
        else:
            fits = to_jsonable_python(default) == ([] if told == "[]" else scalar(told))
        if not fits:
            wrong.append((place, told, default))
    assert wrong == []


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_model_says_what_it_is(model):
    assert vars(model).get("__doc__")


@pytest.mark.parametrize("section", START_ONLY)
def test_what_waits_for_a_start_is_named_on_the_page(root, section):
    page = (root / "docs" / "operate" / "settings.md").read_text()
    assert f"`{section}`" in page.partition("Taken at the next start only")[2]


def test_there_are_models_to_look_at():
    assert {Settings, Provider, Directory} < set(models())
