import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from gateway.config.load import load, load_text
from gateway.config.schema import make_schema
from gateway.config.settings import Settings
from gateway.config.upstreams import UpstreamSettings

CONFIG = Path(__file__).resolve().parents[3] / "config"
MODELINE = "# yaml-language-server: $schema=gateway.schema.json\n"
VALIDATOR = Draft202012Validator(json.loads(make_schema()))
EXAMPLES = sorted(CONFIG.glob("*.yaml"))


def accepts(text: str) -> bool:
    return VALIDATOR.is_valid(yaml.safe_load(text))


def name_leaves(value: Any, path: str = "") -> set[str]:
    if not isinstance(value, dict) or not value:
        return {path}
    return {leaf for key, inner in value.items() for leaf in name_leaves(inner, f"{path}.{key}" if path else key)}


def test_it_is_a_schema_of_2020_12() -> None:
    schema = json.loads(make_schema())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


def test_the_committed_schema_is_the_one_of_the_settings() -> None:
    assert (CONFIG / "gateway.schema.json").read_text("utf-8") == make_schema(), "write it again with gateway schema"


def test_it_is_the_same_each_time() -> None:
    assert make_schema() == make_schema()


def test_every_setting_has_a_description() -> None:
    sections = json.loads(make_schema())["$defs"]
    bare = [
        f"{section}.{name}"
        for section, schema in sections.items()
        for name, setting in schema["properties"].items()
        if not setting.get("description")
    ]
    assert bare == []


def test_defaults_are_spelled_as_in_a_file() -> None:
    limits = json.loads(make_schema())["$defs"]["LimitSettings"]["properties"]
    assert [limits[name]["default"] for name in ("body", "timeout", "operations")] == ["1MiB", "30s", 50]


@pytest.mark.parametrize(
    "text",
    [
        "upstreams: {a: {url: 'http://a', routes: [/a]}}",
        "upstreams: {a: {url: '${URL}', routes: [{path: /a, methods: [GET], max_per_batch: '${MOST}'}]}}",
        "upstreams: {a: {url: 'http://a', routes: ['${PREFIX}'], timeout: 2, retries: '${RETRIES:-1}'}}",
        "upstreams: {a: {url: 'http://a', routes: [/a], breaker: {enabled: '${SWITCH}'}}}",
        "{upstreams: {a: {url: 'http://a', routes: [/a]}}, limits: {body: 1000, answer: '8 KiB', timeout: '${T}'}}",
    ],
)
def test_what_loads_is_accepted(text: str) -> None:
    environ = {"URL": "http://a", "MOST": "1", "PREFIX": "/a", "RETRIES": "2", "SWITCH": "true", "T": "31s"}
    load_text(text, "f", environ)
    assert accepts(text)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "upstreams: {}",
        "upstreams: {A: {url: 'http://a', routes: [/a]}}",
        "upstreams: {a: {url: 'http://a'}}",
        "upstreams: {a: {url: 'http://a', routes: []}}",
        "upstreams: {a: {url: 'http://a', routes: [a]}}",
        "upstreams: {a: {url: 'http://a/v1', routes: [/a]}}",
        "upstreams: {a: {url: 'http://a', routes: [/a], timeout: 0}}",
        "upstreams: {a: {url: 'http://a', routes: [/a], timeout: 2 seconds}}",
        "upstreams: {a: {url: 'http://a', routes: [/a], time: 2s}}",
        "{upstreams: {a: {url: 'http://a', routes: [/a]}}, server: {port: 65536}}",
        "{upstreams: {a: {url: 'http://a', routes: [/a]}}, log: {level: loud}}",
    ],
)
def test_what_does_not_load_is_not_accepted(text: str) -> None:
    assert not accepts(text)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example_configurations_load_are_accepted_and_tell_editors_so(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.startswith(MODELINE)
    assert accepts(text)
    load(path, {})


def test_gateway_yaml_names_every_setting_with_its_default() -> None:
    written = yaml.safe_load((CONFIG / "gateway.yaml").read_text("utf-8"))
    settings = load(CONFIG / "gateway.yaml", {})
    (upstream,) = settings.upstreams.values()
    example = {"url": upstream.url, "routes": [route.path for route in upstream.routes]}

    defaults = Settings.model_validate({"upstreams": {"example": example}})
    assert settings == defaults
    assert name_leaves(written) == name_leaves(defaults.model_dump())
    assert set(written["upstreams"]["example"]["routes"][1]) == set(type(upstream.routes[0]).model_fields)
    assert set(example) == {name for name, field in UpstreamSettings.model_fields.items() if field.is_required()}
