"""Checks that only relay/domain/korea.py knows Korea's time zone."""

import re

OWNER = "relay/domain/korea.py"
ZONE = re.compile(r"timezone\(|ZoneInfo|\+09:?00|\b9 \* (?:60|3600)\b|\b32_?400\b")


def test_no_other_module_builds_a_korean_time_zone(relay):
    wrong = [str(path) for path in relay if str(path) != OWNER and ZONE.search(path.read_text())]
    assert wrong == [], f"use {OWNER} in: {', '.join(wrong)}"


def test_the_check_finds_the_zone_in_its_owner(relay):
    assert [path for path in relay if str(path) == OWNER and ZONE.search(path.read_text())]
