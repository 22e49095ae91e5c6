import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'

/** A file of the built page, with the headers of its answer. */
export type PageFile = { readonly body: Buffer; readonly headers: Readonly<Record<string, string>> }

/** The built page. */
export type PageFiles = {
  /**
   * The file at a path such as `/assets/page-4f3a.js`. Every path that is not below `/assets/` and names no file is a
   * screen of the page, which `index.html` shows. Undefined if there is no such file.
   */
  at(path: string): PageFile | undefined
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.webmanifest': 'application/manifest+json',
  '.txt': 'text/plain; charset=utf-8',
}

/** The bundler writes files whose names have the hash of their content into this folder. */
const HASHED = '/assets/'

/** Reads all files of the built page, so that no request can name another file of this machine. */
export async function readPageFiles(directory: string): Promise<PageFiles> {
  const entries = (await readdir(directory, { withFileTypes: true, recursive: true })).filter(
    (entry) => entry.isFile() && !entry.name.startsWith('.'),
  )
  const files = new Map<string, PageFile>()
  for (const entry of entries) {
    const file = join(entry.parentPath, entry.name)
    const path = `/${relative(directory, file).split(sep).join('/')}`
    files.set(path, describe(path, await readFile(file)))
  }
  const index = files.get('/index.html')
  if (index === undefined) throw new Error(`there is no page in ${directory}: it has no index.html`)
  return { at: (path) => files.get(path) ?? (path.startsWith(HASHED) ? undefined : index) }
}

function describe(path: string, body: Buffer): PageFile {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  const caching = path.startsWith(HASHED) ? 'public, max-age=31536000, immutable' : 'no-cache'
  const type = types[extname(path)] ?? 'application/octet-stream'
  return { body, headers: { 'content-type': type, 'cache-control': caching, etag } }
}
