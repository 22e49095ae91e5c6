import { join } from 'node:path'
import type { LocalAccount } from './assembly/local-account.ts'
import { makeClassArchive } from './servers/java/class-archive.ts'
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
  const servers = [
    { server: 'kafka', directory: brokerName(nodes[0]!, nodes), classPath: jars.classPath },
    { server: 'connect', directory: 'connect', classPath: jars.classPath },
    { server: 'iceberg-catalog', directory: 'iceberg-catalog', classPath: jars.catalogClassPath },
    { server: 'object-store', directory: 'object-store', classPath: jars.objectStoreClassPath },
  ]
  for (const { server, directory, classPath } of servers) {
    const place = { archives: jars.classArchives, directory: join(settings.directory, directory) }
    await makeClassArchive({ server, program, classPath, ...place }, { signal, guard })
  }
}
