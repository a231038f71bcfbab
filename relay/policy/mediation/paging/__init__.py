"""One page of a response from one or several telegrams, and the sealed cursor of the next page."""
