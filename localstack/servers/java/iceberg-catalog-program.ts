import { basename, join } from 'node:path'
import { compileJava } from './java-compiler.ts'

/**
 * The source files of the catalog, with its main class first. They exist because Apache Iceberg has no program that
 * listens on loopback alone.
 */
export const catalogSources = ['IcebergCatalog.java', 'SignedRequests.java'].map((name) =>
  join(import.meta.dirname, '../../iceberg-catalog', name),
)
export const catalogMainClass = basename(catalogSources[0]!, '.java')

/** Compiles the catalog against the jars into the folder `target`. Throws an Error with the compiler's output. */
export const compileCatalog = (
  java: string,
  { jars, target, env }: { jars: readonly string[]; target: string; env: NodeJS.ProcessEnv },
): Promise<void> =>
  compileJava(java, { name: basename(catalogSources[0]!), sources: catalogSources, jars, target, env })
