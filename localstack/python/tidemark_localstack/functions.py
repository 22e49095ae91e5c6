"""Functions run in the engine's Lambda host. LocalStack keeps their configuration, concurrency and queues."""

from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from tidemark_localstack import engine


class FunctionExecutor(RuntimeExecutor):
    """One of LocalStack's execution environments. It only counts for the concurrency; the process belongs to the
    engine.
    """

    def start(self, env_vars: dict[str, str]) -> None:
        pass

    def stop(self) -> None:
        pass

    def get_address(self) -> str:
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        return ""

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        request_id = payload["invoke-id"]
        outcome = engine.invoke(_key(self.function_version), request_id, payload["payload"].encode())
        return InvocationResult(request_id, outcome.payload, is_error=outcome.failed, logs=outcome.logs)

    def get_logs(self) -> str:
        return ""

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpacks the code and adds the version to the engine."""
        config = function_version.config
        if config.code is None:
            raise ValueError("functions of container images cannot be run: there is no bundle")
        config.code.prepare_for_execution()
        definition = {
            "name": function_version.id.function_name,
            "arn": function_version.id.unqualified_arn(),
            "handler": config.handler,
            "runtime": config.runtime,
            "codeDirectory": str(config.code.get_unzipped_code_location()),
            "environment": config.environment or {},
            "timeoutSeconds": config.timeout,
            "memoryMb": config.memory_size,
        }
        engine.ask("functions", {"version": _key(function_version), "definition": definition})

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        engine.ask("functions", {"version": _key(function_version)})


class FunctionExecutorPlugin(RuntimeExecutorPlugin):
    name = "tidemark"

    def load(self, *args: object, **kwargs: object) -> type[RuntimeExecutor]:
        return FunctionExecutor


def _key(function_version: FunctionVersion) -> str:
    """The id of a version. It differs after each update of code or configuration."""
    return function_version.config.internal_revision
