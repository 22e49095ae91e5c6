import { type Engine, type EngineOptions, startEngine } from '#localstack/engine.ts'
import { residentBytes } from '#localstack/processes/resident-memory.ts'
import { choosesDocker } from './docker.ts'
import { type LocalStackRecord, makeLocalStackDeployer } from './localstack-deployer.ts'
import { localStackUrl } from './localstack-server.ts'
import { findPython } from './python.ts'

/** Figures of LocalStack itself. */
export type LocalStackFigures = LocalStackRecord['took'] & {
  /** AWS_ENDPOINT_URL for its clients. */
  url: string
  /** Memory of LocalStack's processes. Those of the functions belong to the engine. */
  residentBytes: number
}

/** A stack whose resources LocalStack has created with CloudFormation. */
export type LocalStackEngine = Engine & { localStack(): Promise<LocalStackFigures> }

/**
 * Starts LocalStack, deploys the synthesized app to it with the CDK's own command, and polls the mappings that it
 * lists. The embedded engine's stand-ins bring up what its open core lacks, in the same directories. Throws as
 * `startEngine` does.
 */
export async function startLocalStackEngine(options: EngineOptions): Promise<LocalStackEngine> {
  const record: LocalStackRecord = { took: { readySeconds: 0, bootstrapSeconds: 0, deploySeconds: 0 } }
  // Python is looked for first, so that its absence is reported before anything starts.
  const python = (await choosesDocker(process.env)) ? undefined : await findPython(process.env)
  const engine = await startEngine(options, makeLocalStackDeployer(options.settings, record, python))
  const pid = () => record.server?.health().pid
  return {
    ...engine,
    localStack: async () => ({
      url: localStackUrl(options.settings.localStackPort),
      ...record.took,
      residentBytes: await residentBytes(pid() ?? 0),
    }),
  }
}
