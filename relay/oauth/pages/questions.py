"""What the consent page asks: assets by scope, and the questions that only some industries have (규격 3.2.1, 6.2)."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from relay.domain.authorization.consent import Asset
from relay.domain.institution import Holding
from relay.policy.consent.particulars import Scopes

LABELS: Final[Mapping[str, str]] = {
    "bank.deposit": "예금·적금 계좌",
    "bank.invest": "투자상품 계좌",
    "bank.loan": "대출 계좌",
    "bank.irp": "개인형 IRP 계좌",
    "bank.prepaid": "선불카드",
    "card.card": "카드와 이용내역",
    "card.point": "카드 포인트",
    "card.bill": "카드 청구·결제 내역",
    "card.loan": "카드 대출",
    "card.prepaid": "선불카드",
    "invest.account": "투자 계좌",
    "invest.irp": "개인형 IRP 계좌",
    "insu.insurance": "보험 계약",
    "insu.loan": "보험 대출",
    "insu.irp": "개인형 IRP 계좌",
    "efin.prepaid": "선불전자지급수단",
    "efin.paid": "간편결제 계정",
    "capital.loan": "대출·리스 계좌",
    "ginsu.insurance": "보증보험 계약",
    "telecom.mgmt": "통신 계약",
    "p2p.lending": "온라인투자연계 대출",
    "bond.bond": "채권",
    "usury.bond": "채권",
}
"""The scopes that a customer chooses among (규격 3.9), in the order of the page; list scopes always come along."""


@dataclass(frozen=True, slots=True)
class Row:
    """One asset to be ticked. `key` stands for it in the form, where no account number need stand.

    `scopes` are all those it belongs to: whoever chooses a minus account chooses it as deposit and as loan (규격 3.9).
    """

    key: str
    scopes: tuple[str, ...]
    label: str = field(repr=False)
    asset: Asset = field(repr=False)


@dataclass(frozen=True, slots=True)
class Section:
    """One scope with the customer's assets under it; none where the scope is wanted or not."""

    scope: str
    label: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A yes or no about what the data hold; `name` is the standard's and the field's of Particulars.

    It arises in `industries`, and elsewhere where one of `scopes` is offered.
    """

    name: str
    words: str
    hint: str
    industries: frozenset[str]
    scopes: frozenset[str] = frozenset()


QUESTIONS: Final = (
    Question(
        "is_consent_trans_memo",
        "거래 메모(적요)도 보낼까요?",
        "거래내역에 적힌 메모에는 다른 사람의 이름이 들어 있을 수 있습니다.",
        frozenset({"bank", "invest", "efin"}),
    ),
    Question(
        "is_consent_merchant_name_regno",
        "가맹점 이름과 사업자등록번호도 보낼까요?",
        "어느 가게에서 결제했는지 알 수 있는 정보입니다.",
        frozenset({"card", "efin", "telecom"}),
        frozenset({"bank.prepaid"}),
    ),
    Question(
        "is_consent_trans_category",
        "상품(서비스) 구분도 보낼까요?",
        "무엇을 샀는지 알 수 있는 정보입니다.",
        frozenset({"efin"}),
    ),
)
"""규격 6.2."""


def sections_of(scopes: Scopes, holdings: Sequence[Holding], request_id: str) -> tuple[Section, ...]:
    """The page's sections: each of an industry's `scopes` under which the customer has something.

    So has everybody under a scope whose calls name no asset. An asset of several scopes stands under its first.
    """
    found = []
    for scope, label in LABELS.items():
        rows = tuple(_row(held, request_id) for held in holdings if held.scopes[:1] == (scope,))
        if scope in scopes and (rows or scopes[scope].asset is None):
            found.append(Section(scope, label, rows))
    return tuple(found)


def questions_of(industry: str, sections: Sequence[Section]) -> tuple[Question, ...]:
    """The questions that arise at an institution of `industry` from what the page offers."""
    offered = {section.scope for section in sections}
    return tuple(asked for asked in QUESTIONS if industry in asked.industries or asked.scopes & offered)


def _row(held: Holding, request_id: str) -> Row:
    named = f"{request_id}\n{held.scopes[0]}\n{held.asset.asset}\n{held.asset.seqno}"
    key = urlsafe_b64encode(hashlib.sha256(named.encode()).digest()[:15]).decode()
    return Row(key, held.scopes, held.label, held.asset)
