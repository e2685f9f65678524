"""Reading the vendor's OpenAPI files: schemas with their references and alternatives resolved."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import yaml

SPECS = os.environ.get("ML_CONNECTOR_SPECS", "")
ROOT = Path(SPECS) / "bigcommerce"
Schema = dict[str, Any]


@cache
def document(name: str) -> Schema:
    with (ROOT / "reference" / name).open(encoding="utf-8") as file:
        return yaml.load(file, Loader=yaml.CSafeLoader)


def resolve(name: str, node: Schema) -> Schema:
    while "$ref" in node:
        found: Any = document(name)
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        node = found
    return node


def properties(name: str, node: Schema) -> dict[str, Schema]:
    """All properties of a schema, those of its alternatives included."""
    node = resolve(name, node)
    found: dict[str, Schema] = {}
    for key in ("allOf", "oneOf", "anyOf"):
        for part in node.get(key, []):
            found.update(properties(name, part))
    found.update(node.get("properties") or {})
    return found


def required(name: str, node: Schema) -> set[str]:
    """Properties that every alternative requires."""
    node = resolve(name, node)
    found = set(node.get("required") or [])
    for part in node.get("allOf", []):
        found |= required(name, part)
    for key in ("oneOf", "anyOf"):
        if node.get(key):
            found |= set.intersection(*(required(name, part) for part in node[key]))
    return found


def kinds(name: str, node: Schema) -> set[str]:
    """Types that the schema allows; empty if it names none."""
    node = resolve(name, node)
    found = {node["type"]} if "type" in node else set[str]()
    for key in ("allOf", "oneOf", "anyOf"):
        for part in node.get(key, []):
            found |= kinds(name, part)
    return found


def attribute(name: str, node: Schema, key: str) -> Any:
    """An attribute (`maxLength`, `enum`, ...) of the schema or of a part that it is made of."""
    node = resolve(name, node)
    if key in node:
        return node[key]
    for group in ("allOf", "oneOf", "anyOf"):
        for part in node.get(group, []):
            if (found := attribute(name, part, key)) is not None:
                return found
    return None


def request_schema(name: str, path: str, method: str) -> Schema:
    operation = document(name)["paths"][path][method]
    body = resolve(name, operation["requestBody"])
    schema = resolve(name, body["content"]["application/json"]["schema"])
    return resolve(name, schema["items"]) if schema.get("type") == "array" else schema


def request_examples(name: str, path: str, method: str) -> dict[str, Any]:
    content = resolve(name, document(name)["paths"][path][method]["requestBody"])["content"]["application/json"]
    examples = {key: resolve(name, example)["value"] for key, example in content.get("examples", {}).items()}
    return {"example": content["example"], **examples} if "example" in content else examples


def response_schema(name: str, path: str, method: str, status: str = "200") -> Schema:
    response = resolve(name, document(name)["paths"][path][method]["responses"][status])
    return resolve(name, response["content"]["application/json"]["schema"])


def response_examples(name: str, path: str, method: str, status: str = "200") -> dict[str, Any]:
    response = resolve(name, document(name)["paths"][path][method]["responses"][status])
    content = response["content"]["application/json"]
    return {key: resolve(name, example)["value"] for key, example in content.get("examples", {}).items()}


def query_parameters(name: str, path: str, method: str = "get") -> set[str]:
    entry = document(name)["paths"][path]
    found = [resolve(name, p) for p in [*entry.get("parameters", []), *entry[method].get("parameters", [])]]
    return {p["name"] for p in found if p["in"] == "query"}


def component(name: str, schema: str) -> Schema:
    return document(name)["components"]["schemas"][schema]


def webhook_sample(name: str) -> dict[str, Any]:
    return json.loads((ROOT / "webhook-samples" / f"{name}.json").read_text(encoding="utf-8"))


def callback(scope: str) -> Schema:
    """The schema of a webhook's body."""
    text = (ROOT / "webhook-callbacks" / f"{scope.replace('/', '_')}.yml").read_text(encoding="utf-8")
    found = yaml.load(text, Loader=yaml.CSafeLoader)
    return found["properties"][scope] if scope in found.get("properties", {}) else found
