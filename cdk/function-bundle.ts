import { createHash } from 'node:crypto'
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { buildSync } from 'esbuild'

/** What the stack needs to know of the functions' code. */
export type FunctionBundles = {
  /** The bundle of `lambdas/<folder>`. */
  code: (folder: string) => lambda.Code
  /** Changes with that bundle. */
  codeDigest: (folder: string) => string
  /** Changes with the content of `sql/`. */
  sqlDigest: string
}

const repository = join(import.meta.dirname, '..')

/**
 * Bundles every function of `lambdas/` in one run of esbuild, with source maps, into a directory that is removed when
 * the process ends. Throws an Error that names the folders without a `handler.ts`.
 */
export function bundleFunctions(): FunctionBundles {
  const directory = mkdtempSync(join(tmpdir(), 'tidemark-functions-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  const digests = writeBundles(directory, functionFolders())
  cpSync(join(repository, 'sql'), join(directory, 'migrate-schema', 'sql'), { recursive: true })
  return {
    code: (folder) => lambda.Code.fromAsset(join(directory, folder)),
    codeDigest: (folder) => digests.get(folder)!,
    sqlDigest: digestOf(
      globSync('sql/**/*.sql', { cwd: repository })
        .sort()
        .map((file) => readFileSync(join(repository, file))),
    ),
  }
}

function functionFolders(): string[] {
  const folders = globSync('lambdas/*/environment.ts', { cwd: repository }).map((file) => dirname(file))
  const missing = folders.filter((folder) => !existsSync(join(repository, folder, 'handler.ts')))
  if (missing.length > 0) throw new Error(`no handler.ts in ${missing.join(', ')}: every function needs one`)
  return folders.map((folder) => relative('lambdas', folder))
}

/** Gives back the digest of each folder's bundle. */
function writeBundles(directory: string, folders: string[]): Map<string, string> {
  const { outputFiles } = buildSync({
    entryPoints: folders.map((folder) => ({ in: `lambdas/${folder}/handler.ts`, out: `${folder}/handler` })),
    absWorkingDir: repository,
    // Nothing is written there: source maps then hold the same relative paths in every clone.
    outdir: 'bundles',
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    // pg and kafkajs are CommonJS and call require; an ES module has none.
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
    minify: true,
    keepNames: true,
    sourcemap: 'linked',
    sourcesContent: false,
    external: ['pg-native'],
    logLevel: 'error',
  })
  for (const file of outputFiles) {
    const path = join(directory, relative(join(repository, 'bundles'), file.path))
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, file.contents)
  }
  return new Map(folders.map((folder) => [folder, digestOf([readFileSync(join(directory, folder, 'handler.mjs'))])]))
}

function digestOf(contents: Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const content of contents) hash.update(content)
  return hash.digest('hex').slice(0, 16)
}
