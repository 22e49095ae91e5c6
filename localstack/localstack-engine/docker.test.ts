import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { choosesDocker, composeCommand } from './docker.ts'

let directory: string
let file: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-docker-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  file = join(directory, 'compose.yaml')
  await writeFile(file, 'services: {}')
})

const installDocker = (exitCode: number) =>
  writeFile(join(directory, 'docker'), `#!/bin/sh\nexit ${exitCode}\n`, { mode: 0o755 })

test('a container is chosen where a Docker engine answers and there is a compose file', async () => {
  const withoutDocker = await choosesDocker({ PATH: directory }, file)
  await installDocker(1)
  const withoutEngine = await choosesDocker({ PATH: directory }, file)
  await installDocker(0)
  const withEngine = await choosesDocker({ PATH: directory }, file)
  const withoutFile = await choosesDocker({ PATH: directory }, join(directory, 'none.yaml'))
  const withPython = await choosesDocker({ PATH: directory, TIDEMARK_LOCALSTACK: 'python' }, file)

  expect({ withoutDocker, withoutEngine, withEngine, withoutFile, withPython }).toEqual({
    ...{ withoutDocker: false, withoutEngine: false, withEngine: true, withoutFile: false, withPython: false },
  })
})

test('another word for it is refused', async () => {
  const choosing = choosesDocker({ PATH: directory, TIDEMARK_LOCALSTACK: 'podman' }, file)

  await expect(choosing).rejects.toThrow('TIDEMARK_LOCALSTACK=podman is neither docker nor python')
})

test('the container gets its variables from a file', async () => {
  const { args, env } = await composeCommand(directory, file)({ GATEWAY_LISTEN: '127.0.0.1:4566', SERVICES: 's3,sts' })

  expect(args).toEqual(['compose', '--file', file, 'run', '--rm', '--no-deps', 'localstack'])
  expect(await readFile(env!['TIDEMARK_LOCALSTACK_VARIABLES']!, 'utf8')).toBe(
    'GATEWAY_LISTEN=127.0.0.1:4566\nSERVICES=s3,sts\n',
  )
})
