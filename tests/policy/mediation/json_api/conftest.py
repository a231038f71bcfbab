"""Files of the example life insurer, and records of a few lines."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from relay.policy.mediation.conversion import Call
from relay.policy.mediation.json_api.institution import compile_json_institution
from relay.policy.mediation.json_api.plan import compile_record
from relay.policy.mediation.json_api.requests import JsonResponse
from relay.policy.mediation.json_api.settings import JsonLink, JsonMessage, RequestSettings
from relay.policy.mediation.json_api.values import build_value_codec
from relay.policy.mediation.paging.collection import PageCollection
from relay.policy.mediation.paging.seal import CursorSeal
from relay.runtime.settings.yaml_files import read_yaml
from relay.standard.catalogue import load_catalogue, load_rsp_codes

FOLDER = Path(__file__).parents[4] / "config/providers/dasol-life-insurance/json"
INSURER = "ZISC000001"
NOW = 1_800_000_000.0
UNIQUE = "000000000001"


def read_model(model, values):
    return model.model_validate_json(json.dumps(values), strict=True)


def read_items(lines):
    """Returns the items of lines in YAML, or of a list."""
    entries = yaml.safe_load(lines) if isinstance(lines, str) else lines
    return read_model(RequestSettings, {"path": "/x", "fields": entries}).fields


class Files:
    """The values of the example's files, which a test may change."""

    def __init__(self):
        self.messages = {path.name: read_yaml(path).values for path in sorted(FOLDER.iterdir())}
        self.link = self.messages.pop("link.yaml")

    def compile(self, offered=()):
        """Returns the institution and the problems as text."""
        models = [(name, read_model(JsonMessage, values)) for name, values in self.messages.items()]
        rsp_codes = {code: (row.http, row.meaning) for code, row in load_rsp_codes().items()}
        link = ("link.yaml", read_model(JsonLink, self.link))
        institution, problems = compile_json_institution(link, models, load_catalogue(), "insu", rsp_codes, offered)
        return institution, [str(problem) for problem in problems]


FILES = Files()


class Api:
    """One API of an institution, called with parameters."""

    def __init__(self, conversion, parameters, user_ci="CI=="):
        self.conversion = conversion
        self.call = Call(INSURER, {"org_code": INSURER, **parameters}, user_ci=user_ci, consent="c")
        self.collection = PageCollection(conversion, self.call, CursorSeal(b"k" * 32))

    def build(self):
        return self.collection.build_request(UNIQUE, NOW)

    def accept(self, data, code="OK", status=200, **fields):
        body = {"result": {"code": code, "requestNo": UNIQUE}, "data": data}
        content = data if isinstance(data, bytes) else json.dumps(body, ensure_ascii=False).encode()
        self.collection.accept(JsonResponse(status, content, **fields))

    def answer(self):
        answer = self.collection.build_answer()
        return answer, json.loads(answer.body)


@pytest.fixture
def files():
    """The values of the example's files."""
    return copy.deepcopy(FILES)


@pytest.fixture(scope="session")
def institution():
    """The compiled example."""
    compiled, problems = FILES.compile()
    assert problems == []
    return compiled


@pytest.fixture(scope="session")
def api(institution):
    """Returns a factory for calls of the example: `api(api_code, parameters)`."""

    def build(api_code, parameters, of=institution):
        return Api(of.conversions[api_code], parameters)

    return build


@pytest.fixture(scope="session")
def items_of():
    """Returns a factory for items: `items_of(lines)`."""
    return read_items


@pytest.fixture(scope="session")
def record_of():
    """Returns a factory for records without problems: `record_of(lines, forms)`."""

    def build(lines, forms=None):
        problems = []
        entries = [(f"fields[{index}]", item) for index, item in enumerate(read_items(lines))]
        record = compile_record(entries, forms or {}, problems)
        assert problems == []
        return record

    return build


@pytest.fixture(scope="session")
def codec_of():
    """Returns a factory for codecs: `codec_of(line)`."""

    def build(line, forms=None):
        return build_value_codec(read_items([line])[0], forms or {})

    return build
