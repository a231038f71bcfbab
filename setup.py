"""Builds the compiled parts; everything else about the package stands in pyproject.toml."""

import sys
from pathlib import Path

from setuptools import setup

sys.path.insert(0, str(Path(__file__).resolve().parent / ".ci"))

from build_backend import ParallelBuild, build_extension_modules

setup(ext_modules=build_extension_modules(), cmdclass={"build_ext": ParallelBuild})
