"""The adapter's state: lines are built without use, and kept where nothing changed."""

import base64
import shutil

import pytest
from fixtures.json_core import FILES as EXAMPLE
from fixtures.telegram_core import TELEGRAMS

from relay.policy.mediation.paging.seal import Position
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.adapter import prepare_adapter_state
from relay.runtime.wiring.errors import SETTINGS_ERRORS

SAVINGS = "ZBAC000001"
FILE = f"""
org_code: {SAVINGS}
name: Savings
industry: bank
speaks: telegram
link: leased_line
apis: {{left_out: [IR01, IR02, IR03, IR04]}}
timeouts: {{first_byte_s: 8}}
core: {{addresses: ["127.0.0.1:1"]}}
"""


@pytest.fixture
def folder(folder):
    """Settings with a bank of the standard and one that speaks telegrams."""
    folder.write("providers/savings.yaml", FILE)
    shutil.copytree(TELEGRAMS, folder.root / "providers/savings/telegrams")
    folder.write("certs/customers.key", base64.b64encode(bytes(32)))
    return folder


def prepare(folder, current=None):
    return prepare_adapter_state(load_settings(folder.path, {}), current)


def test_only_institutions_that_speak_telegrams_have_lines(folder):
    state = prepare(folder)
    assert list(state.lines) == list(state.plan.institutions) == [SAVINGS]
    institution = state.plan.institutions[SAVINGS]
    assert (institution.core, len(institution.conversions)) == (state.lines[SAVINGS][1], 10)
    assert institution.total_s == pytest.approx(7.6)
    assert state.find_new_cores(None) == [state.lines[SAVINGS][1]]


def test_unchanged_institutions_keep_their_lines(folder):
    first = prepare(folder)
    folder.put("providers/savings.yaml", "concurrency", 9)
    second = prepare(folder, first)
    assert second.find_new_cores(first) == []


@pytest.mark.parametrize("change", [("core.lines", 3), ("core.addresses", ["127.0.0.1:2"]), ("timeouts.connect_s", 1)])
def test_changed_lines_are_replaced(folder, change):
    first = prepare(folder)
    folder.put("providers/savings.yaml", *change)
    second = prepare(folder, first)
    assert second.find_new_cores(first) == [second.lines[SAVINGS][1]]
    assert first.find_new_cores(second) == [first.lines[SAVINGS][1]]


def test_lines_depend_on_the_header_and_not_on_apis(folder):
    first = prepare(folder)
    api = folder.root / "providers/savings/telegrams/BA22.yaml"
    api.write_text(api.read_text().replace("code: A022", "code: B022"))
    second = prepare(folder, first)
    assert second.find_new_cores(first) == []
    assert second.plan.institutions[SAVINGS].conversions["BA22"].code == "B022"
    link = folder.root / "providers/savings/telegrams/link.yaml"
    link.write_text(link.read_text().replace("= 099", "= 098"))
    third = prepare(folder, second)
    assert third.find_new_cores(second) == [third.lines[SAVINGS][1]]


def test_a_missing_customer_key_is_an_error_of_the_settings(folder):
    (folder.root / "certs/customers.key").unlink()
    with pytest.raises(SETTINGS_ERRORS, match=r"customer_keys\[0\]\.key"):
        prepare(folder)


def test_all_adapters_open_the_cursors_of_each_other(folder):
    first, second = prepare(folder), prepare(folder)
    assert second.plan.seal.open(first.plan.seal.seal(Position(("k",), 2), b"b"), b"b") == Position(("k",), 2)


INSURER = "ZISC000001"
OWN_JSON = f"""
org_code: {INSURER}
name: Insurer
industry: insu
speaks: json
link: leased_line
apis: {{left_out: [IR01, IR02, IR03, IR04]}}
base_urls: ["http://127.0.0.1:1"]
json_apis: {EXAMPLE}
"""


@pytest.fixture
def json_folder(folder):
    """The same settings with an insurer that speaks JSON of its own."""
    folder.write("providers/insurer.yaml", OWN_JSON)
    return folder


def test_institutions_that_speak_json_have_servers(json_folder):
    state = prepare(json_folder)
    institution = state.plan.institutions[INSURER]
    assert (institution.core, len(institution.conversions)) == (state.servers[INSURER][1], 12)
    assert state.find_new_cores(None) == [state.lines[SAVINGS][1], state.servers[INSURER][1]]
    assert state.loaded.needs_adapter


@pytest.mark.parametrize(
    ("change", "is_new"),
    [(("concurrency", 9), True), (("base_urls", ["http://127.0.0.1:2"]), True), (("name", "Other"), False)],
)
def test_servers_are_replaced_when_their_settings_change(json_folder, change, is_new):
    first = prepare(json_folder)
    json_folder.put("providers/insurer.yaml", *change)
    second = prepare(json_folder, first)
    assert second.find_new_cores(first) == ([second.servers[INSURER][1]] if is_new else [])
