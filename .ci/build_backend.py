"""Builds the package with setuptools: the compiled form where a C compiler and Python's headers are there.

`RELAY_COMPILED=1` demands the compiled form, `RELAY_COMPILED=0` the pure one. An editable installation is pure: its
sources change. `[tool.relay.compiled]` of pyproject.toml lists what is compiled.
"""

import os
import shutil
import sysconfig
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from setuptools import Extension, build_meta
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent.parent
SWITCH = "RELAY_COMPILED"
C_FOLDER = ROOT / "build" / "c"


def get_requires_for_build_wheel(config_settings: dict[str, Any] | None = None) -> list[str]:
    """Returns the packages that a wheel needs to be built: the compilers too if the form is compiled."""
    requires = call_in_pure_form(build_meta.get_requires_for_build_wheel, config_settings)
    return [*requires, *read_table()["requires"]] if is_compiled_form() else list(requires)


def get_requires_for_build_editable(config_settings: dict[str, Any] | None = None) -> list[str]:
    """Returns the packages that an editable wheel needs to be built."""
    return list(call_in_pure_form(build_meta.get_requires_for_build_editable, config_settings))


def get_requires_for_build_sdist(config_settings: dict[str, Any] | None = None) -> list[str]:
    """Returns the packages that a source distribution needs to be built."""
    return list(call_in_pure_form(build_meta.get_requires_for_build_sdist, config_settings))


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """Writes the metadata of a wheel. Returns the name of its folder."""
    return str(call_in_pure_form(build_meta.prepare_metadata_for_build_wheel, metadata_directory, config_settings))


def prepare_metadata_for_build_editable(metadata_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """Writes the metadata of an editable wheel. Returns the name of its folder."""
    return str(call_in_pure_form(build_meta.prepare_metadata_for_build_editable, metadata_directory, config_settings))


def build_wheel(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Builds a wheel. Prints the form of the package."""
    print(f"mydata-relay: {'compiled' if is_compiled_form() else 'pure Python'} form")  # noqa: T201 - pip -v shows it
    return build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Builds an editable wheel, always in the pure form."""
    return str(call_in_pure_form(build_meta.build_editable, wheel_directory, config_settings, metadata_directory))


def build_sdist(sdist_directory: str, config_settings: dict[str, Any] | None = None) -> str:
    """Builds a source distribution."""
    return str(call_in_pure_form(build_meta.build_sdist, sdist_directory, config_settings))


def call_in_pure_form(hook: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a hook of setuptools that compiles nothing: the compilers may not be installed yet."""
    wanted = os.environ.get(SWITCH)
    os.environ[SWITCH] = "0"
    try:
        return hook(*arguments)
    finally:
        del os.environ[SWITCH]
        if wanted is not None:
            os.environ[SWITCH] = wanted


def is_compiled_form() -> bool:
    """Returns whether the package is compiled. Raises RuntimeError if it must be and cannot be."""
    wanted = os.environ.get(SWITCH, "")
    missing = [] if wanted == "0" else find_missing_tools()
    if wanted == "1" and missing:
        raise RuntimeError(f"{SWITCH}=1, but there is no {' and no '.join(missing)}")
    return wanted != "0" and not missing


def find_missing_tools() -> list[str]:
    """Returns the names of missing tools of the system."""
    compiler = os.environ.get("CC", "").strip() or sysconfig.get_config_var("CC") or "cc"
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    tools = {f"C compiler ({compiler})": shutil.which(compiler.split()[0]), str(headers): headers.exists()}
    return [name for name, is_there in tools.items() if not is_there]


def read_table() -> dict[str, list[str]]:
    """Returns the table [tool.relay.compiled] of pyproject.toml."""
    table: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["relay"]["compiled"]
    return table


def build_extension_modules() -> list[Extension]:
    """Translates the modules to C. Returns the extensions to compile, none in the pure form."""
    if not is_compiled_form():
        return []
    try:
        from Cython.Build import cythonize  # noqa: PLC0415 - only the compiled form has it
        from mypyc.build import mypycify  # noqa: PLC0415 - as above
    except ImportError:
        if os.environ.get(SWITCH) == "1":
            raise
        return []  # pip install --no-build-isolation without the packages of constraints-build.txt

    table = read_table()
    folder = str(C_FOLDER)
    flags = ["--config-file=", "--ignore-missing-imports", "--no-color-output"]
    modules = mypycify(
        [*flags, *table["modules"]],
        opt_level="2",
        debug_level="0",
        multi_file=True,
        group_name="relay_compiled",
        target_dir=folder,
    )
    leaves = [Extension(leaf.removesuffix(".pyx").replace("/", "."), [leaf]) for leaf in table["leaves"]]
    return [*modules, *cythonize(leaves, build_dir=folder, language_level=3)]


class ParallelBuild(build_ext):
    """Compiles the files of an extension beside each other, and no file twice."""

    def build_extensions(self) -> None:
        """Compiles all extensions."""
        compiler = self.compiler

        def compile_beside_each_other(  # noqa: PLR0913, PLR0917 - setuptools' signature
            sources: list[str],
            output_dir: str | None = None,
            macros: Any = None,
            include_dirs: list[str] | None = None,
            debug: bool = False,
            extra_preargs: list[str] | None = None,
            extra_postargs: list[str] | None = None,
            depends: list[str] | None = None,
        ) -> list[str]:
            _, objects, post, options, build = compiler._setup_compile(  # noqa: SLF001 - what its `compile` does itself
                output_dir, macros, include_dirs, sources, depends, extra_postargs
            )
            arguments = compiler._get_cc_args(options, debug, extra_preargs)  # noqa: SLF001 - as above
            headers = [str(path) for path in C_FOLDER.glob("*.h")]  # with the layout of all classes
            stale = [
                (name, *build[name]) for name in objects if name in build and is_stale(name, [build[name][0], *headers])
            ]
            with ThreadPoolExecutor(os.cpu_count()) as threads:
                for _ in threads.map(
                    lambda each: compiler._compile(*each, arguments, post, options),  # noqa: SLF001 - as above
                    stale,
                ):
                    pass
            return list(objects)

        compiler.compile = compile_beside_each_other
        super().build_extensions()


def is_stale(path: str, sources: list[str]) -> bool:
    """Returns whether a file is missing or older than one of its sources."""
    if not Path(path).exists():
        return True
    written_at = Path(path).stat().st_mtime
    return any(Path(source).stat().st_mtime >= written_at for source in sources)
