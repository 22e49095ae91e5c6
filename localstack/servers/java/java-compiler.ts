import { delimiter } from 'node:path'
import { runToEnd } from '#localstack/processes/finished-process.ts'

/** Throws an Error that says what to install when `java` belongs to a runtime without a compiler. */
export async function requireCompiler(java: string, env: NodeJS.ProcessEnv): Promise<void> {
  const { code, output } = await runToEnd(java, ['--list-modules'], { env })
  if (code === 0 && /^jdk\.compiler@/m.test(output) && /^jdk\.jartool@/m.test(output)) return
  throw new Error(
    `A JDK is needed to compile the Iceberg catalog's main class, the connector and the capture agent, and ${java} is of a JRE without a compiler. Install one, e.g. "apt install openjdk-17-jdk-headless" or "brew install openjdk@17".`,
  )
}

/** Options for programs that end before the thorough compiler pays off. They then take half the processor time. */
export const briefly: readonly string[] = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']

/** What to compile, against which jars, into which folder. */
export type Compilation = {
  /** The name that messages use. */
  name: string
  sources: readonly string[]
  jars: readonly string[]
  target: string
  env: NodeJS.ProcessEnv
}

/** Compiles sources for Java 17 and later. Throws an Error with the compiler's output. */
export async function compileJava(java: string, { name, sources, jars, target, env }: Compilation): Promise<void> {
  const compiler = [...briefly, '-m', 'jdk.compiler/com.sun.tools.javac.Main']
  // --release is not used, because it needs a file that some JDKs have in a separate package.
  const options = ['-source', '17', '-target', '17', '-Xlint:none', '-proc:none', '-encoding', 'UTF-8']
  const files = ['-cp', jars.join(delimiter), '-d', target, ...sources]
  const { code, output } = await runToEnd(java, [...compiler, ...options, ...files], { env })
  if (code !== 0) throw new Error(`${name} could not be compiled: ${output.trim()}`)
}

/**
 * Packs the content of folders into a jar, with a manifest if one is given. Throws an Error with the program's output.
 */
export async function packJar(
  java: string,
  jar: string,
  folders: readonly string[],
  env: NodeJS.ProcessEnv,
  manifest?: string,
): Promise<void> {
  const described = manifest === undefined ? ['--no-manifest'] : ['--manifest', manifest]
  const tool = [...briefly, '-m', 'jdk.jartool/sun.tools.jar.Main', '--create', ...described, '--file', jar]
  const content = folders.flatMap((folder) => ['-C', folder, '.'])
  const { code, output } = await runToEnd(java, [...tool, ...content], { env })
  if (code !== 0) throw new Error(`${jar} could not be made: ${output.trim()}`)
}
