from mydata_sandbox.world import shared
from mydata_sandbox.world.bank import irp
from mydata_sandbox.world.handlers import DATA_HANDLERS
from mydata_sandbox.world.payments import prepaid

from relay.standard.catalogue import load_catalogue


def test_every_data_api_except_the_api_list_has_a_handler():
    # The provider itself answers the API list, from the catalogue.
    data = {api.api_id for api in load_catalogue().iter_data_apis()}
    assert set(DATA_HANDLERS) == data - {"정보제공-공통-001"}


def test_no_api_has_two_handlers():
    for module in (irp, prepaid, shared):
        assert module.DATA_HANDLERS.items() <= DATA_HANDLERS.items()
