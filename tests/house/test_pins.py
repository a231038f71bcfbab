import tomllib

import mydata_sandbox
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

SAFE_FROM = {"aiohttp": "3.14.2", "authlib": "1.7.1", "httptools": "0.8", "jinja2": "3.1.6", "pyjwt": "2.12"}
"""The first release without a published advisory, as of November 2026."""


@pytest.fixture(scope="module")
def floors(root):
    project = read_project(root / "pyproject.toml")
    listed = project["dependencies"] + project["optional-dependencies"]["dev"]
    return read_floors(listed)


def read_project(file):
    return tomllib.loads(file.read_text())["project"]


def read_floors(listed):
    return {canonicalize_name(requirement.name): requirement.specifier for requirement in map(Requirement, listed)}


@pytest.fixture(scope="module")
def pins(root):
    files = [root / "constraints.txt", root / "constraints-dev.txt"]
    lines = [line for file in files for line in file.read_text().splitlines() if "==" in line]
    return {name: Version(rest.split()[0]) for name, _, rest in (line.partition("==") for line in lines)}


@pytest.mark.parametrize("package", SAFE_FROM)
def test_no_release_with_an_advisory_is_allowed(floors, package):
    assert [str(floor.version) for floor in floors[package] if floor.operator == ">="] == [SAFE_FROM[package]]


def test_every_pin_is_what_the_project_asks_for(floors, pins):
    assert {name: str(pins[name]) for name, floor in floors.items() if pins[name] not in floor} == {}


def test_the_sandbox_asks_for_the_same_packages(root, floors):
    project = read_project(root / "sandbox" / "pyproject.toml")
    asked = read_floors(project["dependencies"])
    relay = read_project(root / "pyproject.toml")
    assert asked.pop("mydata-relay").contains(relay["version"])
    assert {name: str(floor) for name, floor in asked.items()} == {name: str(floors[name]) for name in asked}
    assert project["version"] == relay["version"] == mydata_sandbox.__version__
