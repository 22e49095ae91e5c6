import type { QuarantinedDetail, QuarantinedItem } from '#core/console/quarantine.ts'
import type { ShownRecord } from '#core/console/topics.ts'
import { cursorOf, limitOf, optionalText } from '../request-parameters.ts'
import { RequestProblem } from '../request-problem.ts'
import type { RouteHandlers } from '../serve-console.ts'
import type { UnreachableParts } from '../unreachable-parts.ts'

/** A place in quarantine. */
export type QuarantinePlace = { readonly topic: string; readonly topicPartition: number; readonly offset: string }

/** A record in quarantine, and what can be done with it. */
export type KeptRecord = Omit<QuarantinedDetail, 'neighbours' | 'choices'> & {
  /** How the stop of its table is resolved; null if the table is not stopped. */
  readonly repair: 'accept' | 'resync' | null
  /** Whether it is part of the rows of a captured table. */
  readonly isOwed: boolean
}

/** What the routes of the quarantine ask. */
export type QuarantinePorts = {
  /** Undefined for a text that is no place. */
  readonly parsePlace: (text: string) => QuarantinePlace | undefined
  readonly list: (
    table: string | undefined,
    after: QuarantinePlace | undefined,
    limit: number,
  ) => Promise<QuarantinedItem[]>
  readonly read: (place: QuarantinePlace) => Promise<KeptRecord | undefined>
  /** The records before and after a place in its topic partition; empty where Kafka no longer has them. */
  readonly readNeighbours: (place: QuarantinePlace) => Promise<readonly ShownRecord[]>
  readonly parts: Pick<UnreachableParts, 'ask'>
}

/** The records in quarantine. */
export function makeQuarantineRoutes(
  ports: QuarantinePorts,
): Pick<RouteHandlers, 'GET /quarantine' | 'GET /quarantine/:place'> {
  const { parts } = ports
  return {
    'GET /quarantine': async ({ query }) => {
      const after = cursorOf(optionalText(query, 'after'), ports.parsePlace)
      const limit = limitOf(query, 50, 200)
      const found = await parts.ask('target', () => ports.list(optionalText(query, 'table'), after, limit + 1))
      const items = found.slice(0, limit)
      return { items, next: found.length > limit ? items.at(-1)!.place : null }
    },
    'GET /quarantine/:place': async ({ params: { place: text = '' } }) => {
      const place = ports.parsePlace(text)
      if (place === undefined) throw new RequestProblem(400, `${text} is no place`, 'Write it as changes-2@17.')
      const record = await parts.ask('target', () => ports.read(place))
      if (record === undefined) {
        throw new RequestProblem(
          404,
          `no record in quarantine is at ${text}`,
          'It was applied, discarded, or deleted by a resync.',
        )
      }
      const neighbours = await ports.readNeighbours(place)
      const { repair, isOwed, ...shown } = record
      return { ...shown, neighbours, choices: choicesOf(place, record) }
    },
  }
}

/** What may be done with a record, and what each does to the order of changes. */
export function choicesOf(
  { topic }: Pick<QuarantinePlace, 'topic'>,
  { place, table, repair, isOwed }: Pick<KeptRecord, 'place' | 'table' | 'repair' | 'isOwed'>,
): QuarantinedDetail['choices'] {
  const choices: QuarantinedDetail['choices'][number][] = []
  if (topic === 'user-events') {
    const does = 'This event is applied again by itself. The order of events is theirs, whenever they are applied.'
    choices.push({ action: 'quarantine.retry', target: place, does })
  }
  if (isOwed && table !== null && repair === 'accept') {
    const does = `All changes of ${table} in quarantine are applied in their order, and then the later ones. If one fails again, the table stops again.`
    choices.push({ action: 'table.accept', target: table, does })
  }
  if (isOwed && table !== null) {
    const does = `The rows of ${table} are read again from the source, and its changes in quarantine are deleted: the rows have them.`
    choices.push({ action: 'table.resync', target: table, does })
  } else if (!isOwed) {
    const does =
      'This record is deleted. It is no part of the rows of a captured table, so no order of changes is lost.'
    choices.push({ action: 'quarantine.discard', target: place, does })
  }
  return choices
}
