"""Serves one call: requests to the core until the page is complete, then the answer of the standard."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from relay.adapter.institutions import AdaptedInstitution, AdapterPlan
from relay.domain.fault import FAULTS, Refusal
from relay.policy.mediation.conversion import UNKNOWN_CODE, Call, DecodedResponse
from relay.policy.mediation.errors import ConversionError, UnfitAsset
from relay.policy.mediation.paging.collection import Answer, PageCollection, build_failure

_PARTIAL: Final = 0.6
"""After this part of a call's time, a page that has rows is answered without more requests."""


_NO_ASSET: Final = "40402"
"""The answer to an asset that does not fit in the core's field: it cannot exist there."""


async def serve_call(plan: AdapterPlan, api_code: str, call: Call, clock: Callable[[], float]) -> Answer:
    """Returns the answer to a call. `clock` returns epoch seconds.

    Raises Refusal: 50007 with the place in its detail, 50005, 50003, 40001, 40303, 40401.
    """
    institution = plan.institutions.get(call.org_code)
    if institution is None:
        raise Refusal(FAULTS["provider_unknown"])
    conversion = institution.conversions.get(api_code)
    if conversion is None:
        raise Refusal(FAULTS["api_not_offered"])
    try:
        collection: PageCollection[Any, Any] = PageCollection(conversion, call, plan.seal)
        await _collect(collection, institution, clock)
        answer = collection.build_answer()
    except UnfitAsset:
        return build_failure(DecodedResponse(_NO_ASSET, ""), conversion.rsp_codes)
    except ConversionError as error:
        raise Refusal(FAULTS["conversion_failed"], str(error)) from None
    if answer.rsp_code == UNKNOWN_CODE and (detail := conversion.describe_unknown(answer.core_code)) is not None:
        raise Refusal(FAULTS["code_unknown"], detail)
    return answer


async def _collect(
    collection: PageCollection[Any, Any], institution: AdaptedInstitution, clock: Callable[[], float]
) -> None:
    """Exchanges messages until the page is complete. Raises Refusal, ConversionError."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    deadline, enough_at = started + institution.total_s, started + _PARTIAL * institution.total_s
    while not collection.is_complete:
        try:
            response = await institution.core.exchange(
                lambda number: collection.build_request(number, clock()), deadline
            )
        except Refusal:
            collection.stop()  # the rows of earlier responses are a page; the next one continues behind them
            if not collection.is_complete:
                raise
        else:
            collection.accept(response)
            if loop.time() > enough_at:
                collection.stop()
