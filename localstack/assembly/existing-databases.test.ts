import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { formatDatabaseUrl, parseDatabaseUrl } from '#localstack/database-url.ts'
import type { Settings } from '#localstack/settings.ts'
import { recallDatabases, rememberDatabases } from './existing-databases.ts'

let settings: Settings
beforeEach(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-databases-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  settings = {
    directory,
    postgresPort: 1,
    kafkaPort: 2,
    brokers: 1,
    secure: false,
    connectPort: 4,
    objectStorePort: 6,
    catalogPort: 7,
    endpointPort: 5,
    localStackPort: 6,
  }
})

describe('the databases a stack was started with', () => {
  const sourceUrl = 'postgres://app:secret@db.example:5432/shop'

  test('are known to reset, in a file of its owner alone', async () => {
    await rememberDatabases({ ...settings, sourceUrl })

    expect(await recallDatabases(settings)).toEqual({ sourceUrl })
    expect((await stat(join(settings.directory, 'databases.json'))).mode & 0o777).toBe(0o600)
  })

  test('may be given another password, and no other place', async () => {
    await rememberDatabases({ ...settings, sourceUrl })
    await rememberDatabases({ ...settings, sourceUrl: sourceUrl.replace('secret', 'rotated') })

    await expect(rememberDatabases({ ...settings, sourceUrl: sourceUrl.replace('shop', 'crm') })).rejects.toThrow(
      'started with db.example:5432/shop as its source, now it is db.example:5432/crm. Set TIDEMARK_SOURCE_URL as before, or run "npm run reset"',
    )
    await expect(rememberDatabases(settings)).rejects.toThrow('now it is the embedded database')
  })
})

test('a URL of any credentials becomes the secret’s fields, and the URL again', () => {
  const text = fc.string({ minLength: 1, unit: 'grapheme' })
  fc.assert(
    fc.property(text, text, text, fc.integer({ min: 1, max: 65535 }), (username, password, dbname, port) => {
      fc.pre(!/^\.{1,2}$/.test(dbname))
      const secret = { host: 'db.example', port, dbname, username, password }

      expect(parseDatabaseUrl(formatDatabaseUrl(secret))).toEqual({ engine: 'postgres', ...secret })
    }),
  )
})

test('a URL without a port means 5432, and an IPv6 host stays one', () => {
  const secret = parseDatabaseUrl('postgresql://u:p@[::1]/d')

  expect(secret).toMatchObject({ host: '::1', port: 5432 })
  expect(formatDatabaseUrl(secret)).toBe('postgres://u:p@[::1]:5432/d')
})
