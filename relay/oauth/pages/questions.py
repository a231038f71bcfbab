"""Contents of the consent page: assets by scope, and questions that depend on the industry (규격 3.2.1, 6.2)."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from relay.domain.authorization.consent import Asset
from relay.domain.authorization.digest import digest_text
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
"""Names of the scopes that a customer can choose (규격 3.9), in page order. List scopes are always included."""


@dataclass(frozen=True, slots=True)
class AssetRow:
    """An asset with a checkbox. The form identifies it by `key`, so that it holds no account number.

    `scopes` are all scopes of the asset: choosing a minus account chooses it as deposit and as loan (규격 3.9).
    """

    key: str
    scopes: tuple[str, ...]
    label: str = field(repr=False)
    asset: Asset = field(repr=False)


@dataclass(frozen=True, slots=True)
class Section:
    """A scope with the customer's assets. Scopes that can only be chosen as a whole have no rows."""

    scope: str
    label: str
    rows: tuple[AssetRow, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A yes-no question about the contents of the data. `name` is that of the standard and of the Particulars field.

    It is asked in `industries`, and elsewhere if one of `scopes` is offered.
    """

    name: str
    text: str
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
        name="is_consent_merchant_name_regno",
        text="가맹점 이름과 사업자등록번호도 보낼까요?",
        hint="어느 가게에서 결제했는지 알 수 있는 정보입니다.",
        industries=frozenset({"card", "efin", "telecom"}),
        scopes=frozenset({"bank.prepaid"}),
    ),
    Question(
        "is_consent_trans_category",
        "상품(서비스) 구분도 보낼까요?",
        "구매한 상품이나 서비스를 알 수 있는 정보입니다.",
        frozenset({"efin"}),
    ),
)
"""The consent flags of 규격 6.2."""


def build_sections(scopes: Scopes, holdings: Sequence[Holding], request_id: str) -> tuple[Section, ...]:
    """Returns the sections of the page: the industry's `scopes` with assets of the customer.

    Scopes whose calls name no asset are always included. An asset of several scopes is listed under its first.
    """
    sections = []
    for scope, label in LABELS.items():
        rows = tuple(_build_row(holding, request_id) for holding in holdings if holding.scopes[:1] == (scope,))
        if scope in scopes and (rows or scopes[scope].asset is None):
            sections.append(Section(scope, label, rows))
    return tuple(sections)


def select_questions(industry: str, sections: Sequence[Section]) -> tuple[Question, ...]:
    """Returns the questions for an `industry` and the offered sections."""
    offered = {section.scope for section in sections}
    return tuple(question for question in QUESTIONS if industry in question.industries or question.scopes & offered)


def _build_row(holding: Holding, request_id: str) -> AssetRow:
    identity = f"{request_id}\n{holding.scopes[0]}\n{holding.asset.asset}\n{holding.asset.seqno}"
    key = urlsafe_b64encode(digest_text(identity)[:15]).decode()
    return AssetRow(key, holding.scopes, holding.label, holding.asset)
