import { createHash } from 'node:crypto'
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { buildSync } from 'esbuild'

/** The functions' code, by folder under `lambdas/`. */
export type FunctionBundles = {
  code: (folder: string) => lambda.Code
  /** A digest, which changes with the code. */
  digest: (folder: string) => string
}

/** Folders of SQL that a function reads, by the function's folder. Their files are copied into its bundle. */
const SQL: Readonly<Record<string, string>> = { 'migrate-schema': 'sql' }

/**
 * Bundles every function of `lambdas/` in one run of esbuild, with source maps, into a temporary directory. Call
 * `remove` once the stack is synthesized. Throws an Error that names the folders without a `handler.ts`.
 */
export function bundleFunctions(repository: string): FunctionBundles & { remove(): void } {
  const folders = functionFolders(repository)
  const directory = mkdtempSync(join(tmpdir(), 'tidemark-functions-'))
  writeBundles(repository, folders, directory)
  for (const [folder, sql] of Object.entries(SQL)) {
    const bundle = join(directory, folder)
    if (!existsSync(bundle)) continue
    // The tests and the dump beside the SQL are left out, because no function reads them.
    const files = globSync('*/{finish.sql,{tables,functions}/**/*.sql}', { cwd: join(repository, sql) })
    for (const file of files) cpSync(join(repository, sql, file), join(bundle, sql, file))
  }
  return {
    code: (folder) => lambda.Code.fromAsset(join(directory, folder)),
    digest: (folder) => digestOf(join(directory, folder)),
    remove: () => rmSync(directory, { recursive: true }),
  }
}

function writeBundles(repository: string, folders: string[], directory: string): void {
  const { outputFiles } = buildSync({
    entryPoints: folders.map((folder) => ({
      in: `lambdas/${folder}/handler.ts`,
      out: `${folder}/handler`,
    })),
    absWorkingDir: repository,
    // Nothing is written to this folder. With it, source maps hold the same relative paths in every clone.
    outdir: 'bundles',
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    // pg and kafkajs are CommonJS and call require; an ES module has none. Modules import createRequire under its own name.
    banner: { js: "import{createRequire as makeRequire}from'node:module';const require=makeRequire(import.meta.url);" },
    // Names are not minified. Minified names need keepNames, which gives each function its name whenever one is
    // created: a handler that creates some for each record takes 15 % longer.
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: 'linked',
    sourcesContent: false,
    // This module reads its WebAssembly from a file beside it, which a bundle does not have. The other one contains it.
    alias: { '@platformatic/wasm-utils': '@platformatic/wasm-utils/bundled' },
    external: ['pg-native'],
    logLevel: 'error',
  })
  for (const file of outputFiles) {
    const path = join(directory, relative(join(repository, 'bundles'), file.path))
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, file.contents)
  }
}

function functionFolders(repository: string): string[] {
  const folders = globSync('lambdas/*/environment.ts', { cwd: repository }).map(dirname)
  const missing = folders.filter((folder) => !existsSync(join(repository, folder, 'handler.ts')))
  if (missing.length > 0) throw new Error(`no handler.ts in ${missing.join(', ')}: every function needs one`)
  return folders.map((folder) => basename(folder))
}

function digestOf(directory: string): string {
  const hash = createHash('sha256')
  const files = globSync('**/*.{mjs,sql}', { cwd: directory }).sort()
  for (const file of files) hash.update(file).update(readFileSync(join(directory, file)))
  return hash.digest('hex').slice(0, 16)
}
