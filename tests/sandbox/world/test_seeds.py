"""Seeds of customers give the random numbers of their requests."""

from mydata_sandbox.world.model import CUSTOMERS
from mydata_sandbox.world.seeds import CustomerSeed, build_seed


def test_a_seed_depends_on_the_customer_only(build_client):
    data_request = build_client("card", CUSTOMERS[1]).build_request("카드-001", limit="3")
    assert build_seed(data_request) == CustomerSeed("card", 2)
    assert build_seed(data_request).build_random("a", 1).random() == data_request.build_random("a", 1).random()
