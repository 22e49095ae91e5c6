// When did the source write the versions of its contracts?

import type pg from 'pg'

/** A version of a contract in an epoch of the source, and when it was written (ISO 8601). */
export type ContractTime = {
  readonly epoch: number
  readonly relation: number
  readonly version: number
  readonly at: string
}

/** The times of the contracts that the source has of its epoch. It deletes older versions when an epoch begins. */
export async function readContractTimes(source: pg.Pool, relations: readonly number[]): Promise<ContractTime[]> {
  const { rows } = await source.query<ContractTime>(
    `select s.epoch, t.relation::float8 as relation, t.version,
       to_char(t.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at
     from tidemark.setting s
     cross join tidemark.table_contract t
     where t.relation = any ($1)
       and t.slot = 0`,
    [relations],
  )
  return rows
}
