import { join } from 'node:path'
import type { LocalAccount } from './assembly/local-account.ts'
import { makeClassArchive, serverClasses } from './servers/java/class-archive.ts'
import { brokerName, brokerNodes } from './servers/kafka/broker-nodes.ts'

/**
 * Makes the archives of the classes that the servers have loaded, one after the other, for the next starts. It ends
 * early when the stack stops. Rejects with the first failure.
 */
export async function archiveServerClasses({
  java,
  settings,
  signal,
  guard,
}: Pick<LocalAccount, 'java' | 'settings' | 'signal' | 'guard'>): Promise<void> {
  const { program, jars } = await java
  const nodes = brokerNodes(settings)
  const directories = {
    kafka: brokerName(nodes[0]!, nodes),
    connect: 'connect',
    'iceberg-catalog': 'iceberg-catalog',
    'object-store': 'object-store',
  } as const
  for (const [server, name] of Object.entries(directories) as [keyof typeof directories, string][]) {
    const classes = serverClasses(server, { program, jars, directory: join(settings.directory, name) })
    await makeClassArchive(classes, { signal, guard })
  }
}
