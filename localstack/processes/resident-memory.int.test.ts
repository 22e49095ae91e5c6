import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { residentBytes } from './resident-memory.ts'

test('the memory of a process includes that of its children and their children', async () => {
  const leaf = "const held = Buffer.alloc(64 << 20, 1); console.log('held'); setInterval(() => held, 1_000)"
  const middle = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(leaf)}], { stdio: ['ignore', 'inherit', 'inherit'] })`
  const child = spawn(process.execPath, ['-e', middle], { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  onTestFinished(() => void process.kill(-child.pid!, 'SIGKILL'))
  await once(child.stdout, 'data')

  const bytes = await residentBytes(child.pid!)

  expect(bytes).toBeGreaterThan(64 << 20)
  expect(bytes).toBeLessThan(512 << 20)
})

test('a process that is gone has no memory', async () => {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')

  expect(await residentBytes(child.pid!)).toBe(0)
})
