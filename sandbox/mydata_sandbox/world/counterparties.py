"""Counterparties of transactions: merchants, banks and a card company. All of them are fictitious."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from mydata_sandbox.world.model import DataRequest
from mydata_sandbox.world.months import to_datetime


@dataclass(frozen=True, slots=True)
class Merchant:
    """A merchant: `kind` is its category in the standard; prices are `min_price` to `max_price` in steps of `step`."""

    name: str
    regno: str
    kind: str
    min_price: int
    max_price: int
    step: int
    opens: int
    closes: int
    goods: tuple[str, ...]

    @property
    def pay_method(self) -> str:
        """01 for an online merchant (it never closes), 02 for the others."""
        return "01" if self.closes - self.opens == _ROUND_THE_CLOCK else "02"


_ROUND_THE_CLOCK: Final = 24

# name, business number, class, least, most, step, opens, closes, goods
MERCHANTS: Final = tuple(
    Merchant(*row)
    for row in (
        ("새벽빵집 연남점", "101-11-20481", "K1", 3200, 18600, 100, 7, 21, ("소금빵과 우유", "식빵 두 봉")),
        ("골목커피 합정점", "101-12-30517", "K1", 2500, 14500, 100, 7, 22, ("아메리카노", "카페라떼 두 잔")),
        ("다올분식", "105-13-41226", "K1", 4000, 21000, 500, 10, 21, ("떡볶이와 김밥", "라볶이 세트")),
        ("한그릇국밥 본점", "110-14-52939", "K1", 8000, 36000, 500, 9, 23, ("돼지국밥", "수육 한 접시")),
        ("초록장터 망원점", "105-15-63648", "G1", 5400, 87300, 10, 9, 22, ("장보기", "과일과 채소")),
        ("모퉁이편의점 7호", "113-16-74351", "G1", 1200, 23800, 100, 0, 23, ("생수와 도시락", "간식거리")),
        ("바다수산시장", "114-17-85062", "G1", 12000, 94000, 500, 6, 19, ("고등어 두 손", "모둠회")),
        ("두루택시", "120-18-96775", "I1", 4800, 34600, 100, 5, 23, ("택시 이용",)),
        ("바람길고속버스", "120-19-17484", "I1", 9200, 41700, 100, 6, 22, ("고속버스 승차권",)),
        ("참주유소 강변점", "121-20-28197", "I1", 30000, 92000, 1000, 5, 23, ("휘발유",)),
        ("튼튼약국", "123-21-39800", "E1", 2500, 31000, 100, 9, 20, ("감기약", "비타민")),
        ("햇살의원", "124-22-40513", "Z1", 4300, 58700, 100, 9, 18, ("진료비",)),
        ("책마루서점", "126-23-51222", "B1", 9800, 56400, 100, 10, 21, ("소설 한 권", "문제집")),
        ("은하수영화관", "128-24-62935", "J1", 9000, 45000, 1000, 10, 23, ("영화 관람권",)),
        ("온마을몰", "130-25-73644", "H1", 6900, 138000, 100, 0, 24, ("수건 세트", "수납장", "세제 묶음")),
        ("나래옷방", "131-26-84357", "C1", 12900, 189000, 100, 0, 24, ("겨울 외투", "셔츠", "운동화")),
        ("별빛전자", "132-27-95068", "A1", 8900, 249000, 100, 0, 24, ("무선 이어폰", "충전기")),
        ("꼬마나라", "134-28-16771", "F1", 7900, 98000, 100, 0, 24, ("기저귀", "그림책 묶음")),
        ("산들스포츠", "135-29-27480", "D1", 11000, 164000, 1000, 0, 24, ("등산 양말", "요가 매트")),
        ("한입배달", "138-30-38193", "K1", 9900, 48000, 100, 0, 24, ("치킨 한 마리", "짜장면 두 그릇")),
        ("구름음악", "140-31-49806", "L1", 4900, 11900, 1000, 0, 24, ("음악 이용권",)),
        ("놀터게임즈", "141-32-50519", "L1", 1100, 33000, 1100, 0, 24, ("게임 아이템", "정기 이용권")),
    )
)

BIG_TICKET_MERCHANTS: Final = tuple(
    Merchant(*row)
    for row in (
        ("별빛전자 플래그십", "132-27-95068", "A1", 420_000, 1_980_000, 1000, 11, 20, ("노트북", "냉장고")),
        ("포근가구 전시장", "143-33-61228", "H1", 310_000, 1_450_000, 1000, 11, 20, ("식탁", "매트리스")),
        ("너른들여행", "145-34-72931", "I1", 540_000, 2_300_000, 1000, 0, 24, ("제주 가족여행",)),
        ("바른이치과", "146-35-83640", "Z1", 300_000, 1_200_000, 10_000, 9, 18, ("보철 치료",)),
    )
)

ONLINE_MERCHANTS: Final = tuple(merchant for merchant in MERCHANTS if merchant.pay_method == "01")

# Their prices are in yen.
YEN_MERCHANTS: Final = tuple(
    Merchant(*row)
    for row in (
        ("AOZORA RAMEN SHINJUKU", "", "K1", 780, 3200, 10, 11, 22, ("라멘",)),
        ("HOSHI COFFEE UENO", "", "K1", 420, 1800, 10, 8, 21, ("커피",)),
        ("MIDORI DRUG NAMBA", "", "E1", 600, 9800, 10, 10, 22, ("화장품",)),
        ("KAZE RAILWAYS", "", "I1", 180, 5400, 10, 5, 23, ("승차권",)),
    )
)

CARD_COMPANY: Final = "ZGOC0005"
"""The last eight characters of the card company's code."""

BANKS: Final = ("ZDRB0001", "ZGAB0002", "ZHNB0003", "ZMAB0004")
"""The last eight characters of the codes of four banks. None of them is registered."""


def draw_purchase(
    rng: random.Random, day: date, merchants: Sequence[Merchant] = MERCHANTS
) -> tuple[Merchant, datetime, int]:
    """Returns merchant, time within its opening hours, and price of one purchase on `day`."""
    merchant = merchants[int(rng.random() * len(merchants))]
    moment = to_datetime(day, merchant.opens) + timedelta(
        seconds=int(rng.random() * (merchant.closes - merchant.opens) * 3600)
    )
    return (
        merchant,
        moment,
        merchant.min_price
        + int(rng.random() * (merchant.max_price - merchant.min_price)) // merchant.step * merchant.step,
    )


def draw_id(rng: random.Random) -> str:
    """Returns a random identifier of 64 hexadecimal digits."""
    return f"{rng.getrandbits(256):064x}"


def get_own_account(request: DataRequest) -> tuple[str, str]:
    """Returns bank and number of the customer's own account, the same at all institutions."""
    number = request.customer.number
    return BANKS[number % len(BANKS)], f"{1002000000000 + number * 7_919_317_813 % 999_999_999:013d}"


def draw_digits(rng: random.Random, count: int) -> str:
    """Returns `count` digits, the first of them not zero."""
    min_price: int = 10 ** (count - 1)
    return str(min_price + int(rng.random() * 9 * min_price))
