import pg from 'pg'
import { makeChoice } from './choice.ts'
import { type History, type Step, stepStatements } from './history.ts'
import { readSchemaFacts } from './schema-facts.ts'

/** The executed statements in order, as SQL that can be pasted, and how many of them succeeded. */
export type Played = { script: string[]; succeeded: number; failed: number }

type Session = { client: pg.Client; number: number; inTransaction: boolean; hasSavepoint: boolean }

/**
 * Plays a history in tables whose names start with `prefix`, one statement after another, each in its session.
 * Statements that Postgres refuses are part of the history. At the end every transaction is ended.
 */
export async function playHistory(url: string, prefix: string, { sessions: count, steps }: History): Promise<Played> {
  const played: Played = { script: [], succeeded: 0, failed: 0 }
  const sessions = await Promise.all(Array.from({ length: count }, (_, number) => openSession(url, number)))
  let names = 0
  const newName = (kind: string) => {
    names += 1
    return `${prefix}${kind}${names}`
  }
  try {
    for (const step of steps) {
      const session = sessions[step.session]!
      for (const sql of await statementsOf(session, step, prefix, newName)) {
        if (!(await execute(session, sql, played))) break
      }
    }
    for (const session of sessions.filter(({ inTransaction }) => inTransaction))
      await execute(session, 'commit', played)
  } finally {
    await Promise.all(sessions.map(({ client }) => client.end()))
  }
  return played
}

async function openSession(url: string, number: number): Promise<Session> {
  const client = new pg.Client({ connectionString: url, application_name: `history ${number}` })
  await client.connect()
  // A session that waits for another one of its history would wait for ever, because they take turns.
  await client.query(`set lock_timeout = '400ms'; set search_path = public`)
  return { client, number, inTransaction: false, hasSavepoint: false }
}

async function statementsOf(
  { client, inTransaction }: Session,
  step: Step,
  prefix: string,
  newName: (kind: string) => string,
): Promise<string[]> {
  const facts = await readSchemaFacts(client, prefix)
  return stepStatements[step.kind]({ ...facts, choice: makeChoice(step.choice), newName, inTransaction })
}

/** Whether the statement succeeded. After a failure the transaction continues from its savepoint, or has ended. */
async function execute(session: Session, sql: string, played: Played): Promise<boolean> {
  try {
    await session.client.query(sql)
    played.script.push(`/* session ${session.number} */ ${sql};`)
    played.succeeded += 1
    noteTransaction(session, sql)
    return true
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error
    played.script.push(`/* session ${session.number} failed: ${error.message.replaceAll('*/', '')} */ -- ${sql}`)
    played.failed += 1
    if (session.inTransaction) {
      await execute(session, session.hasSavepoint ? 'rollback to savepoint s' : 'rollback', played)
    }
    return false
  }
}

function noteTransaction(session: Session, sql: string): void {
  if (sql === 'begin') session.inTransaction = true
  if (sql === 'savepoint s') session.hasSavepoint = true
  if (sql === 'commit' || sql === 'rollback') Object.assign(session, { inTransaction: false, hasSavepoint: false })
}
