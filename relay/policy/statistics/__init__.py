"""Pure decisions of the statistics: counting, weeks, reports."""
