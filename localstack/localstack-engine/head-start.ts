import { deploy } from '#localstack/assembly/deploy.ts'
import type { LocalAccount } from '#localstack/assembly/local-account.ts'
import type { StandIn } from '#localstack/assembly/stand-in.ts'

/**
 * Types of servers, and of the resources to which their properties refer. None of them needs a function or a resource
 * that LocalStack makes.
 */
const types: ReadonlySet<string> = new Set([
  'AWS::MSK::Cluster',
  'AWS::MSK::Configuration',
  'AWS::RDS::DBInstance',
  'AWS::RDS::DBParameterGroup',
  'AWS::S3Tables::TableBucket',
  'AWS::SecretsManager::Secret',
])

/**
 * Starts databases, brokers, object store and catalog from the assembly, as the embedded engine does, while LocalStack
 * is still starting. CloudFormation then finds them running. Rejects as `deploy` does.
 */
export async function giveHeadStart(
  account: LocalAccount,
  standInFor: (type: string) => StandIn | undefined,
  abort: (reason: unknown) => void,
): Promise<void> {
  const template = { ...account.stack.template, Outputs: {} }
  const stack = { ...account.stack, template }
  await deploy({ ...account, stack }, (type) => (types.has(type) ? standInFor(type) : undefined), abort)
}
