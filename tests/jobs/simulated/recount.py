"""Computes the same figures independently: from single calls, and from the messages that were sent."""

from collections import Counter
from datetime import datetime, timedelta
from functools import cache

from simulated.traffic import KST


def key_of_call(call):
    """Returns the key of a call: week, institution, operator, service, type, day, API, slot."""
    week, day, slot = _when(int(call.ended) // 60)
    kind = "1" if call.kind == "scheduled" else "2"
    return week, call.provider, call.operator, call.client_id, kind, day, call.api_code, slot


@cache
def _when(minute):
    moment = datetime.fromtimestamp(minute * 60, KST)
    sunday = moment + timedelta(days=7 - (moment.weekday() + 1) % 7)
    return f"{sunday:%Y%m%d}", f"{moment:%Y%m%d}", "00" if 9 <= moment.hour <= 17 else "01"


def sum_calls(placed):
    """Returns successes and failures by key, of (key, call)."""
    figures = {}
    for place, call in placed:
        figures.setdefault(place, [0, 0])[0 if call.good else 1] += 1
    return {place: (good, bad) for place, (good, bad) in figures.items()}


def sum_messages(bodies):
    """Returns the figures of 지원-005 messages by key, without zeros. A later message replaces an earlier one."""
    figures_by_key = {}
    for (week, provider, kind), body in last_messages(bodies).items():
        for day in body["stat_date_list"]:
            for service in day["mydata_svc_list"]:
                for api in service["api_type_list"]:
                    for slot in api["tm_slot_list"]:
                        rest = (day["stat_date"], api["api_type"], slot["tm_slot"])
                        place = (week, provider, service["org_code"], service["client_id"], kind, *rest)
                        assert place not in figures_by_key
                        figures_by_key[place] = (int(slot["success_api_cnt"]), int(slot["fail_api_cnt"]))
    return {place: figures for place, figures in figures_by_key.items() if figures != (0, 0)}


def sum_sent_consents(bodies):
    """Returns consent figures of messages by week, institution, service and day."""
    return {
        (week, provider, service["client_id"], day["stat_date"]): tuple(
            int(service[name]) for name in ("consent_new", "consent_revoke", "consent_own")
        )
        for (week, provider, kind), body in last_messages(bodies).items()
        if kind == "2"
        for day in body["stat_date_list"]
        for service in day["mydata_svc_list"]
        if any(service[name] != "0" for name in ("consent_new", "consent_revoke", "consent_own"))
    }


def sum_consents(consents, days):
    """Returns the same from consents as (provider, client_id, given_at, ended_at or None, withdrawn)."""
    counts = Counter()
    for provider, client_id, given_at, ended_at, withdrawn in consents:
        for week, day in days:
            begins = datetime.strptime(day, "%Y%m%d").replace(tzinfo=KST).timestamp()
            ends = begins + 86400
            place = (week, provider, client_id, day)
            counts[place, 0] += begins <= given_at < ends
            counts[place, 1] += withdrawn and begins <= ended_at < ends
            counts[place, 2] += given_at < ends and (ended_at is None or ended_at >= ends)
    places = {place for (place, _), number in counts.items() if number}
    return {place: tuple(counts[place, part] for part in range(3)) for place in places}


def last_messages(bodies):
    """Returns the last message of each week, institution and type."""
    return {(body["inquiry_date"], body["org_code"], body["type"]): body for body in bodies}


def operators_messages(figures):
    """Returns 지원-004 of every operator, service and type as (operator, body), from figures by key."""
    messages = {}
    for (week, provider, operator, client_id, kind, day, api, slot), (good, bad) in figures.items():
        body = messages.setdefault((week, operator, client_id, kind), {})
        slots = body.setdefault(day, {}).setdefault(provider, {}).setdefault(api, {})
        slots[slot] = {"tm_slot": slot, "success_api_cnt": str(good), "fail_api_cnt": str(bad)}
    return [(key[1], _body(key, days)) for key, days in messages.items()]


def _body(key, days):
    week, _, client_id, kind = key
    return {
        "type": kind,
        "client_id": client_id,
        "inquiry_date": week,
        "stat_date_list": [
            {
                "stat_date": day,
                "org_list": [
                    {
                        "org_code": provider,
                        "api_type_list": [
                            {"api_type": api, "tm_slot_list": list(slots.values())} for api, slots in apis.items()
                        ],
                    }
                    for provider, apis in providers.items()
                ],
            }
            for day, providers in days.items()
        ],
    }
