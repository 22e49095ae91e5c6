import { escapeIdentifier, escapeLiteral } from 'pg'
import { advice, type Finding, ok, problem } from './finding.ts'
import { settingFix } from './setting-fix.ts'
import type { SourceFacts } from './source-facts.ts'

/** Judges transactions that a new replication slot, and so the initial load, waits for. */
export function judgeTransactions(facts: SourceFacts, oldSeconds: number): Finding[] {
  const old = facts.preparedTransactions.filter(({ seconds }) => seconds >= oldSeconds)
  return [
    facts.oldestTransactionSeconds !== null && facts.oldestTransactionSeconds >= oldSeconds
      ? advice(
          'open transactions',
          `one is ${facts.oldestTransactionSeconds} s old: the initial load begins when it has ended`,
          'select pid, usename, application_name, xact_start, query from pg_stat_activity where backend_xid is not null order by xact_start; -- select pg_terminate_backend(pid) ends one',
        )
      : facts.seesTransactions
        ? ok('open transactions', 'none is old')
        : advice(
            'open transactions',
            `${facts.user} does not see those of others: an old one would delay the initial load`,
            `grant pg_read_all_stats to ${escapeIdentifier(facts.user)};`,
          ),
    old.length === 0
      ? ok('prepared transactions', 'none is old')
      : problem(
          'prepared transactions',
          `the initial load waits for ${old.map(({ gid, seconds }) => `${gid}, ${seconds} s old`).join(', and ')}`,
          old
            .map(({ gid, database }) => {
              // The owner has to decide which of the two is right. The lines are comments, and a name with a line break
              // would end one.
              const name = escapeLiteral(gid).replaceAll(/[\r\n]/g, ' ')
              return `-- in ${database}, either commit prepared ${name}; or rollback prepared ${name};`
            })
            .join('\n'),
        ),
  ]
}

/**
 * If event triggers are turned off, Tidemark does not notice DDL when it happens, and does not read rows again that DDL
 * rewrites.
 */
export function judgeEventTriggers(facts: SourceFacts): Finding[] {
  const { eventTriggersFire, eventTriggersOffFor, mayCreateEventTriggers } = facts
  // A user who cannot create event triggers gets another finding, which says what follows from that.
  if (eventTriggersFire || !mayCreateEventTriggers) return []
  const resets = eventTriggersOffFor.map(({ database, role }) =>
    role === null
      ? `alter database ${database} reset event_triggers;`
      : `alter role ${role}${database === null ? '' : ` in database ${database}`} reset event_triggers;`,
  )
  const fix = resets.length > 0 ? resets : [settingFix(facts, 'event_triggers', null, false)]
  return [problem('event_triggers', 'off: DDL would not be noticed', fix.join('\n'))]
}

/**
 * Texts are sent as UTF-8. Postgres converts them from every encoding except SQL_ASCII, which does not define the
 * meaning of bytes.
 */
export function judgeEncoding({ encoding, database }: SourceFacts, foreign: readonly string[]): Finding {
  if (encoding !== 'SQL_ASCII') return ok('encoding', encoding)
  if (foreign.length > 0) {
    return problem(
      'encoding',
      `SQL_ASCII, and bytes in ${foreign.join(', ')} are not UTF-8: they would arrive as different text`,
      `-- dump ${database}, convert the dump to UTF-8, and restore it into a database with: create database … template template0 encoding 'UTF8'`,
    )
  }
  return advice(
    'encoding',
    'SQL_ASCII: what it holds now is UTF-8, but clients may store other bytes, which would arrive as different text',
    `alter database ${escapeIdentifier(database)} set client_encoding = 'UTF8'; -- and no client may set another`,
  )
}
