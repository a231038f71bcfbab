"""Tests of the detection of changed files."""

import os

import pytest

from relay.runtime.processes.file_watch import FileWatch, list_key_files, list_yaml_files


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "a.pem"
    file.write_text("a")
    return file


def touch(file):
    stat = file.stat()
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))


def lengthen(file):
    stat = file.stat()
    file.write_text("ab")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def delete(file):
    file.unlink()


@pytest.mark.parametrize("change", [touch, lengthen, delete])
def test_a_changed_file_is_reported_until_it_is_known(file, change):
    watch = FileWatch(lambda: [file])
    change(file)
    assert watch.has_changed()
    assert watch.has_changed()
    watch.mark_known(watch.fingerprint())
    assert not watch.has_changed()


def test_a_change_while_files_are_read_is_detected(file):
    watch = FileWatch(lambda: [file])
    touch(file)
    before = watch.fingerprint()
    lengthen(file)
    watch.mark_known(before)
    assert watch.has_changed()


def test_a_new_file_is_detected(file):
    missing = file.with_name("later.pem")
    watch = FileWatch(lambda: [file, missing])
    missing.write_text("b")
    assert watch.has_changed()


def test_a_new_file_in_a_folder_is_detected(tmp_path):
    watch = FileWatch(lambda: list_yaml_files(tmp_path))
    (tmp_path / "new.yaml").write_text("a: 1")
    assert watch.has_changed()


def test_unchanged_files_are_not_reported(file):
    watch = FileWatch(lambda: [file, file])
    assert not watch.has_changed()


def test_settings_of_a_folder_are_yaml_files(tmp_path):
    for name in ("a.yaml", "b.yml", "c.txt", "d.yaml.swp"):
        (tmp_path / name).touch()
    assert {file.name for file in list_yaml_files(tmp_path)} == {"a.yaml", "b.yml"}
    assert not list_yaml_files(tmp_path / "nowhere")


def test_private_keys_of_a_folder_are_pem_files(tmp_path):
    for name in ("a.pem", "jwks.json", ".b.pem.new"):
        (tmp_path / name).touch()
    assert list_key_files(tmp_path) == [tmp_path / "a.pem"]
    assert not list_key_files(tmp_path / "nowhere")
