import { mkdtemp, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { compileJava, packJar } from './java-compiler.ts'

/**
 * The source files of the catalog, with its main class first. They exist because Apache Iceberg has no program that
 * listens on loopback alone.
 */
export const catalogSources = ['IcebergCatalog.java', 'SignedRequests.java'].map((name) =>
  join(import.meta.dirname, '../../iceberg-catalog', name),
)
export const catalogMainClass = basename(catalogSources[0]!, '.java')

/** Compiles the catalog against the jars into the jar `target`. Throws an Error with the compiler's output. */
export async function addCatalog(
  java: string,
  { jars, target, env }: { jars: readonly string[]; target: string; env: NodeJS.ProcessEnv },
): Promise<void> {
  const classes = await mkdtemp(join(dirname(target), 'classes-'))
  try {
    await compileJava(java, { name: basename(catalogSources[0]!), sources: catalogSources, jars, target: classes, env })
    await packJar(java, target, [classes], env)
  } finally {
    await rm(classes, { recursive: true })
  }
}
