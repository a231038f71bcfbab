"""Files are looked at, and what looks different is news."""

import os

import pytest

from relay.runtime.processes.file_watch import Following, yaml_files


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "a.pem"
    file.write_text("a")
    return file


def later(file):
    stat = file.stat()
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))


def longer(file):
    stat = file.stat()
    file.write_text("ab")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def gone(file):
    file.unlink()


@pytest.mark.parametrize("change", [later, longer, gone])
def test_a_file_that_changes_is_told_of_until_it_is_known(file, change):
    following = Following(lambda: [file])
    change(file)
    assert following.differs()
    assert following.differs()
    following.seen(following.look())
    assert not following.differs()


def test_a_change_while_files_are_read_is_told_of(file):
    following = Following(lambda: [file])
    later(file)
    before = following.look()
    longer(file)
    following.seen(before)
    assert following.differs()


def test_a_file_that_comes_is_told_of(file):
    missing = file.with_name("later.pem")
    following = Following(lambda: [file, missing])
    missing.write_text("b")
    assert following.differs()


def test_a_file_that_comes_into_a_folder_is_told_of(tmp_path):
    following = Following(lambda: yaml_files(tmp_path))
    (tmp_path / "new.yaml").write_text("a: 1")
    assert following.differs()


def test_what_looks_the_same_is_no_news(file):
    following = Following(lambda: [file, file])
    assert not following.differs()


def test_settings_of_a_folder_are_yaml_by_name(tmp_path):
    for name in ("a.yaml", "b.yml", "c.txt", "d.yaml.swp"):
        (tmp_path / name).touch()
    assert {file.name for file in yaml_files(tmp_path)} == {"a.yaml", "b.yml"}
    assert not yaml_files(tmp_path / "nowhere")
