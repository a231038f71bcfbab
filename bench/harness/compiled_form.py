"""Builds the compiled form of the relay, and tells which form a process runs."""

import subprocess
from pathlib import Path
from typing import Final

from harness.layout import COMPILED, ROOT

SCRIPT: Final = ROOT / ".ci" / "compile"
_LAST: Final = 300
"""Characters of the script's output in a reason."""


class NotCompiled(Exception):
    """The compiled form cannot be built; the text is the reason."""


def build_compiled_form(script: Path = SCRIPT, folder: Path = COMPILED) -> str:
    """Builds the compiled form when it is missing or old; returns the line of the script. Raises NotCompiled."""
    if not script.exists():
        raise NotCompiled(f"there is no {script.parent.name}/{script.name}")
    done = subprocess.run([str(script)], cwd=script.parent.parent, capture_output=True, text=True, check=False)
    output = (done.stdout + done.stderr).strip()
    if done.returncode:
        raise NotCompiled(output[-_LAST:] or f"{script.parent.name}/{script.name} ended with status {done.returncode}")
    if not (folder / "relay").is_dir():
        raise NotCompiled(f"{script.name} made no {folder / 'relay'}")
    return output.splitlines()[-1] if output else "built"


def count_compiled_modules(pid: int) -> int:
    """Returns how many compiled modules of the relay a process has loaded."""
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    files = {line[at:] for line in maps.splitlines() if (at := line.find("/")) > 0}
    return sum(path.startswith(f"{COMPILED}/") and path.endswith(".so") for path in files)
