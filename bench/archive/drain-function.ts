import type { MSKEvent } from 'aws-lambda'
import {
  type ArchiveFunctions,
  type ArchiveServices,
  makeArchiveFunctions,
} from '#test-support/archive-readers/archive-functions.ts'
import { lastingPool } from '#test-support/databases/lasting-pool.ts'

/** The variable of the functions with the services that they use, as JSON. */
export const DRAIN_SERVICES = 'DRAIN_SERVICES'

/** The services, without what differs between drains. `databaseUrl` is that of any database of the targets' server. */
export type DrainServices = { readonly services: ArchiveServices; readonly databaseUrl: string }

/**
 * The event source of a drain. Its name is also that of a database and of a namespace, which are empty at the start.
 */
export const sourceOfDrain = (drain: string): string => `arn:aws:kafka:us-east-1:000000000000:cluster/${drain}/1`

/** Archives an event. A process stays warm from one drain to the next, like a function that has run before. */
export const archive = (event: MSKEvent): Promise<void> => functionsOf(event.eventSourceArn).archive(event)

/** Commits all archived files that wait. */
export async function commit({ eventSourceArn }: Pick<MSKEvent, 'eventSourceArn'>): Promise<void> {
  await functionsOf(eventSourceArn).commit()
}

let current: { eventSourceArn: string; functions: ArchiveFunctions; end(): Promise<void> } | undefined

function functionsOf(eventSourceArn: string): ArchiveFunctions {
  if (current?.eventSourceArn === eventSourceArn) return current.functions
  void current?.end()
  const drain = eventSourceArn.split('/')[1]!
  const { services, databaseUrl } = JSON.parse(process.env[DRAIN_SERVICES]!) as DrainServices
  const url = new URL(databaseUrl)
  url.pathname = `/${drain}`
  const pool = lastingPool({ connectionString: url.href, max: 4 })
  const functions = makeArchiveFunctions({ ...services, namespace: drain }, pool)
  current = { eventSourceArn, functions, end: () => pool.end() }
  return functions
}
