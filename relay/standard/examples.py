"""Reads the example calls of `examples/`: fictitious requests and responses, one file for each group of APIs.

`mydata-sandbox examples relay/standard/examples` writes the files. They are no part of the standard.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

ExampleCall = Mapping[str, Mapping[str, Any]]
"""`request`: the parameters by name; `response`: the body."""


@cache
def load_examples() -> Mapping[str, Mapping[str, ExampleCall]]:
    """Returns the example calls by group (`bank`, `oauth`, ...) and api_id."""
    files = resources.files("relay.standard").joinpath("examples").iterdir()
    named = sorted((file for file in files if file.name.endswith(".json")), key=lambda file: file.name)
    return {file.name.removesuffix(".json"): json.loads(file.read_text(encoding="utf-8")) for file in named}
