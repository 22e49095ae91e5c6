import { join } from 'node:path'
import { MissingProgramError, runToEnd } from '#localstack/processes/finished-process.ts'

const OLDEST_JAVA = 17
const OLDEST_MAVEN = [3, 8] as const

/**
 * Path of a `java` of version 17 or later, from JAVA_HOME or else the PATH. Throws an Error that says what to install.
 */
export async function findJava(environment: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<string> {
  const home = environment['JAVA_HOME']
  const java = home ? join(home, 'bin', 'java') : 'java'
  const output = await versionOf(java, ['-version'], environment, signal)
  const major = output === undefined ? undefined : javaMajor(output)
  if (major !== undefined && major >= OLDEST_JAVA) return java
  const found = major === undefined ? 'none was found' : `found is ${major}`
  const where = home ? ` by JAVA_HOME=${home}` : ' on the PATH'
  throw new Error(
    `A JDK of version ${OLDEST_JAVA} or later is needed, ${found}${where}. Install one, e.g. "apt install openjdk-17-jdk-headless" or "brew install openjdk@17".`,
  )
}

/** Path of a Maven of version 3.8 or later. Throws an Error that says what to install. */
export async function findMaven(environment: NodeJS.ProcessEnv): Promise<string> {
  const output = await versionOf('mvn', ['-version'], environment)
  const version = /Apache Maven (\d+)\.(\d+)/.exec(output ?? '')
  const [major, minor] = version ? [Number(version[1]), Number(version[2])] : [0, 0]
  if (major > OLDEST_MAVEN[0] || (major === OLDEST_MAVEN[0] && minor >= OLDEST_MAVEN[1])) return 'mvn'
  const found = version ? `found is ${major}.${minor}` : 'none was found on the PATH'
  throw new Error(
    `Maven ${OLDEST_MAVEN.join('.')} or later is needed to fetch the jars of the servers, ${found}. Install it, e.g. "apt install maven" or "brew install maven".`,
  )
}

/** The major version: 17 for `openjdk version "17.0.15"`, 8 for `java version "1.8.0_392"`. */
export function javaMajor(output: string): number | undefined {
  const version = /version "(\d+)(?:\.(\d+))?/.exec(output)
  if (version === null) return undefined
  return Number(version[1] === '1' ? version[2] : version[1])
}

async function versionOf(
  file: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<string | undefined> {
  try {
    const { code, output } = await runToEnd(file, args, { env, ...(signal && { signal }) })
    return code === 0 ? output : undefined
  } catch (error) {
    if (error instanceof MissingProgramError) return undefined
    throw error
  }
}
