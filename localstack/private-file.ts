import { chmod, mkdir, rename, writeFile } from 'node:fs/promises'

/** Writes a file only its owner may read. It appears by one rename: a reader never sees half of it. */
export async function writePrivately(file: string, content: string): Promise<void> {
  const fresh = `${file}.${process.pid}.new`
  await writeFile(fresh, content, { mode: 0o600, flush: true })
  await rename(fresh, file)
}

/** Makes a directory, or an existing one, its owner's alone. */
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
  await chmod(directory, process.getuid?.() === 0 ? 0o711 : 0o700)
}
