import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { App, Stack } from 'aws-cdk-lib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bundleFunctions, type FunctionBundles } from './function-bundle.ts'

let repository: string
let bundled: { remove(): void }[]

beforeEach(() => {
  repository = mkdtempSync(join(tmpdir(), 'tidemark-repository-'))
  bundled = []
  write('package.json', '{"type":"module","imports":{"#core/*":"./core/*"}}')
  write('core/greeting.ts', `export const greeting: string = 'hello'`)
  write('sql/source/tables/001.sql', 'select 1')
  write('sql/source/functions/one.int.test.ts', '')
  write('sql/source/schema.sql', 'a dump')
  for (const folder of ['greet', 'migrate-schema']) {
    write(`lambdas/${folder}/environment.ts`, '')
    write(
      `lambdas/${folder}/handler.ts`,
      `import { greeting } from '#core/greeting.ts'; export const handler = () => greeting`,
    )
  }
})

afterEach(() => {
  for (const bundles of bundled) bundles.remove()
  rmSync(repository, { recursive: true })
})

function bundle(): FunctionBundles {
  const bundles = bundleFunctions(repository)
  bundled.push(bundles)
  return bundles
}

function write(path: string, content: string): void {
  mkdirSync(join(repository, dirname(path)), { recursive: true })
  writeFileSync(join(repository, path), content)
}

/** The directory that CloudFormation would get for the function. */
const assetOf = (bundles: FunctionBundles, folder: string): string =>
  (bundles.code(folder) as unknown as { path: string }).path

test('a function runs from its bundle alone, whatever it imports from the repository', async () => {
  const directory = assetOf(bundle(), 'greet')

  const { handler } = await import(pathToFileURL(join(directory, 'handler.mjs')).href)

  expect(handler()).toBe('hello')
  expect(readdirSync(directory).sort()).toEqual(['handler.mjs', 'handler.mjs.map'])
})

test('a function that observes topics finds its WebAssembly in its bundle', { timeout: 60_000 }, async () => {
  symlinkSync(join(import.meta.dirname, '../node_modules'), join(repository, 'node_modules'))
  write('lambdas/greet/handler.ts', `export { Admin } from '@platformatic/kafka'`)
  const directory = assetOf(bundle(), 'greet')

  const { Admin } = await import(pathToFileURL(join(directory, 'handler.mjs')).href)

  const admin = new Admin({ clientId: 'test', bootstrapBrokers: ['127.0.0.1:1'] })
  await admin.close()
  expect(readdirSync(directory).sort()).toEqual(['handler.mjs', 'handler.mjs.map'])
})

test('the bundle of migrate-schema carries the SQL that it runs, and neither tests nor dumps', () => {
  write('sql/source/finish.sql', 'select 3')
  write('sql/source/functions/rules/one.sql', 'select 2')

  const directory = assetOf(bundle(), 'migrate-schema')

  expect(readFileSync(join(directory, 'sql/source/tables/001.sql'), 'utf8')).toBe('select 1')
  const files = readdirSync(join(directory, 'sql'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.includes('.'),
  )
  expect(files.sort()).toEqual(['source/finish.sql', 'source/functions/rules/one.sql', 'source/tables/001.sql'])
})

test('the same code gives the same asset in every clone, and no path of the machine', () => {
  const [first, second] = [bundle(), bundle()]

  const assets = [first, second].map((bundles) => {
    const app = new App({ outdir: join(repository, 'cdk.out') })
    return bundles.code('greet').bind(new Stack(app, 'stack')).s3Location?.objectKey
  })
  const map = readFileSync(join(assetOf(first, 'greet'), 'handler.mjs.map'), 'utf8')
  expect(assets[0]).toBe(assets[1])
  expect(JSON.parse(map).sources).toContain('../../core/greeting.ts')
  expect(map).not.toContain(repository)
})

test('the digest of migrate-schema follows its code and its migrations, that of another function does not', () => {
  const before = bundle()
  write('sql/source/tables/002.sql', 'select 2')
  const after = bundle()

  expect(after.digest('migrate-schema')).not.toBe(before.digest('migrate-schema'))
  expect(after.digest('greet')).toBe(before.digest('greet'))
})

test('a function without a handler is named instead of deployed empty', () => {
  rmSync(join(repository, 'lambdas/greet/handler.ts'))

  expect(() => bundle()).toThrow('no handler.ts in lambdas/greet: every function needs one')
})
