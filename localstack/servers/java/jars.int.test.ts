import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { prepareJars } from './jars.ts'

test('two starts at once end with one good folder, which the next start uses without Maven', {
  timeout: 300_000,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-jars-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const prepare = (environment: NodeJS.ProcessEnv) =>
    prepareJars({ directory, environment, onProgress: () => undefined })

  const [first, second] = await Promise.all([prepare(process.env), prepare(process.env)])
  const third = await prepare({ PATH: '/nowhere' })

  expect(second).toEqual(first)
  expect(third).toEqual(first)
  expect(await readdir(directory)).toHaveLength(1)
  const classPaths = [first.classPath, first.objectStoreClassPath, first.catalogClassPath]
  expect(classPaths.flatMap((path) => path.split(':')).filter((entry) => !existsSync(entry))).toEqual([])
  expect(await readdir(first.pluginPath)).toEqual(['debezium-connector-postgres'])
  const plugin = (await readdir(join(first.pluginPath, 'debezium-connector-postgres'))).filter((name) =>
    /jar$|^classes/.test(name),
  )
  expect(plugin.filter((name) => name.startsWith('tidemark')).toSorted()).toEqual([
    'tidemark-agent-corrections.jar',
    'tidemark-connector.jar',
  ])
  expect(await readdir(dirname(first.captureAgent))).toEqual(['byte-buddy.jar', 'tidemark-agent.jar'])

  // A damaged jar must be fetched again, not used.
  const [jar] = first.classPath.split(':')
  await writeFile(jar!, 'damaged')
  await expect(prepare({ PATH: '/nowhere' })).rejects.toThrow('Maven')
  await prepare(process.env)
  await prepare({ PATH: '/nowhere' })
})
