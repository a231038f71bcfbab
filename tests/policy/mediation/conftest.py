"""Layouts and telegrams for tests of the mediation: the example institution, and institutions of few lines."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from relay.policy.mediation.conversion import Call, add_position, build_context
from relay.policy.mediation.inspection import encode_response
from relay.policy.mediation.institution import compile_institution
from relay.policy.mediation.settings import TelegramLink, TelegramMessage
from relay.policy.mediation.telegram.notation import Item
from relay.policy.mediation.telegram.plan import compile_message
from relay.runtime.settings.yaml_files import read_yaml
from relay.standard.catalogue import load_catalogue, load_rsp_codes

FOLDER = Path(__file__).parents[3] / "config/providers/haneul-savings-bank/telegrams"
NOW = 1_800_000_000.0
UNIQUE = "000000000001"
ORG_CODE = "ZBAC000001"


def read_model(model, values):
    return model.model_validate_json(json.dumps(values), strict=True)


def compile_files(link, messages, industry="bank", offered=()):
    """Returns the institution and the problems as text; `messages` are mappings by file name."""
    models = [(name, read_model(TelegramMessage, values)) for name, values in messages.items()]
    rsp_codes = {code: (row.http, row.meaning) for code, row in load_rsp_codes().items()}
    institution, problems = compile_institution(
        ("link.yaml", read_model(TelegramLink, link)), models, load_catalogue(), industry, rsp_codes, offered
    )
    return institution, [str(problem) for problem in problems]


def build_plan(lines, charset="EUC-KR"):
    """Returns the plan of a message without header; `lines` are its fields in YAML or as a list."""
    entries = yaml.safe_load(lines) if isinstance(lines, str) else lines
    items = [Item.model_validate_json(json.dumps({"optional": [entry]})).optional[0] for entry in entries]
    problems = []
    plan = compile_message((), "fields", items, charset, problems)
    assert not problems, [str(problem.wrong) for problem in problems]
    return plan


class Files:
    """The values of the example's files; each attribute is a copy that a test may change."""

    def __init__(self):
        self.messages = {path.name: read_yaml(path).values for path in sorted(FOLDER.glob("*.yaml"))}
        self.link = self.messages.pop("link.yaml")

    def compile(self, industry="bank"):
        return compile_files(self.link, self.messages, industry)


FILES = Files()


class Core:
    """A core of the example: encodes responses to calls, byte by byte as the layout says."""

    def __init__(self, institution, api_code, parameters, **headers):
        self.conversion = institution.conversions[api_code]
        self.call = Call(ORG_CODE, {"org_code": ORG_CODE, **parameters}, consent="consent-1", **headers)

    def context(self, unique_number=UNIQUE, key=(), rows=100):
        context = build_context(self.call, unique_number, NOW)
        if self.conversion.paging is not None:
            add_position(context, self.conversion.paging, key, rows)
        return context

    def respond(self, values, code="0000", **position):
        return encode_response(self.conversion, {"resp_code": code, **values}, self.context(**position))

    def decode(self, telegram, **position):
        return self.conversion.decode_response(telegram, self.context(**position))


@pytest.fixture
def files():
    """Returns the values of the example's files."""
    return copy.deepcopy(FILES)


@pytest.fixture(scope="session")
def all_files():
    """Returns the values of the example's files for tests that copy them."""
    return FILES


@pytest.fixture(scope="session")
def institution():
    """Returns the compiled example."""
    compiled, problems = FILES.compile()
    assert problems == []
    return compiled


@pytest.fixture(scope="session")
def core(institution):
    """Returns a factory for cores of the example: `core(api_code, parameters)`."""

    def build(api_code, parameters, of=institution, **headers):
        return Core(of, api_code, parameters, **headers)

    return build


@pytest.fixture(scope="session")
def plan_of():
    """Returns a factory for plans of messages: `plan_of(lines)`."""
    return build_plan


@pytest.fixture
def compile_small():
    """Returns a function that compiles a link and messages: `compile_small(link, messages)`."""
    return compile_files
