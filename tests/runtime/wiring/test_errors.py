"""The errors of settings."""

import pytest

from relay.runtime.settings.loading import SettingsError, load_settings
from relay.runtime.wiring.errors import SETTINGS_ERRORS


def test_settings_that_cannot_be_read_raise_one_of_them(tmp_path):
    with pytest.raises(SETTINGS_ERRORS):
        load_settings(tmp_path / "relay.yaml", {})


def test_they_are_exceptions_and_each_stands_once():
    assert SettingsError in SETTINGS_ERRORS
    assert len(set(SETTINGS_ERRORS)) == len(SETTINGS_ERRORS)
