"""Settings of rates, and of what counts them."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from relay.policy.settings.redis_url import RedisUrl
from relay.policy.settings.scalars import OrgCode, Rate, Section, build_error


class RefusalRates(Section):
    """Refused calls of one connection, one certificate and one address. A connection over a rate is closed."""

    connection: Rate = Rate(per_second=100, burst=200)
    certificate: Rate = Rate(per_second=500, burst=1000)
    address: Rate = Rate(per_second=1000, burst=2000)


class OperatorWeight(Section):
    """The weight of one operator: with 2 it has twice the share of an operator without a weight."""

    org_code: OrgCode
    weight: Annotated[float, Field(ge=0.01, le=100)]


class RateSettings(Section):
    """Rates of requests, refused requests and handshakes.

    `operator_provider` is of one operator at one institution, `operator` of one operator, `service` of one service (by
    client_id), `provider` of all operators at one institution, `scheduled` of its scheduled transfers, `authority` of
    one operator at the authority, `handshakes` of one address. None is no limit. With `weekly`, a scheduled transfer is
    made once a week for each consent, asset and API (규격 3.3.1). `weights` are the shares of operators
    in an institution's rate and concurrency, 1 for those without.
    """

    operator_provider: Rate = Rate(per_second=50, burst=100)
    operator: Rate | None = None
    service: Rate | None = None
    provider: Rate = Rate(per_second=200, burst=400)
    scheduled: Rate | None = None
    authority: Rate = Rate(per_second=100, burst=1000)
    refused: RefusalRates = RefusalRates()
    handshakes: Rate = Rate(per_second=50, burst=256)
    weekly: bool = True
    weights: tuple[OperatorWeight, ...] = ()

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        codes: set[str] = set()
        for index, weight in enumerate(self.weights):
            if weight.org_code in codes:
                raise build_error(f"weights[{index}].org_code", f"is a duplicate: {weight.org_code}", "each once")
            codes.add(weight.org_code)
        return self


class QuotaSettings(Section):
    """Where requests are counted: in Redis for all gateways together, or without `redis` in each process.

    `timeout_s` is for each call to Redis. While Redis is unavailable, each gateway has its part of each rate: one of as
    many as shared it last, of `gateways` at least.
    """

    redis: RedisUrl | None = None
    timeout_s: Annotated[float, Field(ge=0.001, le=1)] = 0.02
    gateways: Annotated[int, Field(ge=1, le=1000)] = 1


class OverloadSettings(Section):
    """When the gateway counts as overloaded and refuses calls early: scheduled transfers, then calls on demand.

    `lag_s` limits the mean lag of the event loop; 0 is no limit. `memory_mb` limits the resident memory of the gateway;
    without it, all processes of a control group with a memory limit (cgroup v2) may use nine tenths of that.
    """

    lag_s: Annotated[float, Field(ge=0, le=60)] = 0.25
    memory_mb: Annotated[int, Field(ge=1, le=1_048_576)] | None = None
