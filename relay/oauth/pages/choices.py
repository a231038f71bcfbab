"""What a customer chooses on the consent page: shown, read back, judged (규격 3.2.1, 6.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from relay.domain.authorization.consent import KOREA, Asset, Particulars, Target
from relay.oauth.pages.questions import LABELS, Question, Section
from relay.policy.call.period import months_before
from relay.policy.consent.demand import UNTIL_WITHDRAWN
from relay.policy.consent.particulars import CYCLE, LIST_ONLY_DAYS, MONTHS_MOST

PURPOSES: Final = (
    "본인신용정보 통합조회 서비스 이용",
    "자산·소비 내역 분석 서비스 이용",
    "맞춤형 금융상품 안내 서비스 이용",
)
PERIODS: Final[Mapping[str, str]] = {
    "withdrawn": "동의를 철회하거나 삭제를 요구할 때까지",
    "end": "전송요구 종료일까지",
}
"""보유기간: 99991231, or the consent's last day."""

WHICH: Final[Mapping[str, str]] = {
    "all": "모두 보내기 (앞으로 생기는 것 포함)",
    "ticked": "선택한 것만 보내기",
}
"""What the page asks when "all" of a scope is ticked together with some of its assets."""

YES_NO: Final[Mapping[str, bool]] = {"yes": True, "no": False}
Form = Mapping[str, tuple[str, ...]]
"""A submitted form: every value by its name."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The form as it stands: `everything` are scopes ticked whole, `ticked` (scope, key) of single assets.

    Texts are as the form writes them: "yes", "no" or "" where nothing is chosen, dates YYYY-MM-DD.
    """

    everything: frozenset[str] = frozenset()
    ticked: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)
    is_scheduled: str = ""
    end_date: str = ""
    purpose: str = ""
    period: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ends(self) -> date | None:
        """The end date; None when it is none."""
        return _day(self.end_date)


@dataclass(frozen=True, slots=True)
class Page:
    """What the page offers on the day `today` in Korea. `former` are the particulars of the consent in force."""

    sections: tuple[Section, ...]
    questions: tuple[Question, ...]
    today: date
    former: Particulars | None = field(default=None, repr=False)

    @property
    def whole(self) -> frozenset[str]:
        """The scopes that the consent in force opens whole: their assets are shown ticked, every one."""
        targets = self.former.targets if self.former else ()
        return frozenset(target.scope for target in targets if target.assets is None)

    @property
    def last_day(self) -> date:
        """A consent lasts a year at most, a week when there is nothing but the list (규격 2.2)."""
        return months_before(self.today, -MONTHS_MOST) if self.sections else self.today + timedelta(LIST_ONLY_DAYS)


def day_in_korea(now: float) -> date:
    """The day on which the moment `now` (epoch seconds) falls in Korea."""
    return datetime.fromtimestamp(now, KOREA).date()


def first_choices(page: Page) -> Choices:
    """What the page shows at first: what is in force, or nothing but the usual end, purpose and period.

    The end date is always a new one: whoever consents again wants it to go on. A scope that is open as a whole is shown
    with each asset ticked, and a flag that the consent does not tell as a no, because that is what it counts as.
    """
    former = page.former
    if former is None:
        unanswered = {asked.name: "" for asked in page.questions}
        return Choices(end_date=page.last_day.isoformat(), purpose=PURPOSES[0], period="withdrawn", answers=unanswered)
    targets = {target.scope: target for target in former.targets}
    return Choices(
        everything=frozenset(section.scope for section in page.sections if section.scope in page.whole),
        ticked=frozenset(
            (section.scope, row.key)
            for section in page.sections
            for row in section.rows
            if section.scope in targets and _covers(targets[section.scope], row.asset)
        ),
        is_scheduled=_word(former.is_scheduled),
        end_date=page.last_day.isoformat(),
        purpose=former.purpose if former.purpose in PURPOSES else PURPOSES[0],
        period="withdrawn" if former.period == UNTIL_WITHDRAWN else "end",
        answers={asked.name: _word(getattr(former, asked.name) or False) for asked in page.questions},
    )


