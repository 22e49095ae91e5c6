import type { ExistingDatabase } from './postgres-database.ts'
import type { Stage } from './stages.ts'

/** The stage with existing databases instead of new ones, for each URL that is given. */
export function withDatabaseUrls(stage: Stage, sourceUrl: string | undefined, targetUrl: string | undefined): Stage {
  return {
    ...stage,
    ...(sourceUrl ? { source: databaseAt(sourceUrl, 'tidemark-source-url') } : {}),
    ...(targetUrl ? { target: databaseAt(targetUrl, 'tidemark-target-url') } : {}),
  }
}

/**
 * The template does not contain the URL's user and password: the program that runs the stack serves them as this
 * secret.
 */
function databaseAt(url: string, secretName: string): ExistingDatabase {
  const { hostname, port, pathname } = new URL(url)
  return {
    kind: 'existing',
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port || 5432),
    database: decodeURIComponent(pathname.slice(1)),
    adminSecretArn: `arn:aws:secretsmanager:us-east-1:000000000000:secret:${secretName}`,
  }
}
