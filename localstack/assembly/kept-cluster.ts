import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writePrivately } from '#localstack/private-file.ts'
import { makeClusterId } from '#localstack/servers/kafka.ts'
import type { Settings } from '#localstack/settings.ts'

/** What brokers' data was made with, and what it can be used with alone. */
export type KeptCluster = Pick<Settings, 'brokers'>

type Content = KeptCluster & { clusterId: string }

/** The cluster the data in this directory is of; undefined where there is none. */
export async function recallCluster(settings: Pick<Settings, 'directory'>): Promise<KeptCluster | undefined> {
  const content = await read(settings)
  return content && { brokers: content.brokers }
}

/** Throws an Error when the data is of a cluster of another number of brokers. */
export async function rememberCluster(settings: Settings): Promise<void> {
  const kept = await read(settings)
  const { brokers } = settings
  if (kept !== undefined && kept.brokers !== brokers) {
    throw new Error(
      `This stack's topics are those of ${numberOf(kept.brokers)}, now it is ${numberOf(brokers)}. Start it with "--brokers ${kept.brokers}" as before, or run "npm run reset" first.`,
    )
  }
  const content: Content = { brokers, clusterId: kept?.clusterId ?? makeClusterId() }
  await writePrivately(fileIn(settings), JSON.stringify(content))
}

/** Kafka's id of the cluster, of which every node is formatted. */
export async function clusterIdIn(settings: Pick<Settings, 'directory'>): Promise<string> {
  return (await read(settings))?.clusterId ?? makeClusterId()
}

const fileIn = ({ directory }: Pick<Settings, 'directory'>): string => join(directory, 'cluster.json')

const numberOf = (brokers: number): string => (brokers === 1 ? 'one broker' : `${brokers} brokers`)

async function read(settings: Pick<Settings, 'directory'>): Promise<Content | undefined> {
  try {
    return JSON.parse(await readFile(fileIn(settings), 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  // Data from before the file was kept is of one broker, which is formatted already.
  const data = await stat(join(settings.directory, 'kafka', 'data')).catch(() => undefined)
  return data && { brokers: 1, clusterId: makeClusterId() }
}
