import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { compileJava, packJar } from './java-compiler.ts'

/** The agent that corrects Debezium while Connect loads it. Maven builds it for the image. */
const folder = join(import.meta.dirname, '../../../cdk/capture/agent')
const manifest = join(folder, 'MANIFEST.MF')
/** The packages of the agent, and of the code in the plugin's folder that it calls. */
const packages = ['agent', 'correction'].map((name) => join(folder, 'src/tidemark', name))

/** The files have the same names as in the image. The agent's manifest names Byte Buddy. */
const [AGENT, BYTE_BUDDY, CORRECTIONS] = ['tidemark-agent.jar', 'byte-buddy.jar', 'tidemark-agent-corrections.jar']

/** The agent in the folder where it was built. */
export const agentJar = (directory: string): string => join(directory, AGENT)

/** The source files of the agent. */
export async function agentFiles(): Promise<string[]> {
  const names = await Promise.all(packages.map(async (at) => (await readdir(at)).map((name) => join(at, name))))
  return [manifest, ...names.flat().sort()]
}

/**
 * Compiles the agent into `target`, with Byte Buddy beside it, and into the plugin's folder the code that it calls
 * there. Throws an Error with the compiler's output.
 */
export async function addCaptureAgent(
  java: string,
  { kafka, byteBuddy, plugin, target, env }: CaptureAgentParts & { env: NodeJS.ProcessEnv },
): Promise<void> {
  const ofPlugin = (await readdir(plugin)).filter((name) => name.endsWith('.jar')).map((name) => join(plugin, name))
  await mkdir(target)
  const classes = await mkdtemp(join(target, 'classes-'))
  try {
    const [agent, corrections] = [join(classes, 'agent'), join(classes, 'corrections')]
    const sources = (await agentFiles()).filter((file) => file.endsWith('.java'))
    const jars = [byteBuddy, ...kafka, ...ofPlugin]
    await compileJava(java, { name: 'the capture agent', sources, jars, target: agent, env })
    await mkdir(join(corrections, 'tidemark'), { recursive: true })
    await rename(join(agent, 'tidemark/correction'), join(corrections, 'tidemark/correction'))
    await Promise.all([
      packJar(java, join(target, AGENT), [agent], env, manifest),
      packJar(java, join(plugin, CORRECTIONS), [corrections], env),
      copyFile(byteBuddy, join(target, BYTE_BUDDY)),
    ])
  } finally {
    await rm(classes, { recursive: true })
  }
}

/** Kafka's jars and Byte Buddy's, the folder of the plugin that is corrected, and the folder to make for the agent. */
export type CaptureAgentParts = { kafka: readonly string[]; byteBuddy: string; plugin: string; target: string }
