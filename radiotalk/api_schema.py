"""What the API's schema tells of errors: the answers that operations share, and every error's body.

A view tells of an error only when it has more to say of it than this table.
"""

from typing import Any, NamedTuple

from rest_framework.permissions import SAFE_METHODS


class Answer(NamedTuple):
    """An error that several operations answer with."""

    name: str
    description: str
    headers: dict[str, Any] = {}


def header(kind: str, description: str) -> dict[str, Any]:
    """Return a header that always comes."""
    return {"description": description, "required": True, "schema": {"type": kind}}


ANSWERS = {
    "400": Answer("BadRequest", "It cannot be read, or a parameter or field is wrong."),
    "401": Answer(
        "Unauthorized",
        "It does not say who asks, or the token lets nobody in any more.",
        {"WWW-Authenticate": header("string", "How to say it.")},
    ),
    "403": Answer("Forbidden", "It has a session, but not the header X-CSRFToken."),
    "404": Answer("NotFound", "There is none, or none that the asking user may see or change."),
    "406": Answer("NotAcceptable", "It accepts no JSON."),
    "409": Answer("Conflict", "Another request changed what this one is about. Try again."),
    "411": Answer("LengthRequired", "It does not say how long its body is."),
    "413": Answer("ContentTooLarge", "Its body is too large."),
    "415": Answer("UnsupportedMediaType", "Its body is of another type than those listed."),
    "429": Answer(
        "TooManyRequests",
        "Too many requests of this kind.",
        {"Retry-After": header("integer", "Seconds until the next is heard.")},
    ),
    "503": Answer(
        "ServiceUnavailable", "The database is away. What was asked may be done all the same."
    ),
}
WITH_FIELDS = {"400", "413"}  # which may tell what is wrong by field

SCHEMAS = {
    "Error": {
        "type": "object",
        "description": "What is wrong, for people.",
        "properties": {"detail": {"type": "string"}},
        "required": ["detail"],
        "additionalProperties": False,
    },
    "FieldErrors": {
        "type": "object",
        "description": "What is wrong, by field; of no single one: `non_field_errors`.",
        "additionalProperties": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "minProperties": 1,
    },
}


def tell_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Return the schema with all its errors; a hook of drf-spectacular's, which runs last."""
    for path in result["paths"].values():
        for method, operation in path.items():
            told = operation["responses"]
            for code in [code for code in told if code >= "400"]:
                told[code] |= body_and_headers(code)
            shared = {code: {"$ref": reference(code)} for code in shared_by(method, operation)}
            operation["responses"] = dict(sorted((shared | told).items()))
    components = result["components"]
    components["schemas"] = dict(sorted((components["schemas"] | SCHEMAS).items()))
    components["responses"] = {
        answer.name: {"description": answer.description} | body_and_headers(code)
        for code, answer in ANSWERS.items()
    }
    return result


def shared_by(method: str, operation: dict[str, Any]) -> set[str]:
    """Return the errors that the operation answers with because of its kind."""
    codes = {"406", "503"}
    parameters = operation.get("parameters", [])
    places = {parameter["in"] for parameter in parameters}
    if places & {"query", "header"}:
        codes |= {"400"}
    if "path" in places or any(parameter["name"] == "page" for parameter in parameters):
        codes |= {"404"}
    if "requestBody" in operation:
        codes |= {"400", "411", "413", "415"}
    by = operation.get("security", [])
    if by:
        codes |= {"401"}
    if method.upper() not in SAFE_METHODS:
        codes |= {"409", "403"} if {"cookieAuth": []} in by else {"409"}
    return codes


def reference(code: str) -> str:
    """Return where the shared answer is."""
    return f"#/components/responses/{ANSWERS[code].name}"


def body_and_headers(code: str) -> dict[str, Any]:
    """Return what comes with this error, whichever operation answers with it."""
    kinds = [{"$ref": f"#/components/schemas/{name}"} for name in SCHEMAS]
    schema = {"oneOf": kinds} if code in WITH_FIELDS else kinds[0]
    told: dict[str, Any] = {"content": {"application/json": {"schema": schema}}}
    if code in ANSWERS and (headers := ANSWERS[code].headers):
        told["headers"] = headers
    return told
