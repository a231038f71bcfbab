"""From decoded telegrams to bodies of responses: expressions, types of the catalogue, JSON."""
