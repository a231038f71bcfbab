import base64

from mydata_sandbox.world.ci import CUSTOMER_BY_CI, get_ci
from mydata_sandbox.world.model import CUSTOMERS


def test_each_customer_has_a_ci_in_the_real_format():
    for customer in CUSTOMERS:
        assert len(get_ci(customer)) == 88
        assert len(base64.b64decode(get_ci(customer), validate=True)) == 64
        assert CUSTOMER_BY_CI[get_ci(customer)] is customer


def test_a_ci_never_changes():
    assert get_ci(CUSTOMERS[0]).startswith("iXvynMsB")
