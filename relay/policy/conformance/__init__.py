"""Tests an institution against the standard: rules, cases, judgement of answers, reports. No effects."""
