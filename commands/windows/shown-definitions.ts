import { setTimeout } from 'node:timers/promises'
import type pg from 'pg'
import { type DefinitionVersion, readDefinitionVersions } from '#verify/windows/built-definitions.ts'

/** The newest version of a definition, in words. */
export type NewestVersion = Pick<DefinitionVersion, 'name' | 'state' | 'reason'>

const pollMs = 100

/** Waits at most so long until none of these definitions is being filled, and returns their newest versions. */
export async function waitUntilShown(
  client: pg.Client,
  names: readonly string[],
  waitMs: number,
): Promise<NewestVersion[]> {
  for (const deadline = performance.now() + waitMs; ; ) {
    const versions = await readDefinitionVersions(client)
    const newest = names.flatMap((name) => versions.filter((version) => version.name === name).slice(-1))
    const isUnderWay = newest.some((version) => version.isUnderWay && !version.wasShown)
    if (!isUnderWay || performance.now() > deadline) {
      return newest.map(({ name, state, reason }) => ({ name, state, reason }))
    }
    await setTimeout(pollMs)
  }
}

const explained: Readonly<Record<DefinitionVersion['state'], string>> = {
  'awaiting table': 'waits for its table',
  backfilling: 'is being filled from the rows; it is shown once it is complete: npm run windows -- list',
  shown: 'is shown',
  stopped: 'is stopped',
}

/** A line for each. */
export const describeVersions = (versions: readonly NewestVersion[]): string[] =>
  versions.map(({ name, state, reason }) => `${name}: ${explained[state]}${reason === null ? '' : `: ${reason}`}`)

/** 1 when a definition is stopped, or is not shown although it was waited for, and otherwise 0. */
export const exitCodeOfVersions = (versions: readonly NewestVersion[], waits: boolean): 0 | 1 =>
  versions.some(({ state }) => state === 'stopped' || (waits && state === 'backfilling')) ? 1 : 0
