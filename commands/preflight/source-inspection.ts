import { type ClientBase, escapeIdentifier } from 'pg'
import { advice, type Finding, ok, problem } from './finding.ts'
import { judgeLargeValues, readLargeValues } from './large-values.ts'
import { readSourceFacts, type SourceFacts } from './source-facts.ts'
import { judgeEncoding, judgeEventTriggers, judgeTransactions } from './source-hazards.ts'
import { namesCaptureRole, readTableFacts, type TableFacts, tablesWithForeignBytes } from './table-facts.ts'

/** Everything the preflight found. */
export type Inspection = {
  ready: boolean
  database: string
  version: string
  findings: Finding[]
  tables: TableFacts[]
}

const LONG_TRANSACTION_SECONDS = 60

const OLDEST_MAJOR = 14
/** Later ones are not refused, but nobody has tried them. */
const NEWEST_TRIED_MAJOR = 18

/** From these minor versions on, a table may join the publication beside open transactions without a loss. */
const EXACT_SINCE: Readonly<Record<number, number>> = { 14: 18, 15: 13, 16: 9, 17: 5 }

/** Looks at a source and the tables of some schemas. Leaves nothing behind. A transaction is old after `oldSeconds`. */
export async function inspectSource(
  client: ClientBase,
  schemas: string[],
  oldSeconds = LONG_TRANSACTION_SECONDS,
): Promise<Inspection> {
  const facts = await readSourceFacts(client)
  const tables = facts.standby || isTooOld(facts) ? [] : await readTableFacts(client, schemas)
  const findings = isTooOld(facts)
    ? [judgeVersion(facts)]
    : [
        ...judgeServer(facts),
        ...judgeTransactions(facts, oldSeconds),
        ...judgeEventTriggers(facts),
        judgeEncoding(facts, await findForeignBytes(client, facts, tables)),
        ...judgeRights(facts),
        ...judgeCaptureRole(facts, tables),
        judgeLargeValues(await readLargeValues(client, tables)),
      ]
  return {
    ready: findings.every(({ level }) => level !== 'problem'),
    database: facts.database,
    version: facts.versionText,
    findings,
    tables,
  }
}

/** Only where there is no encoding all rows are read. */
const findForeignBytes = (client: ClientBase, { encoding }: SourceFacts, tables: readonly TableFacts[]) =>
  encoding === 'SQL_ASCII'
    ? tablesWithForeignBytes(
        client,
        tables.filter(({ refusals }) => refusals.length === 0),
      )
    : Promise.resolve([])

/** What the server's version and settings allow. */
export function judgeServer(facts: SourceFacts): Finding[] {
  const { slots, slotsUsed, walSenders, walSendersUsed, slotWalKeepMegabytes } = facts
  const setting = (name: string, value: string, restart: boolean) => {
    if (facts.rds) {
      const parameter = name === 'wal_level' ? 'rds.logical_replication = 1' : `${name} = ${value}`
      return `-- in the parameter group: ${parameter}${restart ? ', then reboot' : ''}`
    }
    return `alter system set ${name} = '${value}'; ${restart ? '-- then restart the server' : 'select pg_reload_conf();'}`
  }
  return [
    judgeVersion(facts),
    facts.standby
      ? problem('kind', 'a standby, which cannot be the source', '-- give the URL of the primary')
      : ok('kind', 'a primary'),
    facts.walLevel === 'logical' || (facts.walLevel === 'replica' && majorOf(facts) >= 19)
      ? ok('wal_level', facts.walLevel)
      : problem('wal_level', facts.walLevel, setting('wal_level', 'logical', true)),
    slotsUsed < slots
      ? ok('replication slots', `${slots - slotsUsed} of ${slots} free`)
      : problem('replication slots', `all ${slots} in use`, setting('max_replication_slots', `${slots + 5}`, true)),
    walSendersUsed < walSenders
      ? ok('wal senders', `${walSenders - walSendersUsed} of ${walSenders} free`)
      : problem('wal senders', `all ${walSenders} in use`, setting('max_wal_senders', `${walSenders + 5}`, true)),
    slotWalKeepMegabytes >= 0
      ? ok('max_slot_wal_keep_size', `${slotWalKeepMegabytes} MB`)
      : advice(
          'max_slot_wal_keep_size',
          'no limit: a connector that is down for long fills the disk',
          setting('max_slot_wal_keep_size', facts.rds ? '51200' : '50GB', false),
        ),
    facts.idleSlotTimeoutSeconds === 0
      ? ok('idle_replication_slot_timeout', 'none')
      : advice(
          'idle_replication_slot_timeout',
          `${facts.idleSlotTimeoutSeconds} s: a connector that is down for longer loses its place, and every table is read again`,
          setting('idle_replication_slot_timeout', '0', false),
        ),
  ]
}

const majorOf = ({ version }: SourceFacts): number => Math.floor(version / 10_000)

const isTooOld = (facts: SourceFacts): boolean => majorOf(facts) < OLDEST_MAJOR

function judgeVersion(facts: SourceFacts): Finding {
  const { version, versionText } = facts
  const major = majorOf(facts)
  const tried = `${OLDEST_MAJOR} to ${NEWEST_TRIED_MAJOR}`
  if (isTooOld(facts)) {
    return problem('version', `${versionText} cannot be the source: ${tried} can`, '-- upgrade the server')
  }
  if (major > NEWEST_TRIED_MAJOR) {
    return advice('version', `${versionText} is not tried: ${tried} are`, '-- try it with a copy of the database first')
  }
  const exactSince = EXACT_SINCE[major] ?? 0
  return version % 10_000 >= exactSince
    ? ok('version', versionText)
    : advice(
        'version',
        `${versionText} may lose changes while tables are added`,
        `-- upgrade to ${major}.${exactSince}`,
      )
}

/** What the user may do of what the installation does. */
export function judgeRights(facts: SourceFacts): Finding[] {
  const user = escapeIdentifier(facts.user)
  const database = escapeIdentifier(facts.database)
  return [
    facts.mayCreateInDatabase
      ? ok('create in the database', 'yes')
      : problem('create in the database', `${facts.user} may not`, `grant create on database ${database} to ${user};`),
    facts.mayCreateRoles
      ? ok('create roles', 'yes')
      : problem('create roles', `${facts.user} may not`, `alter role ${user} createrole;`),
    facts.mayGrantReplication
      ? ok('grant replication', 'yes')
      : problem('grant replication', `${facts.user} may not`, replicationFix(facts, user)),
    facts.mayCreateEventTriggers
      ? ok('event triggers', 'yes')
      : advice(
          'event triggers',
          `${facts.user} may not make them: contracts follow DDL when publish_contracts is called after it`,
          '-- end each migration of yours with: select tidemark.publish_contracts();',
        ),
  ]
}

/** Policies for tidemark_capture cannot be made before the role, which the installation makes later. */
export function judgeCaptureRole(
  { captureRoleExists }: Pick<SourceFacts, 'captureRoleExists'>,
  tables: readonly TableFacts[],
): Finding[] {
  const name = 'role tidemark_capture'
  if (captureRoleExists || !tables.some(namesCaptureRole)) return []
  return [advice(name, 'does not exist yet, and policies below name it', 'create role tidemark_capture login;')]
}

/** The least right that does: on RDS a membership, elsewhere the attribute, which only a superuser hands on before 16. */
function replicationFix({ rds, version }: SourceFacts, user: string): string {
  if (rds) return `grant rds_replication to ${user} with admin option;`
  return version >= 160_000
    ? `alter role ${user} replication;`
    : `alter role ${user} superuser; -- before version 16 nobody else may let a role replicate`
}
