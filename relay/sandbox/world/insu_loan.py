"""What the insurer lent, on policies and on houses (보험-008..011)."""

from typing import Any, Final

from relay.sandbox.world.days import at, newest_first, window
from relay.sandbox.world.insu_policies import loans
from relay.sandbox.world.lending import Instalment, Interest, Loan, balance_on, next_due, paid_by
from relay.sandbox.world.model import Ask, Story
from relay.sandbox.world.owned import the_one

ACTIVE: Final = "01"
PAID_AT: Final = 7 * 3600


def loan_list(ask: Ask) -> dict[str, Any]:
    """보험-008: the loans."""
    listed = [
        {
            "prod_name": loan.product,
            "account_num": loan.number,
            "is_consent": True,
            "account_type": loan.account_type,
            "account_status": ACTIVE,
        }
        for loan in loans(ask)
    ]
    return {"loan_list": listed}


def basics(ask: Ask) -> dict[str, Any]:
    """보험-009: the contract; a policy loan (3400) names the policy it is lent on."""
    loan = _asked(ask)
    return {
        "loan_start_date": loan.opened,
        "loan_exp_date": loan.matures(ask.today),
        "repay_method": loan.method,
        "insu_num": loan.policy,
    }


def details(ask: Ask) -> dict[str, Any]:
    """보험-010: what is owed today."""
    loan = _asked(ask)
    return {
        "balance_amt": balance_on(ask, loan, ask.today),
        "loan_principal": loan.principal,
        "next_repay_date": next_due(loan, ask.today),
    }


def transactions(ask: Ask) -> dict[str, Any]:
    """보험-011: the instalments."""
    _, last = window(ask)
    return {"trans_list": newest_first(ask, (_repaid(paid) for paid in paid_by(ask, _asked(ask), last)))}


def _asked(ask: Ask) -> Loan:
    return the_one(loans(ask), lambda loan: loan.number == ask.params.get("account_num"))


def _repaid(paid: Instalment) -> dict[str, Any]:
    return {
        "trans_no": str(paid.turn),
        "trans_dtime": at(paid.paid, PAID_AT),
        "loan_paid_amt": paid.principal,
        "int_paid_amt": paid.interest_amount,
        "int_list": [_interest(part) for part in paid.interest],
    }


def _interest(part: Interest) -> dict[str, Any]:
    return {
        "int_start_date": part.first,
        "int_end_date": part.last,
        "int_rate": part.rate,
        "int_type": "02" if part.late else "01",
    }


STORIES: Final[dict[str, Story]] = {
    "보험-008": loan_list,
    "보험-009": basics,
    "보험-010": details,
    "보험-011": transactions,
}
