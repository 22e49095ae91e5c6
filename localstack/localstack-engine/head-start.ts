import { deploy } from '#localstack/assembly/deploy.ts'
import type { LocalAccount } from '#localstack/assembly/local-account.ts'
import type { StandIn } from '#localstack/assembly/stand-in.ts'

/** Servers and what their properties refer to: nothing that LocalStack has to have made, no function. */
const types: ReadonlySet<string> = new Set([
  'AWS::MSK::Cluster',
  'AWS::MSK::Configuration',
  'AWS::RDS::DBInstance',
  'AWS::RDS::DBParameterGroup',
  'AWS::S3Tables::TableBucket',
  'AWS::SecretsManager::Secret',
])

/**
 * Brings databases, brokers, object store and catalog up from the assembly, as the embedded engine does, while LocalStack is
 * still being prepared: CloudFormation then finds them. Rejects as `deploy` does.
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
