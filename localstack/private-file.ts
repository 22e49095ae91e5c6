import { chmod, mkdir, rename, stat, writeFile } from 'node:fs/promises'

/** Writes a file only its owner may read. It appears by one rename: a reader never sees half of it. */
export async function writePrivately(file: string, content: string): Promise<void> {
  const fresh = `${file}.${process.pid}.new`
  await writeFile(fresh, content, { mode: 0o600, flush: true })
  await rename(fresh, file)
}

/** Makes a directory, or an existing one of ours, its owner's alone. */
export async function makePrivateDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  await chmod(directory, 0o700)
}

/**
 * The same for a directory with data of Postgres in it. Root has Postgres run as another user, who must get through: then
 * others may enter the directory, but not list it.
 */
export async function makeDirectoryOnTheWay(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  await chmod(directory, modeOnTheWay())
}

/** For a directory that somebody named: the mode of one that exists is theirs to set. Throws an Error where others have access. */
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