def submitted(page: Page, form: Form) -> Choices:
    """What was submitted; what the page does not offer, or stands twice, is not there.

    Where the page asked whether all or only the ticked assets are meant, that answer counts.
    """
    which = {section.scope: _one(form, f"which.{section.scope}", WHICH) for section in page.sections}
    return Choices(
        everything=frozenset(
            scope
            for scope, meant in which.items()
            if meant == "all" or (not meant and _one(form, f"all.{scope}") == "yes")
        ),
        ticked=frozenset(
            (section.scope, row.key)
            for section in page.sections
            for row in section.rows
            if which[section.scope] == "all" or row.key in form.get(f"asset.{section.scope}", ())
        ),
        is_scheduled=_one(form, "is_scheduled", YES_NO),
        end_date=_one(form, "end_date"),
        purpose=_one(form, "purpose", PURPOSES),
        period=_one(form, "period", PERIODS),
        answers={asked.name: _one(form, asked.name, YES_NO) for asked in page.questions},
    )


def contradictions_in(page: Page, choices: Choices) -> frozenset[str]:
    """The scopes of which "all" is ticked, and some assets but not each.

    Where every asset was shown ticked because the consent in force opens the scope whole, none ticked is one, too: the
    customer has taken each of them away and left "all".
    """
    return frozenset(
        section.scope
        for section in page.sections
        if section.rows
        and section.scope in choices.everything
        and _are_mixed(sum((section.scope, row.key) in choices.ticked for row in section.rows), section, page)
    )


def _are_mixed(ticked: int, section: Section, page: Page) -> bool:
    return ticked < len(section.rows) and (ticked > 0 or section.scope in page.whole)


def mistakes_in(page: Page, choices: Choices) -> dict[str, str]:
    """What the customer has to mend, by the id of the field, in the order of the page."""
    mistakes = {}
    if page.sections and not (choices.everything or choices.ticked):
        mistakes["assets"] = "보낼 자산을 하나 이상 선택해 주세요."
    contradictions = contradictions_in(page, choices)
    mistakes |= {
        f"which.{section.scope}": f"‘{section.label}’에서 모두 보낼지, 선택한 것만 보낼지 골라 주세요."
        for section in page.sections
        if section.scope in contradictions
    }
    mistakes |= {
        asked.name: f"‘{asked.words}’에 예 또는 아니요로 답해 주세요."
        for asked in page.questions
        if not choices.answers[asked.name]
    }
    if not choices.is_scheduled:
        mistakes["is_scheduled"] = "정기적 전송을 할지 선택해 주세요."
    if choices.ends is None or not page.today <= choices.ends <= page.last_day:
        mistakes["end_date"] = f"종료일은 {page.today:%Y-%m-%d}부터 {page.last_day:%Y-%m-%d}까지 중에서 입력해 주세요."
    if not choices.purpose:
        mistakes["purpose"] = "전송 목적을 선택해 주세요."
    if not choices.period:
        mistakes["period"] = "보유 기간을 선택해 주세요."
    return mistakes


def particulars_of(page: Page, choices: Choices) -> Particulars:
    """What `choices` without mistakes consent to, but for the list scope. Raises ValueError when there are some."""
    ends = choices.ends
    if ends is None or mistakes_in(page, choices):
        raise ValueError("choices with mistakes are no consent")
    cycle = CYCLE if YES_NO[choices.is_scheduled] else ""
    answers = {name: YES_NO[answer] for name, answer in choices.answers.items()}
    return Particulars(
        is_scheduled=YES_NO[choices.is_scheduled],
        end_date=ends,
        purpose=choices.purpose,
        period=UNTIL_WITHDRAWN if choices.period == "withdrawn" else ends,
        targets=_targets(page.sections, choices),
        fnd_cycle=cycle,
        add_cycle=cycle,
        is_consent_trans_memo=answers.get("is_consent_trans_memo"),
        is_consent_merchant_name_regno=answers.get("is_consent_merchant_name_regno"),
        is_consent_trans_category=answers.get("is_consent_trans_category"),
    )


def _targets(sections: Sequence[Section], choices: Choices) -> tuple[Target, ...]:
    chosen: dict[str, list[Asset]] = {}
    for section in sections:
        for row in section.rows:
            if section.scope in choices.everything or (section.scope, row.key) in choices.ticked:
                for scope in row.scopes:
                    chosen.setdefault(scope, []).append(row.asset)
    scopes = [scope for scope in LABELS if scope in choices.everything or scope in chosen]
    return tuple(Target(scope, None if scope in choices.everything else tuple(chosen[scope])) for scope in scopes)


def _covers(target: Target, asset: Asset) -> bool:
    return target.assets is None or asset in target.assets


def _one(form: Form, name: str, allowed: Sequence[str] | Mapping[str, object] | None = None) -> str:
    values = form.get(name, ())
    if len(values) != 1 or (allowed is not None and values[0] not in allowed):
        return ""
    return values[0]


def _word(answer: bool) -> str:
    return "yes" if answer else "no"


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
