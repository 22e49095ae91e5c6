"""Secrets keep their ARN and their generated value between runs. LocalStack alone would lose both."""

from localstack.runtime import hooks
from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
)
from localstack.utils.id_generator import localstack_id_manager
from moto.secretsmanager.utils import SecretsManagerSecretIdentifier

from tidemark_localstack.resources import PHYSICAL_ID, bring_up


@hooks.on_infra_start()
def generate_secrets_in_engine() -> None:
    from localstack.services.secretsmanager.resource_providers import (
        aws_secretsmanager_secret,
        aws_secretsmanager_secrettargetattachment,
    )

    attachment = aws_secretsmanager_secrettargetattachment.SecretsManagerSecretTargetAttachmentProvider
    secret = aws_secretsmanager_secret.SecretsManagerSecretProvider
    attachment.create = attach
    create = secret.create
    secret.create = lambda self, request: create_secret(self, request, create)


def create_secret(provider: ResourceProvider, request: ResourceRequest, create) -> ProgressEvent:
    """Creates the secret with the ARN and the value that the engine has for it."""
    model = bring_up(request)
    name, suffix = model[PHYSICAL_ID].rsplit(":", 1)[1].rsplit("-", 1)
    request.desired_state = {
        **{key: model[key] for key in ("Description", "KmsKeyId", "Tags") if key in model},
        "Name": name,
        "SecretString": model["Secret"],
    }
    identifier = SecretsManagerSecretIdentifier(request.account_id, request.region_name, name)
    with localstack_id_manager.custom_id(identifier, suffix):
        return create(provider, request)


def attach(provider: ResourceProvider, request: ResourceRequest) -> ProgressEvent:
    """Adds the database's address to its secret, as RDS does. `Ref` returns the secret's ARN."""
    model = bring_up(request)
    value = model.pop("Secret")
    request.aws_client_factory.secretsmanager.put_secret_value(SecretId=model["SecretId"], SecretString=value)
    return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)
