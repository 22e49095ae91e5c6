import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import { buildConsole } from './build.ts'

const outDir = mkdtempSync(join(tmpdir(), 'tidemark-page-'))

afterAll(() => rmSync(outDir, { recursive: true }))

test('the page is small, and asks no other host', async () => {
  await buildConsole(outDir)

  const html = readFileSync(join(outDir, 'index.html'), 'utf8')
  const assets = readdirSync(join(outDir, 'assets')).map((name) => readFileSync(join(outDir, 'assets', name)))
  expect(assets.reduce((sum, asset) => sum + gzipSync(asset).length, 0)).toBeLessThan(60_000)
  // The names of SVG and MathML look like addresses, and nobody asks for them.
  const addresses = [html, ...assets.map(String)].flatMap((text) => text.match(/(?:https?|wss?):\/\/[\w.]+/g) ?? [])
  expect(addresses.filter((address) => address !== 'http://www.w3.org')).toEqual([])
  expect(html.match(/<style|\sstyle=|<script(?![^>]* src=)[^>]*>/g) ?? []).toEqual([])
})

test('a page of the present sources is not built again', async () => {
  await buildConsole(outDir)
  const builtMs = statSync(join(outDir, 'index.html')).mtimeMs

  await buildConsole(outDir)

  expect(statSync(join(outDir, 'index.html')).mtimeMs).toBe(builtMs)
})
