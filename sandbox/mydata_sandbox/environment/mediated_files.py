"""Files of institutions without the APIs of the standard: all that the relay needs to convert their calls.

A kind of mediation has one function in `_SETTINGS`, with the keys of the institution's file, and one folder of files
in `_FOLDERS`, which is copied beside that file.
"""

from collections.abc import Callable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from mydata_sandbox.institution.profile import Institution


def build_mediated_settings(name: str, institution: Institution) -> dict[str, Any]:
    """Returns the keys of the institution's file after its particulars. `name` is that of its file."""
    settings = {"speaks": institution.speaks, "apis": {"left_out": list(institution.left_out)}}
    return settings | _SETTINGS[institution.speaks](name, institution)


def write_layouts(folder: Path, speaks: str) -> None:
    """Copies the files with which an institution's messages are converted into `folder`; none for the standard."""
    for subfolder, source in _FOLDERS.get(speaks, {}).items():
        target = folder / subfolder
        target.mkdir(parents=True, exist_ok=True)
        for file in source.iterdir():
            if file.name.endswith(".yaml"):
                (target / file.name).write_bytes(file.read_bytes())


def _build_telegram_settings(name: str, institution: Institution) -> dict[str, Any]:
    address, port = institution.listener.getsockname()[:2]
    host = f"[{address}]" if ":" in address else address
    return {
        "core": {"addresses": [f"{host}:{port}"], "requests": 8, "answer_s": 5},
        "telegrams": f"{name}/telegrams",
        "link": "leased_line",
    }


def _build_json_settings(name: str, institution: Institution) -> dict[str, Any]:
    return {"base_urls": [institution.url], "json_apis": f"{name}/json", "link": "leased_line"}


_SETTINGS: Final[Mapping[str, Callable[[str, Institution], dict[str, Any]]]] = {
    "telegram": _build_telegram_settings,
    "json": _build_json_settings,
}
_FOLDERS: Final[Mapping[str, Mapping[str, Traversable]]] = {
    "telegram": {"telegrams": files("mydata_sandbox.telegram_core") / "layouts"},
    "json": {"json": files("mydata_sandbox.json_core") / "layouts"},
}
