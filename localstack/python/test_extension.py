"""Tests the extension against an engine that sends the answers of a test. localstack-engine.full.test.ts runs it."""

import json
import os
import unittest
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace

from localstack.services.lambda_.event_source_mapping.pollers.poller import EmptyPollResultsException
from tidemark_localstack import browser_requests, engine, kafka_mappings, resources
from tidemark_localstack.functions import FunctionExecutor


class Engine:
    """Sends the same answer to every request, and keeps the requests."""

    def __init__(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        asked = self.asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class ExtensionTest(unittest.TestCase):
    def engine(self, answer: object, status: int = 200, headers: dict[str, str] | None = None) -> Engine:
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        started = Engine(status, body, headers or {})
        self.addCleanup(started.stop)
        os.environ["TIDEMARK_ENGINE_TOKEN"] = "token"
        os.environ["TIDEMARK_ENGINE_URL"] = f"http://127.0.0.1:{started.server.server_port}"
        return started


def request(properties: dict) -> SimpleNamespace:
    return SimpleNamespace(
        resource_type="AWS::RDS::DBInstance", logical_resource_id="Source", desired_state=properties
    )


class Resources(ExtensionTest):
    def test_are_what_the_engine_says_attributes_within_attributes_and_numbers_as_text(self) -> None:
        attributes = {"Endpoint.Address": "127.0.0.1", "Endpoint.Port": 15432, "Data": {"a": [1]}}
        started = self.engine({"ref": "tidemark-source", "attributes": attributes})

        done = resources.StandIn().create(request({"DBName": "source"}))

        self.assertEqual(
            done.resource_model,
            {
                "DBName": "source",
                "Endpoint": {"Address": "127.0.0.1", "Port": "15432"},
                "Data": {"a": [1]},
                resources.PHYSICAL_ID: "tidemark-source",
            },
        )
        self.assertEqual(started.asked[0][0], "/_tidemark/localstack/resources")
        self.assertEqual(
            json.loads(started.asked[0][1]),
            {
                "action": "bring up",
                "type": "AWS::RDS::DBInstance",
                "id": "Source",
                "properties": {"DBName": "source"},
            },
        )

    def test_are_taken_down_by_the_engine(self) -> None:
        started = self.engine({})

        resources.StandIn().delete(request({"DBName": "source", resources.PHYSICAL_ID: "tidemark-source"}))

        asked = json.loads(started.asked[0][1])
        self.assertEqual((asked["action"], asked["properties"]), ("take down", {"DBName": "source"}))

    def test_that_cannot_be_brought_up_fail_with_the_reason_of_the_engine(self) -> None:
        self.engine({"message": "Port 15432 is in use"}, status=500)

        with self.assertRaisesRegex(engine.EngineError, "Port 15432 is in use"):
            resources.StandIn().create(request({}))


class Functions(ExtensionTest):
    def test_run_in_the_engine_and_keep_their_log(self) -> None:
        log = b64encode("START\nnaïve\nEND".encode()).decode()
        headers = {"X-Amz-Function-Error": "Unhandled", "X-Amz-Log-Result": log}
        started = self.engine(b'{"errorMessage":"no"}', headers=headers)
        version = SimpleNamespace(config=SimpleNamespace(internal_revision="r-1"))

        result = FunctionExecutor("environment", version).invoke({"invoke-id": "i-1", "payload": '{"é":1}'})

        self.assertEqual(started.asked, [("/_tidemark/localstack/invocations/r-1/i-1", '{"é":1}'.encode())])
        self.assertEqual((result.is_error, result.payload), (True, b'{"errorMessage":"no"}'))
        self.assertEqual((result.request_id, result.logs), ("i-1", "START\nnaïve\nEND"))


class KafkaMappings(unittest.TestCase):
    def test_take_the_defaults_of_the_api(self) -> None:
        managed, self_managed, queue = ({"UUID": "u-1"}, {"UUID": "u-2"}, {"UUID": "u-3"})
        kafka_mappings.set_kafka_defaults(managed, {}, "kafka")
        kafka_mappings.set_kafka_defaults(self_managed, {"SelfManagedEventSource": {}}, "")
        kafka_mappings.set_kafka_defaults(queue, {}, "mq")

        self.assertEqual(managed["BatchSize"], 100)
        self.assertEqual(managed["AmazonManagedKafkaEventSourceConfig"], {"ConsumerGroupId": "u-1"})
        self.assertEqual(self_managed["SelfManagedKafkaEventSourceConfig"], {"ConsumerGroupId": "u-2"})
        self.assertEqual(queue, {"UUID": "u-3"})

    def test_are_not_polled_within_localstack(self) -> None:
        kafka, other = SimpleNamespace(create_poller_fn=None), SimpleNamespace(create_poller_fn=None)
        kafka_mappings.leave_polling_to_engine(kafka, "kafka", {})
        kafka_mappings.leave_polling_to_engine(other, "mq", {})

        poller = kafka.create_poller_fn(arn="arn:aws:kafka:::cluster/c/1", client=None, processor=SimpleNamespace())

        self.assertIsNone(other.create_poller_fn)
        with self.assertRaises(EmptyPollResultsException):
            poller.poll_events()


class BrowserRequests(unittest.TestCase):
    def test_of_programs_and_of_pages_of_its_own_are_answered(self) -> None:
        for host in ["127.0.0.1:4566", "localhost", "[::1]:4566", "bucket.localhost:4566", "s3.LOCALHOST.localstack.cloud:4566"]:
            self.assertFalse(browser_requests.comes_from_page_elsewhere(host, None), host)
            self.assertFalse(browser_requests.comes_from_page_elsewhere(host, f"http://{host}"), host)

    def test_of_other_pages_are_refused(self) -> None:
        for host in ["", "example.org:4566", "localhost.example.org", "127.0.0.1.example.org", "evil-localhost"]:
            self.assertTrue(browser_requests.comes_from_page_elsewhere(host, None), host)
        for origin in ["https://example.org", "https://app.localstack.cloud", "http://localhost:3000", "null", "file://"]:
            self.assertTrue(browser_requests.comes_from_page_elsewhere("localhost:4566", origin), origin)


if __name__ == "__main__":
    unittest.main()
