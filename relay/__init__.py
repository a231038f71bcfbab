"""The relay (중계기관) of Korea's financial MyData: one mutual-TLS door, many institutions behind it."""
