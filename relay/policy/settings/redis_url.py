"""The URL of a Redis in the settings."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from relay.policy.settings.scalars import resolve_path

_REDIS = re.compile(r"env:\S+|rediss?://[^\s/]\S*|redis\+sentinel://[^\s/]+/\S+|unix://\S+")
_WITH_PASSWORD = re.compile(r"@|\bpassword=")


def _check_redis_url(value: str, info: ValidationInfo) -> str:
    scheme, _, rest = value.partition(":")
    if scheme == "file" and rest:
        return f"file:{resolve_path(rest, info)}"
    if _WITH_PASSWORD.search(value):
        raise ValueError("a URL with a password is a secret: write it into a file or variable and refer to that")
    if not _REDIS.fullmatch(value):
        raise ValueError(
            "redis://HOST:PORT/0, rediss://..., redis+sentinel://HOST,HOST/MASTER, unix://PATH, "
            "or a reference file:PATH or env:NAME"
        )
    return value


RedisUrl = Annotated[
    str,
    AfterValidator(_check_redis_url),
    Field(description="redis://HOST:PORT/0, or file:PATH or env:NAME that holds such a URL"),
]
