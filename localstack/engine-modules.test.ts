import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runToEnd } from './processes/finished-process.ts'

/** Prints each module of the CDK that is loaded with the engine. */
const program = `
import { registerHooks } from 'node:module'
const load = (url, context, next) => {
  if (/node_modules\\/(aws-cdk-lib|constructs)\\//.test(url)) console.log(url)
  return next(url, context)
}
registerHooks({ load })
await import(process.argv[1])
console.log('loaded')
`

test('the engine executes an assembly without loading the CDK, which would delay each start', {
  timeout: 60_000,
}, async () => {
  const { output } = await runToEnd(process.execPath, [
    '--input-type=module',
    '--eval',
    program,
    join(import.meta.dirname, 'engine.ts'),
  ])

  expect(output.trim()).toBe('loaded')
})
