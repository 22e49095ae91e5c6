import { globSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repository } from './settings.ts'
import { inputFiles } from './synthesis.ts'

test.each(['cdk/app.ts', 'lambdas/*/handler.ts', 'sql/*/functions/*.sql', 'windows/*.sql', 'package-lock.json'])(
  'the assembly is made again when %s has changed',
  (pattern) => {
    const files = globSync(pattern, { cwd: repository }).map((file) => join(repository, file))

    expect(files.length).toBeGreaterThan(0)
    expect(inputFiles()).toEqual(expect.arrayContaining(files))
  },
)
