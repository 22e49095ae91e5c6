import type pg from 'pg'
import { parseContract, type TableContract } from '#core/contract.ts'
import type { WindowDefinition } from '#core/windows/definition.ts'
import { compileFlinkJob } from '#core/windows/flink-sql.ts'
import { findEngine } from '#localstack/engine.ts'
import { readSettings } from '#localstack/settings.ts'
import { UsageError } from '#terminal/usage-error.ts'
import { readFiles } from './check-files.ts'
import type { WindowsArguments } from './windows-arguments.ts'
import { requireWords, withTarget } from './windows-databases.ts'

/** The properties with which Flink's Kafka client logs in to MSK by IAM, with the jar aws-msk-iam-auth. */
const IAM = {
  'security.protocol': 'SASL_SSL',
  'sasl.mechanism': 'AWS_MSK_IAM',
  'sasl.jaas.config': 'software.amazon.msk.auth.iam.IAMLoginModule required;',
  'sasl.client.callback.handler.class': 'software.amazon.msk.auth.iam.IAMClientCallbackHandler',
}

/** Prints a definition as a job in Flink SQL. */
export async function printFlinkJob({ words, json, brokers, iam, ...given }: WindowsArguments): Promise<number> {
  const [name] = words
  if (name === undefined) throw new UsageError('Which definition? It is a file of windows/, without .sql')
  requireWords(words, 1, 'flink takes one name')
  const found = readFiles([]).find((file) => file.name === name)
  if (found === undefined) throw new UsageError(`There is no file windows/${name}.sql`)
  const { definition } = found
  const contract = await withTarget(given, (client) => readContract(client, definition))
  const job = compileFlinkJob(definition, contract, {
    brokers: brokers ?? (await brokersOfStack()),
    changes: 'changes',
    client: iam ? IAM : {},
  })
  if (json) console.log(JSON.stringify(job, null, 2))
  else if (job.kind === 'compiled') console.log(job.sql)
  else console.error(`windows/${name}.sql has no job in Flink:\n${job.reasons.map((one) => `- ${one}`).join('\n')}`)
  return job.kind === 'compiled' ? 0 : 1
}

async function brokersOfStack(): Promise<string> {
  const engine = await findEngine(readSettings(process.env))
  if (engine === undefined) throw new UsageError('No stack runs here: name the brokers with --brokers host:port,…')
  return engine.endpoints.kafka
}

/** The newest contract of the table of a definition. */
async function readContract(client: pg.Client, { source }: WindowDefinition): Promise<TableContract> {
  const { rows } = await client.query<{ contract: unknown }>(
    `select tidemark.newest_contract(m.relation) as contract
     from tidemark.table_marker m
     where (m.schema_name, m.table_name) = ($1, $2)
       and m.dropped_at is null
     order by m.epoch desc
     limit 1`,
    [source.schema, source.table],
  )
  const contract = rows[0]?.contract ?? undefined
  if (contract === undefined) throw new UsageError(`${source.schema}.${source.table} is not in the target yet`)
  return parseContract(contract)
}
