import json
import xml.etree.ElementTree as ET

import pytest
from chart import bars_of, draw, main
from click.testing import CliRunner

RESULT = {
    "at": "2026-11-29T00:00:00+00:00",
    "cases": {
        "get": {"nginx_lua": {"cpu_us": 20.0}, "relay": {"cpu_us": 40.0}},
        "get_1m": {"relay": {"cpu_us": 800.0}},
    },
}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def latest(tmp_path):
    path = tmp_path / "latest.json"
    path.write_text(json.dumps(RESULT))
    return path


def test_each_case_has_its_own_scale():
    bars = list(bars_of(RESULT, ["get", "post", "get_1m"]))
    assert [(bar.case, bar.gateway, bar.share) for bar in bars] == [
        ("get", "relay", 1.0),
        ("get", "nginx_lua", 0.5),
        ("get_1m", "relay", 1.0),
    ]


def test_picture_is_xml_with_a_bar_for_each_gateway():
    root = ET.fromstring(draw(list(bars_of(RESULT, ["get", "get_1m"])), "CPU & calls"))
    widths = [float(bar.get("width")) for bar in root.iter(f"{SVG}rect")]
    assert widths == [560.0, 280.0, 560.0]
    assert root.get("aria-label") == "CPU & calls"
    assert {text.text for text in root.iter(f"{SVG}text")} >= {"relay", "nginx + Lua", "40.0", "20.0", "800.0"}


def test_all_bars_are_within_the_picture():
    root = ET.fromstring(draw(list(bars_of(RESULT, ["get", "get_1m"])), "CPU"))
    height = float(root.get("height"))
    assert max(float(bar.get("y")) + float(bar.get("height")) for bar in root.iter(f"{SVG}rect")) < height


def test_picture_has_colours_for_light_and_dark():
    assert "prefers-color-scheme: dark" in draw(list(bars_of(RESULT, ["get"])), "CPU")


def test_command_writes_the_picture(latest, tmp_path):
    output = tmp_path / "chart.svg"
    result = CliRunner().invoke(main, [str(latest), str(output)])
    assert result.exit_code == 0
    assert output.read_text().startswith("<svg ")


def test_command_writes_the_bars_as_json(latest, tmp_path):
    output = tmp_path / "bars.json"
    assert CliRunner().invoke(main, ["--json", str(latest), str(output), "--case", "get_1m"]).exit_code == 0
    assert json.loads(output.read_text()) == [{"case": "get_1m", "gateway": "relay", "cpu_us": 800.0}]


@pytest.mark.parametrize(("case", "message"), [("nothing", "there is only"), ("post", "no figures of these cases")])
def test_command_refuses_cases_without_figures(latest, tmp_path, case, message):
    result = CliRunner().invoke(main, [str(latest), str(tmp_path / "x.svg"), "--case", case])
    assert result.exit_code != 0
    assert message in result.output
