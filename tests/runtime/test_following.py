"""Files are looked at, and what looks different is news."""

import asyncio
import os

import pytest

from relay.runtime.following import Following, yaml_files


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


async def told(following):
    """Wait until it says that something changed."""
    changed = asyncio.Event()
    running = asyncio.ensure_future(following.run(0.001, changed.set))
    async with asyncio.timeout(5):
        await changed.wait()
    running.cancel()


@pytest.mark.parametrize("change", [later, longer, gone])
async def test_a_file_that_changes_is_told_of_until_it_is_known(file, change):
    following = Following(lambda: [file])
    change(file)
    await told(following)
    await told(following)
    following.seen(following.look())
    assert following.look() == following._seen


async def test_a_change_while_files_are_read_is_told_of(file):
    following = Following(lambda: [file])
    later(file)
    before = following.look()
    longer(file)
    following.seen(before)
    await told(following)


async def test_a_file_that_comes_is_told_of(file):
    missing = file.with_name("later.pem")
    following = Following(lambda: [file, missing])
    missing.write_text("b")
    await told(following)


async def test_a_file_that_comes_into_a_folder_is_told_of(tmp_path):
    following = Following(lambda: yaml_files(tmp_path))
    (tmp_path / "new.yaml").write_text("a: 1")
    await told(following)


async def test_what_looks_the_same_is_no_news(file):
    looked = []

    def files():
        looked.append(file)
        return [file, file]

    following = Following(files)
    running = asyncio.ensure_future(following.run(0.001, lambda: looked.append("changed")))
    async with asyncio.timeout(5):
        while len(looked) < 5:  # noqa: ASYNC110 - it is told to nobody
            await asyncio.sleep(0.001)
    running.cancel()
    assert "changed" not in looked


async def test_zero_seconds_look_never(file):
    following = Following(lambda: [file])
    later(file)
    async with asyncio.timeout(5):
        await following.run(0, lambda: pytest.fail("looked"))


def test_settings_of_a_folder_are_yaml_by_name(tmp_path):
    for name in ("a.yaml", "b.yml", "c.txt", "d.yaml.swp"):
        (tmp_path / name).touch()
    assert {file.name for file in yaml_files(tmp_path)} == {"a.yaml", "b.yml"}
    assert not yaml_files(tmp_path / "nowhere")
