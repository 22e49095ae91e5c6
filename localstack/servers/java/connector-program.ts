import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { compileJava, packJar } from './java-compiler.ts'

/** The connector's own classes, which Connect loads beside Debezium's. Maven builds them for the image. */
const folder = join(import.meta.dirname, '../../../cdk/capture/image/connector')
const sources = join(folder, 'src/tidemark/capture')
const resources = join(folder, 'resources')

/** The file in a plugin's folder in which Connect finds the connector. */
const JAR = 'tidemark-connector.jar'

/** The source files of the connector. */
export async function connectorFiles(): Promise<string[]> {
  const services = join(resources, 'META-INF/services')
  const names = await Promise.all([sources, services].map(async (at) => (await readdir(at)).map((n) => join(at, n))))
  return names.flat().sort()
}

/** Compiles the connector against Kafka's jars and the plugin's, and puts it into the plugin's folder. */
export async function addConnector(
  java: string,
  { jars, plugin, env }: { jars: readonly string[]; plugin: string; env: NodeJS.ProcessEnv },
): Promise<void> {
  const ofPlugin = (await readdir(plugin)).filter((name) => name.endsWith('.jar')).map((name) => join(plugin, name))
  const target = await mkdtemp(join(plugin, 'classes-'))
  try {
    const files = (await connectorFiles()).filter((name) => name.endsWith('.java'))
    await compileJava(java, { name: 'the connector', sources: files, jars: [...jars, ...ofPlugin], target, env })
    await packJar(java, join(plugin, JAR), [target, resources], env)
  } finally {
    await rm(target, { recursive: true })
  }
}
