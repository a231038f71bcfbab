"""Floor 0: values and ports. No I/O, no clock, no import of another floor."""
