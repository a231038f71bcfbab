"""Layouts of telegrams: notation, codecs of fields, records, framing."""
