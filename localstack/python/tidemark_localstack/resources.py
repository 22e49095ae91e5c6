"""Resources that LocalStack's open core does not have. The engine's stand-ins bring them up and return their
identifiers.
"""

from typing import Any

from localstack.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
)

from tidemark_localstack import engine

PHYSICAL_ID = "TidemarkPhysicalId"


class StandIn(ResourceProvider):
    """Resources of any type. `Ref` and `Fn::GetAtt` return what the engine answers."""

    SCHEMA = {"primaryIdentifier": [f"/properties/{PHYSICAL_ID}"], "properties": {}}

    def create(self, request: ResourceRequest) -> ProgressEvent:
        return _done(bring_up(request))

    def update(self, request: ResourceRequest) -> ProgressEvent:
        return _done(bring_up(request))

    def delete(self, request: ResourceRequest) -> ProgressEvent:
        engine.ask("resources", {**_resource(request), "action": "take down"})
        return _done({})


def bring_up(request: ResourceRequest) -> dict[str, Any]:
    """The resource's properties with its physical id, its attributes, and `Secret` when it has a secret value."""
    answer = engine.ask("resources", {**_resource(request), "action": "bring up"})
    model = {**request.desired_state, PHYSICAL_ID: answer["ref"]}
    for name, value in answer["attributes"].items():
        _put(model, name.split("."), value)
    if "secret" in answer:
        model["Secret"] = answer["secret"]
    return model


def _resource(request: ResourceRequest) -> dict[str, Any]:
    properties = {name: value for name, value in request.desired_state.items() if name != PHYSICAL_ID}
    return {"type": request.resource_type, "id": request.logical_resource_id, "properties": properties}


def _put(model: dict[str, Any], path: list[str], value: Any) -> None:
    """Puts a value at a path: `Endpoint.Port` is `Port` of `Endpoint`. CloudFormation expects every number and boolean
    as text.
    """
    *outer, last = path
    for name in outer:
        model = model.setdefault(name, {})
    model[last] = value if isinstance(value, (str, list, dict)) else str(value)


def _done(model: dict[str, Any]) -> ProgressEvent:
    return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)


def _plugin(resource_type: str) -> type[CloudFormationResourceProviderPlugin]:
    class StandInPlugin(CloudFormationResourceProviderPlugin):
        name = resource_type

        def __init__(self) -> None:
            self.factory: type[ResourceProvider] | None = None

        def load(self, *args: object, **kwargs: object) -> None:
            self.factory = StandIn

    return StandInPlugin


custom_resource = _plugin("AWS::CloudFormation::CustomResource")
dashboard = _plugin("AWS::CloudWatch::Dashboard")
ec2_security_group_egress = _plugin("AWS::EC2::SecurityGroupEgress")
ec2_security_group_ingress = _plugin("AWS::EC2::SecurityGroupIngress")
ecs_cluster = _plugin("AWS::ECS::Cluster")
ecs_service = _plugin("AWS::ECS::Service")
ecs_task_definition = _plugin("AWS::ECS::TaskDefinition")
glue_database = _plugin("AWS::Glue::Database")
msk_batch_scram_secret = _plugin("AWS::MSK::BatchScramSecret")
msk_cluster = _plugin("AWS::MSK::Cluster")
msk_configuration = _plugin("AWS::MSK::Configuration")
msk_topic = _plugin("AWS::MSK::Topic")
rds_instance = _plugin("AWS::RDS::DBInstance")
rds_parameter_group = _plugin("AWS::RDS::DBParameterGroup")
rds_subnet_group = _plugin("AWS::RDS::DBSubnetGroup")
s3tables_bucket = _plugin("AWS::S3Tables::TableBucket")
s3tables_bucket_policy = _plugin("AWS::S3Tables::TableBucketPolicy")
service_discovery_namespace = _plugin("AWS::ServiceDiscovery::PrivateDnsNamespace")
service_discovery_service = _plugin("AWS::ServiceDiscovery::Service")
