"""The relay (중계기관) of Korea's financial MyData: one mutual-TLS door, many institutions behind it."""

from typing import Final

__version__: Final = "0.1.0"
