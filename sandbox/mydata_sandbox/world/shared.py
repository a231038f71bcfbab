"""The API that all institutions have: the particulars of the transfer request (정보제공-공통-002)."""

from datetime import date
from typing import Any, Final

from mydata_sandbox.world.days import find_next_anniversary
from mydata_sandbox.world.model import DataHandler, DataRequest

UNTIL_WITHDRAWN: Final = date(9999, 12, 31)
ONCE_A_WEEK: Final = "1/w"

# The additional consents by industry. All customers of the sandbox give them.
EXTRA_CONSENTS: Final = {
    "bank": ("is_consent_trans_memo",),
    "card": ("is_consent_merchant_name_regno",),
    "efin": ("is_consent_trans_memo", "is_consent_merchant_name_regno", "is_consent_trans_category"),
    "telecom": ("is_consent_merchant_name_regno",),
}


def build_consent(request: DataRequest) -> dict[str, Any]:
    """Returns 정보제공-공통-002: a scheduled request for a year, renewed on each anniversary of the customer."""
    return {
        "is_scheduled": True,
        "fnd_cycle": ONCE_A_WEEK,
        "add_cycle": ONCE_A_WEEK,
        "end_date": find_next_anniversary(request.customer.since, request.today),
        "purpose": "통합조회 및 자산관리 서비스 이용",
        "period": UNTIL_WITHDRAWN,
        **dict.fromkeys(EXTRA_CONSENTS.get(request.industry, ()), True),
    }


DATA_HANDLERS: Final[dict[str, DataHandler]] = {"정보제공-공통-002": build_consent}
