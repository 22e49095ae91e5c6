import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFiles } from './java-options.ts'

test("a JVM's temporary files are in its server's directory, and what a killed one left is gone", async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-java-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const temporary = join(directory, 'temporary')
  await mkdir(temporary)
  await writeFile(join(temporary, 'liblz4-java-1.so'), 'left')

  expect(await temporaryFiles(directory)).toContain(`-Djava.io.tmpdir=${temporary}`)

  expect(await readdir(temporary)).toEqual([])
})
