import os
import subprocess
import sys
from pathlib import Path

from relay.runtime.build_form import get_build_form
from relay.wire import server


def test_the_form_is_that_of_the_loaded_modules():
    assert get_build_form() == ("pure" if server.__file__.endswith(".py") else "compiled")


def test_the_form_is_known_without_loading_the_gateway():
    script = "import sys; from relay.runtime.build_form import get_build_form; get_build_form(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"relay.wire.server", "httptools"} & set(loaded)


def test_an_extension_module_means_the_compiled_form(tmp_path):
    package = tmp_path / "relay" / "wire"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "server.abi3.so").touch()
    runtime = tmp_path / "relay" / "runtime"
    runtime.mkdir()
    (runtime / "__init__.py").touch()
    source = sys.modules["relay.runtime.build_form"].__file__
    (runtime / "build_form.py").write_text(Path(source).read_text())
    script = "from relay.runtime.build_form import get_build_form; print(get_build_form())"
    environment = os.environ | {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "compiled\n"
