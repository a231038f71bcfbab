"""Lists of institutions that speak telegrams, from the adapter."""

import itertools

import pytest
from aiohttp import web

from relay.domain.institution import InstitutionError
from relay.infra.institutions.client import HttpInstitutionClient
from relay.policy.settings.core import CoreSettings
from relay.policy.settings.directory import Language, LinkKind, Provider, ProviderApis
from relay.standard.catalogue import load_catalogue

CI = "Q0ktb2YtYS1jdXN0b21lcg=="
ROW = {"is_consent": "true", "account_num": "1", "prod_name": "예금", "account_type": "1001", "account_status": "01"}
LIST = {"rsp_code": "00000", "rsp_msg": "", "account_cnt": "1", "account_list": [ROW]}
APIS = ProviderApis(left_out=frozenset({"IR01", "IR02", "IR03", "IR04"}))
ADAPTED = Provider(
    org_code="ZBAC000001",
    name="core",
    industry="bank",
    speaks=Language.TELEGRAM,
    link=LinkKind.LEASED_LINE,
    apis=APIS,
    core=CoreSettings(addresses=("core:1",)),
)


@pytest.fixture
async def adapter(tmp_path):
    """The path of an adapter that answers account lists, and its requests."""
    requests = []

    async def answer(request):
        requests.append(request)
        is_list = request.path == "/ZBAC000001/v1/bank/accounts"
        return web.json_response(LIST if is_list else {"rsp_code": "40401"}, status=200 if is_list else 404)

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    path = str(tmp_path / "b.sock")
    await web.UnixSite(runner, path).start()
    yield path, requests
    await runner.cleanup()


@pytest.fixture
def open_client():
    """A function that opens a client toward an adapter."""
    numbers = itertools.count(1)

    def build(path):
        return HttpInstitutionClient(
            "ZRLA000001", load_catalogue(), lambda _: None, lambda: f"{next(numbers):014}", path
        )

    return build


async def test_lists_come_from_the_adapter_with_a_consent(adapter, open_client):
    path, requests = adapter
    client = open_client(path)
    try:
        (holding,) = await client.holdings(ADAPTED, CI, "one")
        assert holding.scopes
    finally:
        await client.close()
    (request,) = requests
    assert request.headers["x-user-ci"] == CI
    assert request.headers["x-relay-consent"]
    assert CI not in request.headers["x-relay-consent"]


async def test_without_adapter_there_is_no_list(tmp_path, open_client):
    client = open_client(str(tmp_path / "none.sock"))
    try:
        with pytest.raises(InstitutionError, match="cannot be reached"):
            await client.holdings(ADAPTED, CI, "one")
    finally:
        await client.close()
