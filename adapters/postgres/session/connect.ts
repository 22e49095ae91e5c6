import pg from 'pg'
import {
  KEPT_PLANS,
  PLANS_BY_INDEX,
  sessionOptions,
  WITHOUT_TIMEOUTS,
  WITHOUT_TRANSACTION_TIMEOUT,
} from './session-settings.ts'

/** The credentials in the JSON form of an RDS secret. */
export type DatabaseCredentials = { host: string; port: number; dbname: string; username: string; password: string }

/**
 * `verify-full` needs a trusted CA (NODE_EXTRA_CA_CERTS adds that of RDS) and the host's own name. `disable` is for
 * loopback only.
 */
export type DatabaseTls = 'verify-full' | 'disable'

/** The credentials and the behaviour of a pool. */
export type PoolOptions = {
  /** It is called for every new connection, so that a rotated password is used for the next one. */
  credentials: () => Promise<DatabaseCredentials>
  tls: DatabaseTls
  applicationName: string
  /** The greatest number of connections. */
  max: number
  /**
   * `none` switches timeouts off, for work of an administrator that a timeout would end every time. By default they are
   * those of the role.
   */
  timeouts?: 'none'
  /**
   * `kept`: prepared statements are planned once for all values, because planning each execution would cost more time
   * than a better plan saves. `kept by index`: such plans find each row by an index, also those that were made while a
   * table was empty. Otherwise they would read a whole table that has grown since.
   */
  plans?: 'kept' | 'kept by index'
}

/**
 * A pool of connections to one database, which connects at the first query. Settings that statements rely on are
 * startup parameters, which settings of the database or the role cannot override (decision 016). Timeouts are settings
 * of the role.
 */
export function makePool({ credentials, tls, applicationName, max, timeouts, plans }: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    Client: clientAsking(credentials, timeouts),
    ssl: tls === 'verify-full' ? { rejectUnauthorized: true } : false,
    application_name: applicationName,
    options: sessionOptions({
      ...(timeouts === 'none' ? WITHOUT_TIMEOUTS : {}),
      ...(plans === undefined ? {} : KEPT_PLANS),
      ...(plans === 'kept by index' ? PLANS_BY_INDEX : {}),
    }),
    keepAlive: true,
    // Queries that do not need each other's results are sent together.
    pipeline: true,
    max,
  })
  // When the server closes an idle connection, the pool has already removed it. Without a listener, the event would end
  // the process.
  pool.on('error', () => undefined)
  // When a connection in use is closed, the query under way fails with the error. Without a listener, the event would
  // end the process as well.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

/**
 * pg reads its parameters in the constructor, which cannot wait for anything. This client fills in the credentials when
 * it connects.
 */
function clientAsking(credentials: () => Promise<DatabaseCredentials>, timeouts: PoolOptions['timeouts']) {
  return class extends pg.Client {
    declare readonly connectionParameters: object

    /**
     * The time limit is set here and not at the pool: the pool's limit would include the wait for a connection that
     * others use, which may rightly take longer.
     */
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
