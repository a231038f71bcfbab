import base64

from relay.sandbox.customers import CUSTOMER_BY_CI, ci_of
from relay.sandbox.world.model import CUSTOMERS


def test_each_customer_has_a_ci_of_the_real_shape():
    for customer in CUSTOMERS:
        assert len(ci_of(customer)) == 88
        assert len(base64.b64decode(ci_of(customer), validate=True)) == 64
        assert CUSTOMER_BY_CI[ci_of(customer)] is customer


def test_a_ci_stays_the_same_for_ever():
    assert ci_of(CUSTOMERS[0]).startswith("iXvynMsB")
