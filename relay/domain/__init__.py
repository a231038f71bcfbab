"""Floor 0: the nouns. Pure values, no I/O, no clock, nothing imported from above."""
