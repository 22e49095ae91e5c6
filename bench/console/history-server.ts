import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { migrate } from '#adapters/postgres/migration/migrate.ts'
import { setRolePassword } from '#adapters/postgres/migration/role-password.ts'
import { localOverrides } from '#localstack/assembly/local-overrides.ts'
import { formatDatabaseUrl } from '#localstack/database-url.ts'
import { startGuard } from '#localstack/processes/guard.ts'
import { startPostgres } from '#localstack/servers/postgres/postgres.ts'
import { repository } from '#localstack/settings.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'
import { stopWhenInterrupted } from '../interruption.ts'
import { connectTo } from '../measured-stack.ts'
import { type ConsoleProcess, startConsole } from './console-process.ts'

/** A source and a target without a pipeline between them, for the console alone. */
export type HistoryServer = {
  /** The administrator's connections. Both databases have their migrations, and nothing else. */
  readonly source: pg.Client
  readonly target: pg.Client
  /** Starts the console, which logs in as its role that reads. */
  startConsole(): Promise<ConsoleProcess>
  /** Also removes the data. */
  stop(): Promise<void>
}

const ROLE = 'tidemark_console_read'
const PASSWORD = 'bench'

/** Starts an embedded Postgres with the settings of the local stack, which has both databases. */
export async function startHistoryServer(): Promise<HistoryServer> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-console-'))
  const guard = startGuard()
  const [port] = (await freePortPairs(1)) as [number]
  const administrator = { username: 'postgres', password: PASSWORD }
  const postgres = await startPostgres({
    ...{ name: 'postgres', directory: join(directory, 'postgres'), port, database: 'target', administrator, guard },
    settings: localOverrides['AWS::RDS::DBInstance'](),
    logFile: join(directory, 'postgres.log'),
    signal: new AbortController().signal,
  })
  const urlOf = (dbname: string, login = administrator) =>
    formatDatabaseUrl({ host: '127.0.0.1', port, dbname, ...login })
  const target = await connectTo(urlOf('target'))
  await target.query('create database source')
  const source = await connectTo(urlOf('source'))
  await migrate(source, join(repository, 'sql/source'))
  await migrate(target, join(repository, 'sql/target'))
  await setRolePassword(target, ROLE, PASSWORD)
  let console: ConsoleProcess | undefined
  return {
    ...{ source, target },
    async startConsole() {
      const login = { username: ROLE, password: PASSWORD }
      console = await startConsole({ directory, args: [urlOf('target', login), '--source', urlOf('source', login)] })
      return console
    },
    stop: stopWhenInterrupted(async () => {
      await console?.stop()
      await Promise.all([source.end(), target.end()])
      await postgres.stop()
      guard.stop()
      await rm(directory, { recursive: true, force: true })
    }),
  }
}
