import {
  type ContractTime,
  contractVersions,
  curesOf,
  listTables,
  type TableCounts,
} from '#core/console/table-listing.ts'
import type { ListedTable, TableDetail } from '#core/console/tables.ts'
import type { TableContract } from '#core/contract.ts'
import type { Status } from '#core/status/status.ts'
import { limitOf, optionalText, wordOf } from '../request-parameters.ts'
import { PartUnreachableError, RequestProblem } from '../request-problem.ts'
import type { RouteHandlers } from '../serve-console.ts'
import type { UnreachableParts } from '../unreachable-parts.ts'

/** What the routes of tables ask. */
export type TablePorts = {
  /** The newest status; null until the first was made. */
  readonly status: () => Promise<Status | null>
  /** Null until they are counted, which no request waits for. */
  readonly countDay: () => TableCounts['changes']
  readonly countQuarantined: () => Promise<TableCounts['quarantined']>
  readonly readUnkept: () => Promise<TableCounts['unkept']>
  /** Undefined if no captured table has or had the name. */
  readonly readFacts: (table: string) => Promise<
    | {
        readonly contracts: readonly { readonly epoch: number; readonly contract: TableContract }[]
        readonly history: TableDetail['history']
        readonly indexes: TableDetail['indexes']
      }
    | undefined
  >
  /** When the source wrote the contracts of these relations; null where the console does not know the source. */
  readonly readContractTimes: ((relations: readonly number[]) => Promise<readonly ContractTime[]>) | null
  readonly parts: Pick<UnreachableParts, 'ask'>
}

const STATES: readonly ListedTable['state'][] = [
  'captured',
  'pending',
  'awaiting writers',
  'snapshotting',
  'stopped',
  'capture is down',
  'not captured',
]

/** The captured tables, and those that are not captured. `after` is the name of the last table of a page. */
export function makeTableRoutes(ports: TablePorts): Pick<RouteHandlers, 'GET /tables' | 'GET /tables/:table'> {
  const { parts } = ports
  const list = async (status: Status) => {
    const [quarantined, unkept] = await parts.ask('target', () =>
      Promise.all([ports.countQuarantined(), ports.readUnkept()]),
    )
    return listTables(status, { changes: ports.countDay(), quarantined, unkept })
  }
  return {
    'GET /tables': async ({ query }) => {
      const search = optionalText(query, 'search')?.toLowerCase()
      const state = wordOf(query, 'state', STATES)
      const after = optionalText(query, 'after')
      const limit = limitOf(query, 100, 1_000)
      const found = (await list(await statusOf(ports))).filter(
        (table) =>
          (search === undefined || table.name.toLowerCase().includes(search)) &&
          (state === undefined || table.state === state) &&
          (after === undefined || table.name > after),
      )
      const items = found.slice(0, limit)
      return { items, next: found.length > limit ? items.at(-1)!.name : null }
    },
    'GET /tables/:table': async ({ params: { table: name = '' } }) => {
      const status = await statusOf(ports)
      const facts = await parts.ask('target', () => ports.readFacts(name))
      const { contracts = [] } = facts ?? {}
      const table = (await list(status)).find((each) => each.name === name)
      if (table === undefined)
        throw new RequestProblem(404, `there is no table ${name}`, 'Write it with its schema, as in public.orders.')
      return {
        table,
        contracts: contractVersions(contracts, await timesOf(ports, contracts)),
        history: facts?.history ?? { isKept: false, retention: null },
        indexes: facts?.indexes ?? [],
        cures: curesOf(status, name),
      }
    },
  }
}

async function statusOf({ status }: TablePorts): Promise<Status> {
  const now = await status()
  if (now === null) throw new RequestProblem(409, 'the first status is still being made', 'Ask again in a few seconds.')
  return now
}

/** A source that does not answer keeps nobody from seeing what the target knows. */
async function timesOf(
  { readContractTimes, parts }: TablePorts,
  contracts: readonly { readonly contract: TableContract }[],
): Promise<readonly ContractTime[]> {
  const relations = [...new Set(contracts.map(({ contract }) => contract.relation))]
  if (readContractTimes === null || relations.length === 0) return []
  try {
    return await parts.ask('source', () => readContractTimes(relations))
  } catch (error) {
    if (error instanceof PartUnreachableError) return []
    throw error
  }
}
