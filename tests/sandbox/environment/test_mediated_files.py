"""Files of institutions that the relay's adapter serves."""

from datetime import UTC, datetime

import pytest
from mydata_sandbox.parties import MEDIATED

from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.key_files import find_file_problems


def test_mediated_institutions_are_set_up_by_files_alone(built):
    loaded = load_settings(built.settings, {})
    assert find_file_problems(built.settings, loaded, datetime.now(UTC)) == []
    providers = {provider.org_code: provider for provider in loaded.providers}
    for name, party in MEDIATED.items():
        provider = providers[party.org_code]
        assert (provider.speaks, provider.industry, provider.needs_adapter) == (party.speaks, party.industry, True)
        assert provider.apis.left_out == set(party.left_out)
        assert built.institutions[name].org_code == party.org_code


def test_the_savings_bank_has_a_layout_for_each_api(built):
    folder = built.folder / "providers" / "savings_bank" / "telegrams"
    assert len(list(folder.glob("BA*.yaml"))) == 10
    assert (folder / "link.yaml").exists()


def test_the_insurer_has_a_file_for_each_api(built):
    folder = built.folder / "providers" / "life_insurer" / "json"
    assert len(list(folder.glob("IS*.yaml"))) == 12
    assert (folder / "link.yaml").exists()


@pytest.mark.parametrize("name", MEDIATED)
def test_the_address_of_a_core_is_its_socket(built, name):
    institution = built.institutions[name]
    assert institution.port == institution.listener.getsockname()[1]
