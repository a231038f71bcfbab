"""Checks that each distribution contains its own package only, with its data."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

DATA = (".yaml", ".json", ".html", ".css")


def build_wheel(source, target):
    """Builds a wheel without network and returns the names of its files."""
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--no-cache-dir"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", target, source]
    environment = os.environ | {"RELAY_COMPILED": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = target.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.fixture(scope="module")
def wheels(root, tracked, tmp_path_factory):
    """Files of the wheel of each distribution, built from a copy of the tracked files."""
    folder = tmp_path_factory.mktemp("wheels")
    for path in tracked:
        if path.parts[0] in {".ci", "relay", "sandbox"} or len(path.parts) == 1:
            target = folder / "source" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / path, target)
    return {
        name: build_wheel(folder / "source" / place, folder / name)
        for name, place in (("relay", "."), ("sandbox", "sandbox"))
    }


def packages_of(files):
    return {name.partition("/")[0] for name in files if ".dist-info/" not in name}


def test_the_relays_wheel_has_no_sandbox(wheels):
    assert packages_of(wheels["relay"]) == {"relay"}
    assert [name for name in wheels["relay"] if "sandbox" in name] == []


def test_the_sandboxs_wheel_has_no_module_of_the_relay(wheels):
    assert packages_of(wheels["sandbox"]) == {"mydata_sandbox"}


@pytest.mark.parametrize(("name", "place"), [("relay", "relay"), ("sandbox", "sandbox/mydata_sandbox")])
def test_every_module_and_all_data_are_in_the_wheel(wheels, tracked, name, place):
    wanted = {
        path.relative_to(place).as_posix()
        for path in tracked
        if path.as_posix().startswith(f"{place}/") and (path.suffix in {".py", *DATA} or path.name == "py.typed")
    }
    package = place.rpartition("/")[2]
    assert {f"{package}/{path}" for path in wanted} - wheels[name] == set()


def test_the_relays_wheel_has_each_kind_of_data(wheels):
    for ending in (*DATA, "/py.typed"):
        assert any(name.endswith(ending) for name in wheels["relay"]), ending


def test_both_wheels_have_their_console_script(wheels):
    for files in wheels.values():
        assert any(name.endswith(".dist-info/entry_points.txt") for name in files)
