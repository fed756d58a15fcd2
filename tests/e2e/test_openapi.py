"""/openapi.json is whole and true: it is well formed, names every route of the sources, and each
operation, called by its own example, answers what it says."""
import json
import re
import subprocess
import unittest

from harness import BINARY, CONFIG, SOURCE, Linkbell, wait_for

METHODS = ("get", "post", "put", "delete")
# Routes of the command line's own, on the local socket, Plausible's preflight, and pages that the
# links in a message open.
UNTOLD = {("POST", "/v1/apply"), ("POST", "/v1/import"), ("POST", "/v1/import/start"), ("OPTIONS", "/api/event"), ("GET", "/{slug}"),
          ("GET", "/v1/alerts/{id}/ack"), ("GET", "/v1/alerts/{id}/mute")}
MORE = """
sources:
  - { id: form, kind: generic, site: alice.bio, scheme: url_secret, secrets_env: [LB_FORM], map: { type: lead, name: $.form, contact.email: $.person.email } }
  - { id: open, kind: generic, site: alice.bio, scheme: none, allow_unsigned: true, map: { type: lead, name: $.form, contact.email: $.person.email } }
destinations:
  - { id: hook, type: webhook, url: "https://hooks.example/x", unsigned: true, enabled: false }
rules:
  - { id: hot-lead, kind: event, match: { type: lead }, notify: [hook] }
"""
ENV = {"LB_FORM": "a-secret-of-the-form-0123456789"}


def check(schema, value, doc, at="answer"):
    """Whether value is what a schema says (the part of JSON Schema that the document uses)."""
    if "$ref" in schema:
        return check(resolve(doc, schema["$ref"]), value, doc, at)
    if "anyOf" in schema:
        assert any(fits(part, value, doc) for part in schema["anyOf"]), (at, value)
        return None
    kinds = schema.get("type")
    if kinds is not None:
        kinds = kinds if isinstance(kinds, list) else [kinds]
        assert any(is_kind(kind, value) for kind in kinds), (at, kinds, value)
    if "enum" in schema:
        assert value in schema["enum"], (at, value)
    if isinstance(value, dict):
        for name in schema.get("required", []):
            assert name in value, (at, name, list(value))
        for name, part in schema.get("properties", {}).items():
            if name in value:
                check(part, value[name], doc, f"{at}.{name}")
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            check(schema["items"], item, doc, f"{at}.{index}")
    return None


def fits(schema, value, doc):
    try:
        check(schema, value, doc)
    except AssertionError:
        return False
    return True


def is_kind(kind, value):
    if kind in ("integer", "number"):
        return isinstance(value, (int, float)) and not isinstance(value, bool) and (kind == "number" or value == int(value))
    return isinstance(value, {"string": str, "boolean": bool, "object": dict, "array": list, "null": type(None)}[kind])


def resolve(doc, reference):
    assert reference.startswith("#/"), reference
    for part in reference[2:].split("/"):
        doc = doc[part]
    return doc


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


class OpenApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.bell = Linkbell(CONFIG + MORE, ENV)
        cls.bell.ready()
        cls.addClassCleanup(cls.bell.__exit__, None, None, None)
        answer = cls.bell.get("/openapi.json", token=False)
        assert answer.status == 200 and answer.headers["Content-Type"] == "application/json", answer
        cls.doc = answer.json

    def operations(self):
        for path, operations in self.doc["paths"].items():
            for method, operation in operations.items():
                self.assertIn(method, METHODS)
                yield method.upper(), path, operation

    def parameters(self, operation):
        return [resolve(self.doc, part["$ref"]) if "$ref" in part else part for part in operation.get("parameters", [])]

    def test_it_is_well_formed(self):
        self.assertEqual(set(self.doc), {"openapi", "info", "servers", "tags", "paths", "components"})
        self.assertRegex(self.doc["openapi"], r"^3\.1\.\d+$")
        done = subprocess.run([BINARY, "--version"], capture_output=True, text=True, check=True)
        self.assertIn(self.doc["info"]["version"], done.stdout)
        used = set(references(self.doc))
        for reference in used:
            resolve(self.doc, reference)
        for name in self.doc["components"]["schemas"]:
            self.assertIn(f"#/components/schemas/{name}", used, f"{name} is used by nobody")
        tags = {tag["name"] for tag in self.doc["tags"]}
        for method, path, operation in self.operations():
            where = f"{method} {path}"
            self.assertTrue(operation["summary"].endswith("."), where)
            self.assertLessEqual(set(operation["tags"]), tags, where)
            self.assertTrue(operation["responses"], where)
            for status, response in operation["responses"].items():
                self.assertRegex(status, r"^[2-5]\d\d$", where)
                self.assertTrue(response["description"], where)
            names = [part["name"] for part in self.parameters(operation) if part["in"] == "path"]
            self.assertEqual(sorted(names), sorted(re.findall(r"{(\w+)}", path)), where)
            self.assertTrue(all(part["required"] for part in self.parameters(operation) if part["in"] == "path"), where)
            for media in operation.get("requestBody", {}).get("content", {}).values():
                if not isinstance(media.get("example"), str):
                    check(media["schema"], media["example"], self.doc, where)

    def test_it_names_every_route(self):
        text = "\n".join(path.read_text() for folder in ("ingest", "aggregate", "alerts", "geo", "sql")
                         for path in (SOURCE / folder).rglob("*.c"))
        routes = {(method, path) for method, path in re.findall(r'\{\s*"(GET|POST|PUT|DELETE|OPTIONS)",\s*"(/[^"]*)"', text)}
        self.assertGreater(len(routes), 25)
        told = {(method, path) for method, path, _ in self.operations()}
        # A part of a path that is a secret stands as *** there, and one literal may be joined of two.
        mended = {(method, path + "{secret}" if path == "/in/{source}/" else path) for method, path in routes}
        self.assertEqual(mended - UNTOLD - told, set(), "routes that the document does not tell of")
        for method, path, _ in self.operations():
            answer = self.bell.request("PATCH", re.sub(r"{\w+}", "x", path))
            self.assertIn(answer.status, (404, 405, 501), path)
            if answer.status == 405:
                self.assertIn(method, answer.headers["Allow"], path)

    def request_of(self, method, path, operation):
        parameters = self.parameters(operation)
        for part in parameters:
            if part["in"] == "path":
                path = path.replace("{" + part["name"] + "}", part["example"])
        query = [f"{part['name']}={part['example'].replace(' ', '%20')}" for part in parameters
                 if part["in"] == "query" and part.get("required")]
        content = operation.get("requestBody", {}).get("content", {})
        media = next(iter(content), None)
        body = None
        headers = {}
        if media is not None:
            example = content[media]["example"]
            body = example if isinstance(example, str) else json.dumps(example)
            headers["Content-Type"] = media
        return path + ("?" + "&".join(query) if query else ""), body, headers

    def check_answer(self, where, operation, answer):
        told = operation["responses"].get(str(answer.status))
        self.assertIsNotNone(told, (where, answer))
        media = answer.headers["Content-Type"]
        if answer.body and media:
            self.assertIn(media.split(";")[0], told.get("content", {}), (where, answer))
        schema = told.get("content", {}).get("application/json", {}).get("schema")
        if schema is not None and media == "application/json" and answer.status != 304:
            check(schema, answer.json, self.doc, where)

    def test_each_operation_answers_what_it_says(self):
        self.bell.send({"type": "view", "site": "alice.bio", "visitor": "a", "id": "first"},
                       {"type": "lead", "site": "alice.bio", "visitor": "a", "id": "second"})
        wait_for(lambda: self.bell.get("/v1/alerts").json["data"], "an alert")
        order = {"POST": 0, "GET": 1, "PUT": 2, "DELETE": 3}
        seen = {}
        for method, path, operation in sorted(self.operations(), key=lambda row: order[row[0]]):
            where = f"{method} {path}"
            if operation.get("x-endless"):
                continue
            target, body, headers = self.request_of(method, path, operation)
            with self.subTest(where):
                answer = self.bell.request(method, target, body, headers=headers)
                self.check_answer(where, operation, answer)
                seen[where] = answer.status
                if operation["security"]:
                    answer = self.bell.request(method, target, body, headers=headers, token=False)
                    self.assertIn(answer.status, (400, 401, 429), where)  # ten bad ones a minute get 401
                    self.check_answer(where, operation, answer)
        # Examples are good ones: what they ask for is there, and what they make is made.
        allowed = {"DELETE /v1/tokens/{id}": 404, "POST /v1/alerts/{id}/ack": 404, "POST /v1/alerts/{id}/mute": 404, "GET /v1/deliveries/{id}": 404, "POST /v1/deliveries/{id}/retry": 404,
                   "GET /r/{slug}": 302, "POST /v1/erase": 200}
        for where, status in seen.items():
            self.assertIn(status, (200, 201, 202, 204, allowed.get(where)), where)


if __name__ == "__main__":
    unittest.main(verbosity=2)
