import base64

from relay.sandbox.customers import CUSTOMER_BY_CI, ci_of
from relay.sandbox.world.model import CUSTOMERS


def test_each_customer_has_a_ci_in_the_real_format():
    for customer in CUSTOMERS:
        assert len(ci_of(customer)) == 88
        assert len(base64.b64decode(ci_of(customer), validate=True)) == 64
        assert CUSTOMER_BY_CI[ci_of(customer)] is customer


def test_a_ci_never_changes():
    assert ci_of(CUSTOMERS[0]).startswith("iXvynMsB")
