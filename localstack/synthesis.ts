import { createHash } from 'node:crypto'
import { globSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runToEnd } from './processes/finished-process.ts'
import { repository, type Settings } from './settings.ts'

/** The files from which the assembly is made. */
const INPUTS = ['{cdk,lambdas,core,adapters,sql,windows}/**/*', 'package-lock.json', 'cdk.json']

/** The directory of the assembly that was last synthesized. */
export const assemblyDirectory = ({ directory }: Settings): string => join(directory, 'cdk.out')

/**
 * The cloud assembly of the stage `local`, as `cdk synth` would make it. When none of its inputs has changed, it is the
 * last one. Throws an Error with the app's output.
 */
export async function synthesize(
  settings: Settings,
  signal: AbortSignal,
): Promise<{ directory: string; unchanged: boolean }> {
  const directory = assemblyDirectory(settings)
  const digestFile = join(directory, 'inputs.sha256')
  const digest = await digestInputs(settings)
  if ((await readFile(digestFile, 'utf8').catch(() => '')) === digest) return { directory, unchanged: true }

  const fresh = `${directory}.new`
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh, { recursive: true })
  const { code, output } = await runToEnd(process.execPath, ['cdk/app.ts'], {
    cwd: repository,
    signal,
    env: {
      ...process.env,
      CDK_OUTDIR: fresh,
      CDK_CONTEXT_JSON: JSON.stringify({ stage: 'local', epoch: settings.epoch }),
      NODE_COMPILE_CACHE: join(settings.directory, 'node-compile-cache'),
      ...choices(settings),
    },
  })
  if (code !== 0)
    throw new Error(`The CDK app could not be synthesized:\n${output.trim().split('\n').slice(-15).join('\n')}`)
  await writeFile(join(fresh, 'inputs.sha256'), digest)
  await rm(directory, { recursive: true, force: true })
  await rename(fresh, directory)
  return { directory, unchanged: false }
}

/** Variables that the app gets in addition to the stage. */
const choices = ({ brokers, secure, sourceUrl, targetUrl }: Settings): Record<string, string> => ({
  TIDEMARK_BROKERS: String(brokers),
  TIDEMARK_SECURE: secure ? '1' : '0',
  ...(sourceUrl && { TIDEMARK_SOURCE_URL: sourceUrl }),
  ...(targetUrl && { TIDEMARK_TARGET_URL: targetUrl }),
})

async function digestInputs(settings: Settings): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([process.version, settings.epoch, choices(settings)]))
  for (const path of inputFiles()) hash.update(`\0${path}\0`).update(await readFile(path))
  return hash.digest('hex')
}

/** The paths of the files whose change makes another assembly. */
export function inputFiles(): readonly string[] {
  const entries = globSync(INPUTS, { cwd: repository, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && !/\.test\.ts$/.test(entry.name))
  return files.map((entry) => join(entry.parentPath, entry.name)).sort()
}
