import json

import yaml


def test_all_golden_files_of_a_folder_are_checked(run, telegrams):
    answer = run("test", telegrams)
    assert (answer.exit_code, answer.output.splitlines()[-1]) == (0, "16 golden files, 0 failed")


def test_a_difference_is_the_exit_code_1(run, telegrams):
    file = telegrams / "golden/BA22.answer.json"
    file.write_text(file.read_text().replace('"9500000"', '"1"'))
    answer = run("test", telegrams)
    assert (answer.exit_code, "16 golden files, 1 failed" in answer.output) == (1, True)
    shown = json.loads(run("test", telegrams, "--json").output)
    failed = [report for report in shown if not report["ok"]]
    assert [each["field"] for each in failed[0]["differences"]] == ["balance_amt", "answer.balance_amt"]
    assert run("test", telegrams, "--update").exit_code == 0
    assert run("test", telegrams).exit_code == 0


def test_a_folder_without_golden_files_is_the_exit_code_2(run, telegrams):
    for file in (telegrams / "golden").iterdir():
        file.unlink()
    answer = run("test", telegrams)
    assert (answer.exit_code, "has no golden files" in answer.stderr) == (2, True)


def test_without_target_each_folder_is_tested_once(run, settings, folder):
    values = yaml.safe_load((folder.root / "providers/savings.yaml").read_text())
    folder.write("providers/sister.yaml", yaml.safe_dump(values | {"org_code": "ZBAC000002", "name": "sister"}))
    answer = run("test", "-c", settings)
    assert (answer.exit_code, answer.output.splitlines()[-1]) == (0, "16 golden files, 0 failed")


def test_an_unknown_institution_is_named(run, settings):
    answer = run("test", "ZBAC000009", "-c", settings)
    assert (answer.exit_code, "no institution of" in answer.stderr) == (2, True)


def test_settings_that_cannot_be_read_are_named(run, tmp_path):
    answer = run("test", "-c", tmp_path / "none.yaml")
    assert (answer.exit_code, "none.yaml" in answer.stderr) == (2, True)
