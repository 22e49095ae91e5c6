import { type ClientBase, escapeIdentifier } from 'pg'
import { requireNames } from '#terminal/table-names.ts'
import { advice, type Finding, ok, problem } from './finding.ts'
import { judgeLargeValues, readLargeValues } from './large-values.ts'
import { settingFix } from './setting-fix.ts'
import { readSourceFacts, type SourceFacts } from './source-facts.ts'
import { judgeEncoding, judgeEventTriggers, judgeTransactions } from './source-hazards.ts'
import {
  namesCaptureRole,
  readSchemas,
  readTableFacts,
  type TableFacts,
  tablesWithForeignBytes,
} from './table-facts.ts'

/** Everything that the preflight found. */
export type Inspection = {
  ready: boolean
  database: string
  version: string
  findings: Finding[]
  tables: TableFacts[]
}

const LONG_TRANSACTION_SECONDS = 60

const OLDEST_MAJOR = 14
/** Later versions are not refused, but are untested. */
const NEWEST_TRIED_MAJOR = 18

/** Since these minor versions, a table can join the publication while transactions are open, without losing changes. */
const EXACT_SINCE: Readonly<Record<number, number>> = { 14: 18, 15: 13, 16: 9, 17: 5 }

/**
 * Checks a source and the tables of some schemas. Leaves nothing behind. Throws a UsageError for a schema that does not
 * exist. A transaction counts as old after `oldSeconds`. What only the rows of tables show is left out where just the
 * `catalog` is read, which is fast.
 */
export async function inspectSource(
  client: ClientBase,
  schemas: string[],
  oldSeconds = LONG_TRANSACTION_SECONDS,
  reads: 'rows' | 'catalog' = 'rows',
): Promise<Inspection> {
  requireNames('schema', schemas, await readSchemas(client))
  const facts = await readSourceFacts(client)
  const tables = facts.standby || isTooOld(facts) ? [] : await readTableFacts(client, schemas)
  const findings = isTooOld(facts)
    ? [judgeVersion(facts)]
    : [
        ...judgeServer(facts),
        ...judgeTransactions(facts, oldSeconds),
        ...judgeEventTriggers(facts),
        ...(reads === 'rows' ? [judgeEncoding(facts, await findForeignBytes(client, facts, tables))] : []),
        ...judgeRights(facts),
        ...judgeCaptureRole(facts, tables),
        ...(reads === 'rows' ? [judgeLargeValues(await readLargeValues(client, tables))] : []),
      ]
  return {
    ready: findings.every(({ level }) => level !== 'problem'),
    database: facts.database,
    version: facts.versionText,
    findings,
    tables,
  }
}

/** All rows are read only if the database has no encoding. */
const findForeignBytes = (client: ClientBase, { encoding }: SourceFacts, tables: readonly TableFacts[]) =>
  encoding === 'SQL_ASCII'
    ? tablesWithForeignBytes(
        client,
        tables.filter(({ refusals }) => refusals.length === 0),
      )
    : Promise.resolve([])

/** Judges the version and the settings of the server. */
export function judgeServer(facts: SourceFacts): Finding[] {
  const { slots, slotsUsed, walSenders, walSendersUsed } = facts
  const setting = (name: string, value: string, restart: boolean) => settingFix(facts, name, value, restart)
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
    judgeSlotLimit(facts),
    facts.idleSlotTimeoutSeconds === 0
      ? ok('idle_replication_slot_timeout', 'none')
      : advice(
          'idle_replication_slot_timeout',
          `${facts.idleSlotTimeoutSeconds} s: a connector that is down for longer loses its place, and every table is read again`,
          setting('idle_replication_slot_timeout', '0', false),
        ),
  ]
}

function judgeSlotLimit(facts: SourceFacts): Finding {
  const { slotWalKeepMegabytes } = facts
  const name = 'max_slot_wal_keep_size'
  // Outside of `alter system`, the number has no unit and is in MB.
  const fix = settingFix(facts, name, facts.mayAlterSystem ? '50GB' : '51200', false)
  if (slotWalKeepMegabytes === 0) {
    return problem(name, '0: the slot is invalidated by the next checkpoint, and every table is read again', fix)
  }
  return slotWalKeepMegabytes > 0
    ? ok(name, `${slotWalKeepMegabytes} MB`)
    : advice(name, 'no limit: a connector that is down for long fills the disk', fix)
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
    return advice(
      'version',
      `${versionText} is not tested: ${tried} are`,
      '-- try it with a copy of the database first',
    )
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

/** Judges whether the user has the rights that the installation needs. */
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
          `${facts.user} may not create them: contracts follow DDL only if publish_contracts is called after it`,
          '-- end each migration of yours with: select tidemark.publish_contracts();',
        ),
  ]
}

/** Policies for tidemark_capture need the role, which the installation creates only later. */
export function judgeCaptureRole(
  { captureRoleExists }: Pick<SourceFacts, 'captureRoleExists'>,
  tables: readonly TableFacts[],
): Finding[] {
  const name = 'role tidemark_capture'
  if (captureRoleExists || !tables.some(namesCaptureRole)) return []
  return [advice(name, 'does not exist yet, and policies below name it', 'create role tidemark_capture login;')]
}

/**
 * The smallest sufficient right: on RDS a membership; elsewhere the attribute, which only a superuser can grant before
 * version 16.
 */
function replicationFix({ rds, version }: SourceFacts, user: string): string {
  if (rds) return `grant rds_replication to ${user} with admin option;`
  return version >= 160_000
    ? `alter role ${user} replication;`
    : `alter role ${user} superuser; -- before version 16 no other role can grant replication`
}
