"""The parties of a sandbox: codes and names of institutions, operators, certifiers, portal and relay."""

from dataclasses import dataclass
from typing import Final

LOOPBACK: Final = "127.0.0.1"
LOOPBACK_ADDRESSES: Final = (LOOPBACK, "::1")
RELAY_CODE: Final = "ZRLA000001"
RELAY_NAME: Final = "가상중계센터"
PORTAL_CODE: Final = "ZPTL000001"
PORTAL_NAME: Final = "가상종합포털"
IDENTITY_CERTIFIER: Final = "ZCAA000001"
"""기관코드 of the simulated 인증서 본인확인기관 (org_type 05)."""

SIGNATURE_CERTIFIER: Final = "ZCAA000002"
"""기관코드 of the simulated 전자서명인증사업자 (org_type 06)."""

CERTIFIER_NAMES: Final = {IDENTITY_CERTIFIER: "가상공동인증", SIGNATURE_CERTIFIER: "가상사설인증"}
INSTITUTIONS: Final = {
    "bank": ("ZBAA000001", "가온상호저축은행"),
    "card": ("ZCDA000001", "나루카드"),
    "invest": ("ZINA000001", "다솜투자증권"),
    "insu": ("ZISA000001", "라온생명손해보험"),
    "efin": ("ZEFA000001", "마루페이"),
    "capital": ("ZCPA000001", "바른길캐피탈"),
    "ginsu": ("ZGIA000001", "새벽보증보험"),
    "telecom": ("ZTEA000001", "아라텔레콤"),
    "p2p": ("ZPPA000001", "자람온라인투자"),
    "bond": ("ZBDA000001", "채움자산관리"),
    "usury": ("ZUSA000001", "한결대부"),
}
"""Code and name of the institution of each industry. They have the APIs of the standard."""


@dataclass(frozen=True, slots=True)
class MediatedParty:
    """An institution without the APIs of the standard: the adapter of the relay converts its calls.

    `speaks` is that of its file. `serial_num` is its number at the portal. `left_out` are api_codes of the APIs of its
    industry that it does not offer.
    """

    org_code: str
    name: str
    industry: str
    speaks: str
    serial_num: str
    left_out: tuple[str, ...] = ()


_IRP: Final = ("IR01", "IR02", "IR03", "IR04")

MEDIATED: Final = {
    "savings_bank": MediatedParty("ZBAD000001", "여울저축은행", "bank", "telegram", "999-81-05001", _IRP),
    "life_insurer": MediatedParty("ZISD000001", "솔바람생명", "insu", "json", "999-81-05002", _IRP),
}
"""Mediated institutions by their name in the facts and in `environment.institutions`, after those of the industries."""

MEDIATED_BY_CODE: Final = {party.org_code: party for party in MEDIATED.values()}
DESCRIPTIONS: Final = {"telegram": "telegrams (전문)", "json": "JSON of its own"}
"""What mediated institutions speak, for people."""

OPERATORS: Final = (
    ("ZOPA000001", "모아보기마이데이터", (("ZOPA000001SVC01", "모아보기"), ("ZOPA000001SVC02", "모아보기 가계부"))),
    ("ZOPA000002", "한눈에마이데이터", (("ZOPA000002SVC01", "한눈에"),)),
)
"""Code, name and services (client_id, name) of each operator."""

APP_SCHEME: Final = "moabogi"
"""The app scheme of all services."""
