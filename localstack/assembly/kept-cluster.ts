import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { writePrivately } from '#localstack/private-file.ts'
import { makeClusterId } from '#localstack/servers/kafka/kafka.ts'
import type { Settings } from '#localstack/settings.ts'

/** The settings with which the brokers' data was made. The data can be used only with the same settings. */
export type KeptCluster = Pick<Settings, 'brokers' | 'secure' | 'kafkaBootstrap'>

type Content = KeptCluster & { clusterId: string }

/** The settings of the brokers whose data is in this directory; undefined when there is no data. */
export async function recallCluster(settings: Pick<Settings, 'directory'>): Promise<KeptCluster | undefined> {
  const content = await read(settings)
  if (content === undefined) return undefined
  const { clusterId: _, ...kept } = content
  return kept
}

/**
 * Stores the settings of the brokers. Throws an Error when the data belongs to another number of brokers, or to brokers
 * with another way to log in, and when `secure` is combined with existing brokers.
 */
export async function rememberCluster(settings: Settings): Promise<void> {
  const kept = await read(settings)
  const { brokers, secure, kafkaBootstrap } = settings
  if (secure && kafkaBootstrap !== undefined) {
    throw new Error(
      '--secure is only for brokers that the stack starts: it cannot be combined with TIDEMARK_KAFKA_BOOTSTRAP',
    )
  }
  if (kept !== undefined && describe(kept) !== describe(settings)) {
    throw new Error(
      `The topics of this stack belong to ${describe(kept)}, and it is started with ${describe(settings)}. Start it with ${optionsOf(kept)} as before, or run "npm run reset" first.`,
    )
  }
  const clusterId = kept?.clusterId ?? makeClusterId()
  const content: Content = { brokers, secure, clusterId, ...(kafkaBootstrap && { kafkaBootstrap }) }
  await writePrivately(fileIn(settings), JSON.stringify(content))
}

/** Kafka's cluster id, with which the storage of every node is formatted; a new one when there is no data. */
export async function clusterIdIn(settings: Pick<Settings, 'directory'>): Promise<string> {
  return (await read(settings))?.clusterId ?? makeClusterId()
}

const fileIn = ({ directory }: Pick<Settings, 'directory'>): string => join(directory, 'cluster.json')

const describe = ({ brokers, secure, kafkaBootstrap }: KeptCluster): string =>
  kafkaBootstrap ?? `${brokers === 1 ? 'one' : brokers} ${secure ? 'secure ' : ''}broker${brokers === 1 ? '' : 's'}`

function optionsOf({ brokers, secure, kafkaBootstrap }: KeptCluster): string {
  if (kafkaBootstrap !== undefined) return `TIDEMARK_KAFKA_BOOTSTRAP=${kafkaBootstrap}`
  const options = [...(brokers === 1 ? [] : [`--brokers ${brokers}`]), ...(secure ? ['--secure'] : [])]
  return options.length === 0 ? 'neither --brokers nor --secure' : `"${options.join(' ')}"`
}

async function read(settings: Pick<Settings, 'directory'>): Promise<Content | undefined> {
  try {
    return JSON.parse(await readFile(fileIn(settings), 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  // Data without this file comes from an earlier version, which had one broker. Its storage is formatted and keeps its
  // own id, so the id that is made here is not used.
  const data = await stat(join(settings.directory, 'kafka', 'data')).catch(() => undefined)
  return data && { brokers: 1, secure: false, clusterId: makeClusterId() }
}
