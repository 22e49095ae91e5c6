import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { findPython } from './python.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-python-'))
  onTestFinished(() => rm(directory, { recursive: true }))
})

const find = () => findPython({ PATH: directory })

const install = (name: string, script: string) =>
  writeFile(join(directory, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })

test('the newest Python that LocalStack runs on is taken', async () => {
  await install('python3.11', 'echo Python 3.11.7')
  await install('python3.12', 'echo Python 3.12.1')

  expect(await find()).toEqual({ program: 'python3.12', version: '3.12' })
})

test('a launcher whose version is not installed is passed over', async () => {
  await install('python3.13', 'echo "pyenv: python3.13: command not found" >&2; exit 127')
  await install('python3', 'echo Python 3.11.7')

  expect(await find()).toEqual({ program: 'python3', version: '3.11' })
})

test('without one, one line says which there must be, which there is and what to install', async () => {
  await install('python3', 'echo Python 3.9.2')

  const reason = await find().catch((error: Error) => error.message)

  expect(reason).toBe(
    'Python 3.11, 3.12 or 3.13 is needed for LocalStack, found is Python 3.9.2. Install one with its venv module, e.g. "apt install python3 python3-venv" or "brew install python@3.13".',
  )
})
