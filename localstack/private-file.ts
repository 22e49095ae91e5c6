import { chmod, mkdir, rename, stat, writeFile } from 'node:fs/promises'

/** Writes a file that only its owner may read. It appears by one rename, so that no reader sees half of it. */
export async function writePrivately(file: string, content: string): Promise<void> {
  const fresh = `${file}.${process.pid}.new`
  await writeFile(fresh, content, { mode: 0o600, flush: true })
  await rename(fresh, file)
}

/** Makes a directory, or changes an existing one of our own, so that only its owner has access. */
export async function makePrivateDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  await chmod(directory, 0o700)
}

/**
 * The same for a directory with Postgres data in it. When this process is root, Postgres runs as another user, which
 * has to pass through. Others may then enter the directory, but not list it.
 */
export async function makeDirectoryOnTheWay(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  await chmod(directory, modeOnTheWay())
}

/**
 * For a directory that the user has named. The mode of an existing one is not changed. Throws an Error when others have
 * access to it.
 */
export async function requirePrivateDirectory(directory: string): Promise<void> {
  const made = await mkdir(directory, { recursive: true })
  if (made !== undefined) return await chmod(directory, modeOnTheWay())
  const { mode } = await stat(directory)
  if ((mode & 0o066) === 0) return
  throw new Error(
    `${directory} can be ${(mode & 0o022) === 0 ? 'read' : 'written to'} by other users of this machine, and passwords and data ` +
      `would be in it: run chmod ${modeOnTheWay().toString(8)} '${directory}', or name a directory that is not there yet`,
  )
}

const modeOnTheWay = (): number => (process.getuid?.() === 0 ? 0o711 : 0o700)
