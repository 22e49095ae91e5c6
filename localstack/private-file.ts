import { rename, writeFile } from 'node:fs/promises'

/** Writes a file only its owner may read. It appears by one rename: a reader never sees half of it. */
export async function writePrivately(file: string, content: string): Promise<void> {
  const fresh = `${file}.${process.pid}.new`
  await writeFile(fresh, content, { mode: 0o600, flush: true })
  await rename(fresh, file)
}
