"""The same figures once more, by nobody's code but this: from the calls one by one, and from messages as they stand."""

from collections import Counter
from datetime import datetime, timedelta
from functools import cache

from simulated.traffic import KST


def place_of(call):
    """Where a call is counted: week, institution, operator, service, type, day, API, slot."""
    week, day, slot = _when(int(call.ended) // 60)
    kind = "1" if call.kind == "scheduled" else "2"
    return week, call.provider, call.operator, call.client_id, kind, day, call.api_code, slot


@cache
def _when(minute):
    moment = datetime.fromtimestamp(minute * 60, KST)
    sunday = moment + timedelta(days=7 - (moment.weekday() + 1) % 7)
    return f"{sunday:%Y%m%d}", f"{moment:%Y%m%d}", "00" if 9 <= moment.hour <= 17 else "01"


def counted(placed):
    """Successes and failures by place, of (place, call)."""
    found = {}
    for place, call in placed:
        found.setdefault(place, [0, 0])[0 if call.good else 1] += 1
    return {place: (good, bad) for place, (good, bad) in found.items()}


def told(bodies):
    """What messages of 지원-005 say, by place; zeros left out. Of several about the same, the last one."""
    found = {}
    for (week, provider, kind), body in last(bodies).items():
        for day in body["stat_date_list"]:
            for service in day["mydata_svc_list"]:
                for api in service["api_type_list"]:
                    for slot in api["tm_slot_list"]:
                        where = (day["stat_date"], api["api_type"], slot["tm_slot"])
                        place = (week, provider, service["org_code"], service["client_id"], kind, *where)
                        assert place not in found
                        found[place] = (int(slot["success_api_cnt"]), int(slot["fail_api_cnt"]))
    return {place: figures for place, figures in found.items() if figures != (0, 0)}


def consents_told(bodies):
    """Figures of consents by week, institution, service and day."""
    return {
        (week, provider, service["client_id"], day["stat_date"]): tuple(
            int(service[name]) for name in ("consent_new", "consent_revoke", "consent_own")
        )
        for (week, provider, kind), body in last(bodies).items()
        if kind == "2"
        for day in body["stat_date_list"]
        for service in day["mydata_svc_list"]
        if any(service[name] != "0" for name in ("consent_new", "consent_revoke", "consent_own"))
    }


def consents_counted(consents, days):
    """The same from consents as (provider, client_id, given_at, ended_at or None, withdrawn)."""
    found = Counter()
    for provider, client_id, given_at, ended_at, withdrawn in consents:
        for week, day in days:
            begins = datetime.strptime(day, "%Y%m%d").replace(tzinfo=KST).timestamp()
            ends = begins + 86400
            place = (week, provider, client_id, day)
            found[place, 0] += begins <= given_at < ends
            found[place, 1] += withdrawn and begins <= ended_at < ends
            found[place, 2] += given_at < ends and (ended_at is None or ended_at >= ends)
    places = {place for (place, _), number in found.items() if number}
    return {place: tuple(found[place, part] for part in range(3)) for place in places}


def last(bodies):
    """The last message about each week, institution and type."""
    return {(body["inquiry_date"], body["org_code"], body["type"]): body for body in bodies}


def operators_messages(figures):
    """지원-004 of every operator, service and type, of successes and failures by place: (operator, body)."""
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
