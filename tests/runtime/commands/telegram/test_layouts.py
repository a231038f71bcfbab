"""Tests of how commands open layouts: each wrong target ends with a message and status 2."""

import pytest
from fixtures.telegram_core import TELEGRAMS

ROOT = TELEGRAMS.parents[3]


def show(run, *arguments):
    answer = run("show", *arguments)
    assert (answer.exit_code, answer.stdout) == (2, "")
    return answer.stderr


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("none/BA04.yaml", "no such file or folder; expected: a layout, its folder, or an org_code"),
        ("lower", "no such file or folder"),
        ("ZBAC000009", "no institution of config/relay.yaml has this org_code; those that speak telegrams: "),
        ("ZBAA000001", "speaks standard, not telegram"),
    ],
)
def test_a_target_that_is_none_is_named(run, monkeypatch, target, text):
    monkeypatch.chdir(ROOT)
    assert text in show(run, target)


def test_a_folder_without_link_is_named(run, tmp_path):
    assert "has no link.yaml" in show(run, tmp_path)


def test_another_file_is_no_layout(run, tmp_path):
    (tmp_path / "a.txt").write_text("")
    assert "is no .yaml file" in show(run, tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"api: [", "BA04.yaml: line 1: is not YAML"),
        (b"\x00\xff\xb1", "is not UTF-8"),
        (b"a" * 1_100_000, "is too large"),
        (b"api: BA04\ncode: A004\nresponse: {fields: [more an(1), more an(2)]}\n", "repeats the name more"),
        (b"api: ZZ99\ncode: A004\nresponse: {}\n", "is no API of the industry bank"),
        (b"api: BA04\ncode: A004\n", "response: is missing"),
    ],
    ids=["yaml", "bytes", "huge", "layout", "api", "key"],
)
def test_a_broken_layout_shows_its_problems(run, telegrams, content, text):
    file = telegrams / "BA04.yaml"
    file.write_bytes(content)
    assert text in show(run, file)


def test_one_file_does_not_need_the_others(run, telegrams):
    (telegrams / "BA02.yaml").write_text("api: [")
    assert run("show", telegrams / "BA04.yaml").exit_code == 0
    assert "BA02.yaml: line 1" in show(run, telegrams)


def test_an_api_without_layout_is_named(run):
    assert "BA99: " in show(run, TELEGRAMS, "BA99")
    assert "it has BA01, BA02" in show(run, TELEGRAMS, "BA99")


def test_an_api_may_be_named_by_its_number(layouts):
    assert layouts.get("은행-004") is layouts.get("ba04")


def test_an_api_is_known_by_its_transaction_code(layouts):
    assert layouts.find_by_code("A013").name == "BA13"
    assert layouts.find_by_code("ZZZZ") is None


def test_an_org_code_is_that_of_the_settings(run, settings):
    answer = run("show", "ZBAC000001", "-c", settings)
    assert (answer.exit_code, "header: 102 bytes" in answer.output) == (0, True)
