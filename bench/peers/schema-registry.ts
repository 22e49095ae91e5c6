import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startGuard } from '#localstack/processes/guard.ts'
import { ANSWER_MS } from '#localstack/processes/readiness.ts'
import { supervise } from '#localstack/processes/supervise.ts'
import { findJava } from '#localstack/servers/java/java.ts'
import { javaEnvironment, javaOptions, temporaryFiles } from '#localstack/servers/java/java-options.ts'
import { freePortPairs } from '#test-support/ports/free-ports.ts'
import { stopWhenInterrupted } from '../interruption.ts'

/**
 * Apicurio's registry, which keeps schemas in memory. Converters ask it once for each schema, and again every 30
 * seconds.
 */
export type SchemaRegistry = {
  /** URL of the API that the converters use. */
  readonly url: string
  readonly pid: () => number | undefined
  stop(): Promise<void>
}

/** The group as which its processes count. */
export const SCHEMA_REGISTRY = 'schema registry'

/** Starts the registry on 127.0.0.1 from the folder with its files; resolves when it answers. */
export async function startSchemaRegistry(files: string): Promise<SchemaRegistry> {
  const program = await findJava(process.env)
  const jar = (await readdir(files)).find((name) => name.endsWith('-runner.jar'))
  if (jar === undefined) throw new Error(`${files} has no program of the schema registry: remove the folder`)
  const directory = await mkdtemp(join(tmpdir(), 'bench-schema-registry-'))
  const guard = startGuard()
  const [port] = (await freePortPairs(1)) as [number]
  const url = `http://127.0.0.1:${port}/apis/registry/v2`
  const run = [
    ...javaOptions({ heapMb: 192, youngMb: 64, compiler: 'quick' }),
    ...(await temporaryFiles(directory)),
    ...['-Dquarkus.http.host=127.0.0.1', `-Dquarkus.http.port=${port}`],
    ...['-jar', join(files, jar)],
  ]
  const service = await supervise({
    name: 'schema-registry',
    command: { file: program, args: run, cwd: directory, env: javaEnvironment() },
    ready: () => answers(url),
    stopSignal: 'SIGTERM',
    stopWithinMs: 2_500,
    logFile: join(directory, 'schema-registry.log'),
    guard,
    signal: new AbortController().signal,
  })
  return {
    url,
    pid: () => service.health().pid,
    stop: stopWhenInterrupted(async () => {
      await service.stop()
      guard.stop()
      await rm(directory, { recursive: true, force: true })
    }),
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/system/info`, { signal: AbortSignal.timeout(ANSWER_MS) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
