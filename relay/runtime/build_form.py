"""The form of the installed package: compiled, or pure Python."""

from importlib.util import find_spec
from typing import Final

_HOT_MODULE: Final = "relay.wire.server"


def get_build_form() -> str:
    """Returns "compiled" when the modules of a call's path are extension modules, else "pure"."""
    spec = find_spec(_HOT_MODULE)
    return "pure" if spec is None or (spec.origin or "").endswith(".py") else "compiled"
