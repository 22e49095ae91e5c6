import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { findEngine, removeStack } from '#localstack/engine.ts'
import { installationDirectory } from '#localstack/localstack-engine/python.ts'
import { jarsDirectory, readSettings, type Settings } from '#localstack/settings.ts'

const help = `npm run reset [-- --caches] [--only-here]

Stops the local stack and removes its data: databases, topics, secrets, logs.
A source or target that was given by URL is kept. What Tidemark created there (replication slot, publication,
bookkeeping) is removed from it first.
  --caches      also removes the jars of the servers and LocalStack's packages, which the next start downloads again
  --only-here   changes nothing in a database that was given by URL: for one that is gone or out of reach`

/** Caches, which are downloaded or compiled once and are the same for every run. */
const CACHES = ['jars', 'node-compile-cache', 'localstack-python']

/** Returns 0 when nothing of the stack is left. */
export async function main(argv: string[]): Promise<number> {
  const flag = { type: 'boolean' } as const
  const { values } = parseArgs({ args: argv, options: { caches: flag, 'only-here': flag, help: flag } })
  if (values.help) {
    console.log(help)
    return 0
  }
  const settings = readSettings(process.env)
  const running = await findEngine(settings)
  if (running !== undefined) {
    throw new Error(`Tidemark is running, as process ${running.pid}. Stop it first, with Ctrl-C where it was started.`)
  }
  if (!values['only-here']) await takeDown(settings)
  await removeData(settings, values.caches ? [] : CACHES)
  if (values.caches) {
    for (const cache of [jarsDirectory, installationDirectory]) await rm(cache, { recursive: true, force: true })
  }
  console.log('The local stack and its data are removed.')
  return 0
}

async function takeDown(settings: Settings): Promise<void> {
  try {
    await removeStack({ settings, onProgress: ({ step, state, detail }) => console.log(`${step}: ${detail ?? state}`) })
  } catch (cause) {
    throw new Error(
      'The stack could not be taken down in order. Mend the reason and run it again, or use --only-here: then the replication slot and the publication stay in an existing source, and its log grows until they are dropped.',
      { cause },
    )
  }
}

async function removeData({ directory }: Settings, kept: readonly string[]): Promise<void> {
  const entries = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  for (const entry of entries) {
    if (!kept.includes(entry)) await rm(join(directory, entry), { recursive: true, force: true })
  }
}
