"""Choices of the consent page: initial values, reading of the form, validation (규격 3.2.1, 6.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from relay.domain.authorization.consent import Asset, Particulars, Target
from relay.oauth.pages.questions import LABELS, Question, Section
from relay.policy.call.period import subtract_months
from relay.policy.consent.demand import UNTIL_WITHDRAWN
from relay.policy.consent.particulars import LIST_ONLY_DAYS, MAX_CONSENT_MONTHS, SCHEDULED_CYCLE

PURPOSES: Final = (
    "본인신용정보 통합조회 서비스 이용",
    "자산·소비 내역 분석 서비스 이용",
    "맞춤형 금융상품 안내 서비스 이용",
)
PERIODS: Final[Mapping[str, str]] = {
    "withdrawn": "동의를 철회하거나 삭제를 요구할 때까지",
    "end": "전송요구 종료일까지",
}
"""보유기간: 99991231, or the end date of the consent."""

WHICH: Final[Mapping[str, str]] = {
    "all": "모두 보내기 (앞으로 추가되는 자산 포함)",
    "ticked": "선택한 것만 보내기",
}
"""Options of the question that the page asks when "all" of a scope is ticked together with some of its assets."""

YES_NO: Final[Mapping[str, bool]] = {"yes": True, "no": False}
Form = Mapping[str, tuple[str, ...]]
"""A submitted form: all values of each name."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The state of the form. `whole_scopes` are scopes with "all" ticked, `ticked` the (scope, key) of ticked assets.

    Texts are as in the form: "yes", "no", "" for no choice, dates YYYY-MM-DD.
    """

    whole_scopes: frozenset[str] = frozenset()
    ticked: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)
    is_scheduled: str = ""
    end_date: str = ""
    purpose: str = ""
    period: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)

    @property
    def end_day(self) -> date | None:
        """Returns the end date; None when it is not valid."""
        return _parse_date(self.end_date)


@dataclass(frozen=True, slots=True)
class ConsentPage:
    """The offer of the page on the Korean date `today`. `former` are the particulars of the consent in force."""

    sections: tuple[Section, ...]
    questions: tuple[Question, ...]
    today: date
    former: Particulars | None = field(default=None, repr=False)

    @property
    def former_whole_scopes(self) -> frozenset[str]:
        """Returns the scopes that the consent in force grants as a whole. All their assets are shown ticked."""
        targets = self.former.targets if self.former else ()
        return frozenset(target.scope for target in targets if target.assets is None)

    @property
    def last_day(self) -> date:
        """Returns the latest end date: a year ahead, or a week for a consent to lists alone (규격 2.2)."""
        return (
            subtract_months(self.today, -MAX_CONSENT_MONTHS)
            if self.sections
            else self.today + timedelta(LIST_ONLY_DAYS)
        )


def initial_choices(page: ConsentPage) -> Choices:
    """Returns the choices of the consent in force, or only the default end date, purpose and period.

    The end date is always a new one, because a renewed consent should continue. A scope that is granted as a whole is
    shown with each asset ticked. A flag that the consent lacks is shown as "no", which is its meaning.
    """
    former = page.former
    if former is None:
        unanswered = {question.name: "" for question in page.questions}
        return Choices(end_date=page.last_day.isoformat(), purpose=PURPOSES[0], period="withdrawn", answers=unanswered)
    targets = {target.scope: target for target in former.targets}
    return Choices(
        whole_scopes=frozenset(section.scope for section in page.sections if section.scope in page.former_whole_scopes),
        ticked=frozenset(
            (section.scope, row.key)
            for section in page.sections
            for row in section.rows
            if section.scope in targets and _includes(targets[section.scope], row.asset)
        ),
        is_scheduled=_yes_no(former.is_scheduled),
        end_date=page.last_day.isoformat(),
        purpose=former.purpose if former.purpose in PURPOSES else PURPOSES[0],
        period="withdrawn" if former.period == UNTIL_WITHDRAWN else "end",
        answers={question.name: _yes_no(getattr(former, question.name) or False) for question in page.questions},
    )


def read_choices(page: ConsentPage, form: Form) -> Choices:
    """Returns the submitted choices without values that the page does not offer, or that are repeated.

    The answer to "all or only the ticked ones" decides where the page asked it.
    """
    which = {section.scope: _read_single(form, f"which.{section.scope}", WHICH) for section in page.sections}
    return Choices(
        whole_scopes=frozenset(
            scope
            for scope, answer in which.items()
            if answer == "all" or (not answer and _read_single(form, f"all.{scope}") == "yes")
        ),
        ticked=frozenset(
            (section.scope, row.key)
            for section in page.sections
            for row in section.rows
            if which[section.scope] == "all" or row.key in form.get(f"asset.{section.scope}", ())
        ),
        is_scheduled=_read_single(form, "is_scheduled", YES_NO),
        end_date=_read_single(form, "end_date"),
        purpose=_read_single(form, "purpose", PURPOSES),
        period=_read_single(form, "period", PERIODS),
        answers={question.name: _read_single(form, question.name, YES_NO) for question in page.questions},
    )


def find_contradictions(page: ConsentPage, choices: Choices) -> frozenset[str]:
    """Returns the scopes with "all" ticked together with some, but not all, of their assets.

    If the consent in force grants the scope as a whole, all assets were shown ticked. Then no ticked asset contradicts
    "all", too: the customer has unticked each of them.
    """
    return frozenset(
        section.scope
        for section in page.sections
        if section.rows
        and section.scope in choices.whole_scopes
        and _are_mixed(sum((section.scope, row.key) in choices.ticked for row in section.rows), section, page)
    )


def _are_mixed(ticked: int, section: Section, page: ConsentPage) -> bool:
    return ticked < len(section.rows) and (ticked > 0 or section.scope in page.former_whole_scopes)


def find_mistakes(page: ConsentPage, choices: Choices) -> dict[str, str]:
    """Returns messages about fields to correct, by field id, in page order."""
    mistakes = {}
    if page.sections and not (choices.whole_scopes or choices.ticked):
        mistakes["assets"] = "보낼 자산을 하나 이상 선택해 주세요."
    contradictions = find_contradictions(page, choices)
    mistakes |= {
        f"which.{section.scope}": f"‘{section.label}’에서 모두 보낼지, 선택한 것만 보낼지 정해 주세요."
        for section in page.sections
        if section.scope in contradictions
    }
    mistakes |= {
        question.name: f"‘{question.text}’에 예 또는 아니요로 답해 주세요."
        for question in page.questions
        if not choices.answers[question.name]
    }
    if not choices.is_scheduled:
        mistakes["is_scheduled"] = "정기적 전송을 할지 선택해 주세요."
    if choices.end_day is None or not page.today <= choices.end_day <= page.last_day:
        mistakes["end_date"] = (
            f"종료일은 {page.today:%Y-%m-%d}부터 {page.last_day:%Y-%m-%d}까지의 날짜로 입력해 주세요."
        )
    if not choices.purpose:
        mistakes["purpose"] = "전송 목적을 선택해 주세요."
    if not choices.period:
        mistakes["period"] = "보유 기간을 선택해 주세요."
    return mistakes


def build_particulars(page: ConsentPage, choices: Choices) -> Particulars:
    """Returns the particulars of valid choices, without the list scope. Raises ValueError for choices with mistakes."""
    end_day = choices.end_day
    if end_day is None or find_mistakes(page, choices):
        raise ValueError("choices with mistakes are no consent")
    cycle = SCHEDULED_CYCLE if YES_NO[choices.is_scheduled] else ""
    answers = {name: YES_NO[answer] for name, answer in choices.answers.items()}
    return Particulars(
        is_scheduled=YES_NO[choices.is_scheduled],
        end_date=end_day,
        purpose=choices.purpose,
        period=UNTIL_WITHDRAWN if choices.period == "withdrawn" else end_day,
        targets=_build_targets(page.sections, choices),
        fnd_cycle=cycle,
        add_cycle=cycle,
        is_consent_trans_memo=answers.get("is_consent_trans_memo"),
        is_consent_merchant_name_regno=answers.get("is_consent_merchant_name_regno"),
        is_consent_trans_category=answers.get("is_consent_trans_category"),
    )


def _build_targets(sections: Sequence[Section], choices: Choices) -> tuple[Target, ...]:
    chosen: dict[str, list[Asset]] = {}
    for section in sections:
        for row in section.rows:
            if section.scope in choices.whole_scopes or (section.scope, row.key) in choices.ticked:
                for scope in row.scopes:
                    chosen.setdefault(scope, []).append(row.asset)
    scopes = [scope for scope in LABELS if scope in choices.whole_scopes or scope in chosen]
    return tuple(Target(scope, None if scope in choices.whole_scopes else tuple(chosen[scope])) for scope in scopes)


def _includes(target: Target, asset: Asset) -> bool:
    return target.assets is None or asset in target.assets


def _read_single(form: Form, name: str, allowed: Sequence[str] | Mapping[str, object] | None = None) -> str:
    values = form.get(name, ())
    if len(values) != 1 or (allowed is not None and values[0] not in allowed):
        return ""
    return values[0]


def _yes_no(answer: bool) -> str:
    return "yes" if answer else "no"


def _parse_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
