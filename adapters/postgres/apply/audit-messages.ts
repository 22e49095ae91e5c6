import type pg from 'pg'
import type { AuditMessage } from '#core/wire/change.ts'
import { isObject } from '#core/wire/wire-envelope.ts'
import { parseShallow, WireError } from '#core/wire/wire-json.ts'
import { storableJson } from '../session/storable-text.ts'

/**
 * Stores audit messages, which transactions of the source write about themselves. A message that is delivered again
 * changes nothing.
 */
export async function keepAudits(client: pg.PoolClient, messages: readonly AuditMessage[]): Promise<void> {
  await client.query(
    `insert into tidemark.audit_message (epoch, txid, lsn, committed_at, who, application, why, details)
     select m.epoch, m.txid, m.lsn, to_timestamp(m.at / 1000), m.who, m.application, m.why, m.details
     from jsonb_to_recordset($1::jsonb) as m (epoch integer, txid bigint, lsn bigint, at float8, who text, application text,
       why text, details jsonb)
     on conflict do nothing`,
    [storableJson(JSON.stringify(messages.map(auditRow)))],
  )
}

function auditRow({ position, txId, committedAtMs, text }: AuditMessage) {
  const place = { epoch: position.epoch, txid: txId ?? 0, lsn: position.lsn, at: committedAtMs }
  const { who, application, why, ...details } = membersOf(text)
  return { ...place, who, application, why, details: Object.keys(details).length === 0 ? null : details }
}

/** The members of the message. A message that is not a JSON object becomes one with the member `text`. */
function membersOf(text: string): Record<string, unknown> {
  try {
    const parsed = parseShallow(text)
    if (isObject(parsed)) return parsed
  } catch (error) {
    if (!(error instanceof WireError)) throw error
  }
  return { text }
}
