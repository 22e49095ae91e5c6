import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { checkProse } from './check/prose.ts'
import { checkSizes } from './check/sizes.ts'

const help = `npm run check [-- --fix]

Checks types, lint rules, formatting, which folder may import which, that no files import each other in a circle, the sizes of
files and folders, and the words of documents and code.
  --fix    repairs what can be repaired without thinking`

const repository = join(import.meta.dirname, '../..')

/** Runs every check, even if one fails. Returns 0 when all pass. */
export async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({ args: argv, options: { fix: { type: 'boolean' }, help: { type: 'boolean' } } })
  if (values.help) {
    console.log(help)
    return 0
  }
  const checks = [
    { name: 'types', program: 'tsc', args: ['-p', '.'] },
    { name: 'types of core', program: 'tsc', args: ['-p', 'core'] },
    { name: 'types of the console', program: 'tsc', args: ['-p', 'console'] },
    { name: 'lint and format', program: 'biome', args: ['check', ...(values.fix ? ['--write'] : []), '.'] },
  ]
  const failed: string[] = []
  for (const { name, program, args } of checks) {
    const child = spawn(join(repository, 'node_modules', '.bin', program), args, { cwd: repository, stdio: 'inherit' })
    const [code] = await once(child, 'close')
    if (code !== 0) failed.push(name)
  }
  for (const [name, found] of [
    ['words', checkProse(repository)],
    ['sizes', checkSizes(repository)],
  ] as const) {
    for (const line of found) console.error(line)
    if (found.length > 0) failed.push(name)
  }
  console.log(failed.length === 0 ? 'All checks pass.' : `Failed: ${failed.join(', ')}.`)
  return failed.length === 0 ? 0 : 1
}
