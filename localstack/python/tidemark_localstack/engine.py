"""Calls the engine that started LocalStack. TIDEMARK_ENGINE_URL is its address, and TIDEMARK_ENGINE_TOKEN is sent to
it.
"""

import json
import os
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from urllib.parse import urlsplit


class EngineError(Exception):
    """The engine refused the request. The message is its reason."""


@dataclass(frozen=True)
class Outcome:
    """The result of an event: what the function answered."""

    payload: bytes
    failed: bool
    logs: str


def ask(path: str, question: Mapping[str, object]) -> dict:
    """Returns the answer of `/_tidemark/localstack/<path>`, which may take as long as a server needs to start."""
    body, _ = _post(path, json.dumps(question).encode())
    return json.loads(body)


def invoke(version: str, request_id: str, payload: bytes) -> Outcome:
    """Runs a version of a function that was added to the engine."""
    body, headers = _post(f"invocations/{version}/{request_id}", payload)
    return Outcome(body, headers["X-Amz-Function-Error"] is not None, _logs(headers))


def _logs(headers: HTTPMessage) -> str:
    return b64decode(headers.get("X-Amz-Log-Result", "")).decode(errors="replace")


def _post(path: str, body: bytes) -> tuple[bytes, HTTPMessage]:
    url = urlsplit(os.environ["TIDEMARK_ENGINE_URL"])
    connection = HTTPConnection(url.hostname or "", url.port)
    try:
        headers = {"Content-Type": "application/json", "Tidemark-Engine-Token": os.environ["TIDEMARK_ENGINE_TOKEN"]}
        connection.request("POST", f"/_tidemark/localstack/{path}", body, headers)
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise EngineError(_reason(answer))
    return answer, response.headers


def _reason(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer.decode(errors="replace")
