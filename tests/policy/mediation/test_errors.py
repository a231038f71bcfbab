from relay.policy.mediation.errors import ConversionError, LayoutProblem


def test_a_conversion_error_names_place_and_expectation():
    error = ConversionError("BA04 response", 41, "trans[3].amount", "15 digits")
    assert str(error) == "BA04 response: offset 41: trans[3].amount: expected 15 digits"
    assert str(ConversionError("BA04 response", -1, "reg_date", "a body")) == "BA04 response: reg_date: expected a body"


def test_a_problem_names_file_key_and_what_is_allowed():
    assert str(LayoutProblem("a.yaml", "api", "is unknown", "BA01")) == "a.yaml: api: is unknown; expected: BA01"
    assert str(LayoutProblem("a.yaml", "", "is empty")) == "a.yaml: is empty"
