import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writePrivately } from '#localstack/private-file.ts'
import type { Positions, TopicState } from './follow-topics.ts'

/**
 * The positions at which the last watch stopped, by the id of the topic, which is a new one after the topic was created
 * again. A watch of one table passes changes of other tables without showing them, so it has positions of its own, by
 * id and table.
 */
type Stored = Record<string, { topic: string; offsets: number[] }>

/** The positions at which a watch begins, and the reason. */
export type Beginning = {
  readonly positions: Map<string, number[]>
  /** The number of records from there to the end of the topics. */
  readonly behind: number
  readonly from: 'the end' | 'the beginning' | 'where the last watch stopped'
  /** The number of records that the last watch did not show and that no longer exist in the topics. */
  readonly gone: number
}

const fileIn = (directory: string): string => join(directory, 'watch', 'positions.json')

async function readStored(directory: string): Promise<Stored> {
  try {
    return JSON.parse(await readFile(fileIn(directory), 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}

const nameOf = (id: string, table: string | undefined): string => (table === undefined ? id : `${id} ${table}`)

/**
 * The positions after the last shown changes of the table, by watches of it or of every table. Undefined if there was
 * none.
 */
function lastShown(stored: Stored, id: string, table: string | undefined): number[] | undefined {
  const ofAll = stored[nameOf(id, undefined)]?.offsets
  const own = stored[nameOf(id, table)]?.offsets
  return own?.map((offset, partition) => Math.max(offset, ofAll?.[partition] ?? 0)) ?? ofAll
}

/**
 * Finds where to begin: where the last watch of these topics that showed the table (or every table, if none is given)
 * stopped; otherwise at the end, or at the beginning if `fromStart`.
 */
export async function findBeginning(
  directory: string,
  states: ReadonlyMap<string, TopicState>,
  fromStart: boolean,
  table?: string,
): Promise<Beginning> {
  const stored = fromStart ? {} : await readStored(directory)
  let [behind, gone] = [0, 0]
  let isResumed = false
  const positions = new Map(
    [...states].map(([topic, { id, first, end }]) => {
      const known = lastShown(stored, id, table)
      isResumed ||= known !== undefined
      const offsets = end.map((last, partition) => {
        const wanted = fromStart ? first[partition]! : (known?.[partition] ?? last)
        const offset = Math.min(last, Math.max(first[partition]!, wanted))
        behind += last - offset
        gone += Math.max(0, first[partition]! - wanted)
        return offset
      })
      return [topic, offsets]
    }),
  )
  const from = fromStart ? 'the beginning' : isResumed ? 'where the last watch stopped' : 'the end'
  return { positions, behind, gone, from }
}

/**
 * Stores the positions for the next watch of the table, or of every table. Positions of other topics and tables are
 * kept.
 */
export async function storePositions(
  directory: string,
  states: ReadonlyMap<string, TopicState>,
  positions: Positions,
  table?: string,
): Promise<void> {
  const own = [...positions].map(
    ([topic, offsets]) => [nameOf(states.get(topic)!.id, table), { topic, offsets }] as const,
  )
  const file = fileIn(directory)
  await mkdir(dirname(file), { recursive: true })
  await writePrivately(file, JSON.stringify({ ...(await readStored(directory)), ...Object.fromEntries(own) }))
}
