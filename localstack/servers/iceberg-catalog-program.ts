import { basename, delimiter, join } from 'node:path'
import { runToEnd } from './finished-process.ts'

/** The catalog's main class, first, and what it is made of: Apache Iceberg has no program that listens on loopback alone. */
export const catalogSources = ['IcebergCatalog.java', 'SignedRequests.java'].map((name) =>
  join(import.meta.dirname, '../iceberg-catalog', name),
)
export const catalogMainClass = basename(catalogSources[0]!, '.java')

/** Throws an Error that says what to install when `java` is of a runtime without a compiler. */
export async function requireCompiler(java: string, env: NodeJS.ProcessEnv): Promise<void> {
  const { code, output } = await runToEnd(java, ['--list-modules'], { env })
  if (code === 0 && /^jdk\.compiler@/m.test(output)) return
  throw new Error(
    `A JDK is needed to compile the Iceberg catalog's main class, and ${java} is of a JRE without a compiler. Install one, e.g. "apt install openjdk-17-jdk-headless" or "brew install openjdk@17".`,
  )
}

/** Compiles it against the jars into the folder `target`, for Java 17 and later. Throws an Error with the compiler's words. */
export async function compileCatalog(
  java: string,
  { jars, target, env }: { jars: readonly string[]; target: string; env: NodeJS.ProcessEnv },
): Promise<void> {
  const compiler = ['-m', 'jdk.compiler/com.sun.tools.javac.Main']
  // Not --release: it needs a file that some JDKs put in a package of its own.
  const options = ['-source', '17', '-target', '17', '-Xlint:none', '-proc:none', '-encoding', 'UTF-8']
  const files = ['-cp', jars.join(delimiter), '-d', target, ...catalogSources]
  const { code, output } = await runToEnd(java, [...compiler, ...options, ...files], { env })
  if (code !== 0) throw new Error(`${catalogMainClass}.java could not be compiled: ${output.trim()}`)
}
