import { join } from 'node:path'
import * as v from 'valibot'
import { makePrivateDirectory } from '#localstack/private-file.ts'
import { whileUnderWay } from '#localstack/progress.ts'
import { startPostgres } from '#localstack/servers/postgres/postgres.ts'
import type { LocalAccount } from '../local-account.ts'
import { localOverrides } from '../local-overrides.ts'
import { makeStandIn } from '../stand-in.ts'

/** Stores the parameters for the instance that names the group. */
export const dbParameterGroup = makeStandIn({
  properties: { Parameters: v.optional(v.record(v.string(), v.string())) },
  ignores: ['DBParameterGroupName', 'Description', 'Family', 'Tags'],
  bringUp: (id, { Parameters = {} }, { parameterGroups }) => {
    parameterGroups.set(id, Parameters)
    return { ref: id }
  },
})

/** An embedded Postgres server of its own, with the template's database, administrator and parameters. */
export const dbInstance = makeStandIn({
  properties: {
    Engine: v.literal('postgres'),
    EngineVersion: v.pipe(v.string(), v.regex(/^17(\.|$)/, 'the embedded Postgres is version 17')),
    DBName: v.string(),
    MasterUsername: v.string(),
    MasterUserPassword: v.string(),
    DBParameterGroupName: v.optional(v.string()),
  },
  ignores: [
    'AllocatedStorage',
    'AllowMajorVersionUpgrade',
    'AutoMinorVersionUpgrade',
    'BackupRetentionPeriod',
    'CopyTagsToSnapshot',
    'DBInstanceClass',
    'DBSubnetGroupName',
    'DeletionProtection',
    'KmsKeyId',
    'MaxAllocatedStorage',
    'MultiAZ',
    'PubliclyAccessible',
    'StorageEncrypted',
    'StorageType',
    'Tags',
    'VPCSecurityGroups',
  ],
  attributes: ['Endpoint.Address', 'Endpoint.Port', 'DBInstanceArn', 'DbiResourceId'],
  bringUp: async (id, properties, account) => {
    const { DBName: database, MasterUsername: username, MasterUserPassword: password } = properties
    const { settings, stack, servers, parameterGroups, step, guard, signal } = account
    const port = databasePort(id, account)
    const name = `postgres ${database}`
    const logs = join(settings.directory, 'logs')
    await makePrivateDirectory(logs)
    const service = await step(name, (report) =>
      startPostgres({
        onWaiting: whileUnderWay(report),
        guard,
        signal,
        name,
        database,
        port,
        administrator: { username, password },
        directory: join(settings.directory, 'postgres', database),
        settings: {
          ...serverSettings(parameterGroups.get(properties.DBParameterGroupName ?? '') ?? {}),
          ...localOverrides['AWS::RDS::DBInstance'](),
        },
        logFile: join(logs, `postgres-${database}.log`),
      }),
    )
    servers.push(service)
    const ref = `${stack.name}-${id}`.toLowerCase()
    account.databases.set(ref, { host: '127.0.0.1', port, dbname: database })
    return { ref, attributes: { 'Endpoint.Address': '127.0.0.1', 'Endpoint.Port': String(port) } }
  },
})

/** The port of an instance. Instances get ports in the order of the template. */
export function databasePort(id: string, { stack, settings }: Pick<LocalAccount, 'stack' | 'settings'>): number {
  const ids = Object.entries(stack.template.Resources).filter(([, { Type }]) => Type === 'AWS::RDS::DBInstance')
  return settings.postgresPort + ids.findIndex(([each]) => each === id)
}

/** Leaves out the parameters `rds.…`, which configure RDS itself and which Postgres does not know. */
function serverSettings(parameters: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => !name.startsWith('rds.')))
}
