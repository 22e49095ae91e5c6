// Where are the contracts stored that a topic partition has received?

import type pg from 'pg'
import type { KeptContract } from '#core/apply/batch-steps.ts'
import { parseContract } from '#core/contract.ts'
import { TableRegister } from '#core/tables/table-register.ts'
import type { ProgressKey } from '../delivery/progress.ts'
import { nameStopped } from './stopped-tables.ts'

/** The contracts in force after all applied records of a topic partition, or at an offset of it. */
export async function loadRegister(
  client: pg.PoolClient,
  topic: string,
  topicPartition: number,
  beforeOffset?: number,
): Promise<TableRegister> {
  const register = new TableRegister()
  const stored = await client.query<StoredContract>(
    `select at_offset, epoch, phase, lsn, contract
     from tidemark.contract
     where topic = $1
       and topic_partition = $2
       and at_offset < coalesce($3, 9223372036854775807)
     order by at_offset`,
    [topic, topicPartition, beforeOffset ?? null],
  )
  for (const { contract, position } of stored.rows.map(keptContract)) register.enter(contract, position)
  return register
}

/** The contracts of a relation between two offsets of a topic partition. */
export async function contractsBetween(
  client: pg.PoolClient,
  { topic, topicPartition }: ProgressKey,
  relation: number,
  first: number,
  last: number,
): Promise<KeptContract[]> {
  const stored = await client.query<StoredContract>(
    `select at_offset, epoch, phase, lsn, contract
     from tidemark.contract
     where topic = $1
       and topic_partition = $2
       and relation = $3
       and at_offset between $4 and $5
     order by at_offset`,
    [topic, topicPartition, relation, first, last],
  )
  return stored.rows.map(keptContract)
}

type StoredContract = { at_offset: string; epoch: number; phase: 0 | 1; lsn: string; contract: unknown }

const keptContract = ({ at_offset, epoch, phase, lsn, contract }: StoredContract): KeptContract => ({
  offset: Number(at_offset),
  position: { epoch, phase, lsn: Number(lsn) },
  contract: parseContract(contract),
})

/**
 * Stores contracts with the offset and position from which they are in force. A contract that is delivered again
 * changes nothing. A stopped table gets the name of its newest contract.
 */
export async function keepContracts(
  client: pg.PoolClient,
  topic: string,
  topicPartition: number,
  contracts: readonly KeptContract[],
): Promise<void> {
  await client.query(
    `insert into tidemark.contract (topic, topic_partition, epoch, relation, version, at_offset, phase, lsn, contract)
     select $1, $2, k.epoch, k.relation, k.version, k.at_offset, k.phase, k.lsn, k.contract
     from jsonb_to_recordset($3::jsonb)
       as k (epoch integer, relation bigint, version integer, at_offset bigint, phase smallint, lsn bigint, contract jsonb)
     on conflict do nothing`,
    [topic, topicPartition, JSON.stringify(contracts.map(asRow))],
  )
  await nameStopped(client, [...new Set(contracts.map(({ contract }) => contract.relation))])
}

const asRow = ({ offset, position, contract }: KeptContract) => ({
  ...position,
  relation: contract.relation,
  version: contract.version,
  at_offset: offset,
  contract,
})
