import type pg from 'pg'
import { watermarkOf } from '#core/windows/watermark.ts'
import { prepared } from '../session/statement.ts'
import { blamingDefinition } from './definition-failure.ts'
import { emitStatement } from './group-statements.ts'
import type { LiveDefinition } from './live-definitions.ts'
import { inTransaction, lockAlone } from './reconcile.ts'

/**
 * Emits the windows of a definition that its watermark has closed, in a transaction that has the definition alone: no
 * row is being counted then, and a transaction that counts one afterwards finds that the window was emitted.
 */
export async function emitClosed(pool: pg.Pool, live: LiveDefinition): Promise<void> {
  const { definition, emittedUntil, reached, partitions } = live
  const now = watermarkOf(partitions, definition)
  const watermark = reached === undefined || (now !== undefined && now > reached) ? now : reached
  if (watermark === undefined || live.stage !== 'shown') return
  const { window, allowedLatenessMicros } = definition
  const closed = (until: bigint) => (until - window.sizeMicros - allowedLatenessMicros) / window.slideMicros
  if (emittedUntil !== undefined && closed(watermark) === closed(emittedUntil)) return
  await inTransaction(pool, async (client) => {
    await lockAlone(client, live)
    const statement = emitStatement(live, watermark)
    await blamingDefinition(live, () => client.query(prepared(statement)))
  })
}
