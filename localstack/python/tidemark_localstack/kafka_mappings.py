"""LocalStack keeps and lists Kafka event source mappings as AWS does. The engine's poller finds them there and polls.
"""

from typing import Any, NoReturn

from localstack.services.lambda_.event_source_mapping.pollers.poller import EmptyPollResultsException, Poller
from localstack.services.lambda_.hooks import create_event_source_poller, set_event_source_config_defaults


class IdlePoller(Poller):
    """A poller that finds nothing. LocalStack's worker only keeps the state of the mapping."""

    def event_source(self) -> str:
        return "aws:kafka"

    def poll_events(self) -> NoReturn:
        raise EmptyPollResultsException("kafka", "")


@create_event_source_poller()
def leave_polling_to_engine(holder: Any, service: str, mapping: dict[str, Any]) -> None:
    if is_kafka(service, mapping):
        holder.create_poller_fn = _idle


@set_event_source_config_defaults()
def set_kafka_defaults(defaults: dict[str, Any], request: dict[str, Any], service: str) -> None:
    """Sets the defaults of the Lambda API reference, "CreateEventSourceMapping"."""
    if not is_kafka(service, request):
        return
    managed = service == "kafka"
    group = "AmazonManagedKafkaEventSourceConfig" if managed else "SelfManagedKafkaEventSourceConfig"
    defaults["BatchSize"] = 100
    defaults["LastProcessingResult"] = "No records processed"
    defaults[group] = {"ConsumerGroupId": defaults["UUID"]}


def is_kafka(service: str, mapping: dict[str, Any]) -> bool:
    """Self-managed Kafka has no ARN that names its service."""
    return service == "kafka" or "SelfManagedEventSource" in mapping


def _idle(*, processor: Any, **_: Any) -> Poller:
    return IdlePoller(processor=processor)
