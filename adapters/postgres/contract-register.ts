import type pg from 'pg'
import type { KeptContract } from '#core/batch-plan.ts'
import { parseContract } from '#core/contract.ts'
import { TableRegister } from '#core/table-register.ts'

/** The contracts in force after everything applied of a topic partition. */
export async function loadRegister(
  client: pg.PoolClient,
  topic: string,
  topicPartition: number,
): Promise<TableRegister> {
  const stored = await client.query<{ epoch: number; phase: 0 | 1; lsn: string; contract: unknown }>(
    `select epoch, phase, lsn, contract
     from tidemark.contract
     where topic = $1
       and topic_partition = $2
     order by at_offset`,
    [topic, topicPartition],
  )
  const register = new TableRegister()
  for (const { epoch, phase, lsn, contract } of stored.rows) {
    register.enter(parseContract(contract), { epoch, phase, lsn: Number(lsn) })
  }
  return register
}

/** Keeps contracts with the place from which they are in force; one delivered again changes nothing. */
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
}

const asRow = ({ offset, position, contract }: KeptContract) => ({
  ...position,
  relation: contract.relation,
  version: contract.version,
  at_offset: offset,
  contract,
})
