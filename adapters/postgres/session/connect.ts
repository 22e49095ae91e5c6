import pg from 'pg'
import { sessionOptions, WITHOUT_TIMEOUTS, WITHOUT_TRANSACTION_TIMEOUT } from './session-settings.ts'

/** The JSON of an RDS secret. */
export type DatabaseCredentials = { host: string; port: number; dbname: string; username: string; password: string }

/** `verify-full`: a trusted CA (NODE_EXTRA_CA_CERTS adds RDS's) and the host's own name. `disable`: loopback only. */
export type DatabaseTls = 'verify-full' | 'disable'

/** Whom a pool connects as, and how. */
export type PoolOptions = {
  /** Asked whenever a connection is made, so that a rotated password is used at the next one. */
  credentials: () => Promise<DatabaseCredentials>
  tls: DatabaseTls
  applicationName: string
  /** Connections at most. */
  max: number
  /** `none` for an administrator's work, which a timeout of the database would end again and again; else the role's. */
  timeouts?: 'none'
  /** `kept`: statements that are prepared are planned once for all values, which planning anew for each would take longer than. */
  plans?: 'kept'
}

/**
 * A pool of connections to one database; connects at the first query. What statements rely on is set as startup
 * parameters, which nothing set for the database or the role overrides (decision 016); timeouts are settings of the role.
 */
export function makePool({ credentials, tls, applicationName, max, timeouts, plans }: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    Client: clientAsking(credentials, timeouts),
    ssl: tls === 'verify-full' ? { rejectUnauthorized: true } : false,
    application_name: applicationName,
    options: sessionOptions({
      ...(timeouts === 'none' ? WITHOUT_TIMEOUTS : {}),
      ...(plans === 'kept' ? { plan_cache_mode: 'force_generic_plan' } : {}),
    }),
    keepAlive: true,
    // Queries that do not need each other's results are sent together.
    pipeline: true,
    max,
  })
  // An idle connection the server closed has already left the pool; without a listener it would end the process.
  pool.on('error', () => undefined)
  // One that is checked out reports its end to the query under way; the event without a listener would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

/** pg reads parameters when a client is constructed, where nothing can be awaited; this one fills them in as it connects. */
function clientAsking(credentials: () => Promise<DatabaseCredentials>, timeouts: PoolOptions['timeouts']) {
  return class extends pg.Client {
    declare readonly connectionParameters: object

    /** A limit of the pool's would be one of the wait for a connection that others use, too: that takes as long as they do. */
    constructor(config?: pg.ClientConfig) {
      super({ ...config, connectionTimeoutMillis: 15_000 })
    }

    override connect(): Promise<pg.Client>
    override connect(callback: (error: Error) => void): void
    override connect(callback?: (error: Error) => void): Promise<pg.Client> | undefined {
      const connected = credentials().then(async ({ host, port, dbname, username, password }) => {
        const parameters = { host, port, database: dbname, user: username, password }
        Object.assign(this, parameters)
        Object.assign(this.connectionParameters, parameters)
        await super.connect()
        if (timeouts === 'none') await this.query(WITHOUT_TRANSACTION_TIMEOUT)
        return this
      })
      if (callback === undefined) return connected
      connected.then(() => (callback as () => void)(), callback)
      return undefined
    }
  }
}
