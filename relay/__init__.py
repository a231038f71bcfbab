"""The relay (중계기관) of Korea's financial MyData: one mutual-TLS endpoint in front of many institutions."""

from typing import Final

__version__: Final = "0.1.0"
