"""Memory of this process and of its control group, from files of the kernel."""

import resource

import pytest

from relay.infra.process.memory import GroupMemory, ResidentMemory, find_group_memory

MIB = 1024 * 1024


@pytest.fixture
def write(tmp_path):
    def write_file(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write_file


def test_the_resident_memory_of_this_process_is_read():
    before = ResidentMemory().read()
    block = bytearray(b"x") * (64 * MIB)
    assert ResidentMemory().read() - before >= 32 * MIB
    assert len(block) == 64 * MIB


def test_the_second_number_is_the_resident_pages(write):
    statm = write("statm", "900 300 20 1 0 200 0\n")
    assert ResidentMemory(statm).read() == 300 * resource.getpagesize()


@pytest.mark.parametrize("text", ["", "900", "900 many"])
def test_unreadable_memory_is_zero(write, tmp_path, text):
    assert ResidentMemory(write("statm", text)).read() == 0
    assert ResidentMemory(tmp_path / "none").read() == 0
    assert GroupMemory(tmp_path / "none", MIB).read() == 0


@pytest.mark.parametrize("path", ["system.slice/relay.service", ""])
def test_the_limit_of_the_own_group_is_found(write, tmp_path, path):
    own = write("own", f"0::/{path}\n")
    folder = write(f"groups/{path}/memory.max", "104857600\n").parent
    assert find_group_memory(own, tmp_path / "groups") == GroupMemory(folder, 100 * MIB)


def test_in_a_container_the_files_of_the_group_are_at_the_root(write, tmp_path):
    own = write("own", "0::/kubepods/pod1/container1\n")
    folder = write("groups/memory.max", "104857600\n").parent
    assert find_group_memory(own, tmp_path / "groups") == GroupMemory(folder, 100 * MIB)


def test_a_group_without_limit_has_no_memory(write, tmp_path):
    own = write("own", "0::/a\n")
    write("groups/a/memory.max", "max\n")
    assert find_group_memory(own, tmp_path / "groups") is None


@pytest.mark.parametrize("own", ["4:memory:/a\n", None])
def test_other_systems_have_no_group_memory(write, tmp_path, own):
    file = tmp_path / "none" if own is None else write("own", own)
    assert find_group_memory(file, tmp_path / "groups") is None


def test_page_cache_does_not_count(write, tmp_path):
    write("memory.current", f"{100 * MIB}\n")
    write("memory.stat", f"anon {50 * MIB}\ninactive_file {30 * MIB}\nactive_file {10 * MIB}\n")
    assert GroupMemory(tmp_path, 200 * MIB).read() == 60 * MIB
