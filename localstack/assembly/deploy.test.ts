import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { deploy } from './deploy.ts'
import type { LocalAccount } from './local-account.ts'
import type { StandIn } from './stand-in.ts'
import type { Template } from './template/template.ts'

/**
 * A stand-in that records when each resource begins and is up. The property `Fails` makes it fail; `Slow` makes it wait
 * for the abort.
 */
function recorder(): { standIn: StandIn; log: string[] } {
  const log: string[] = []
  const standIn: StandIn = {
    reads: new Set(['Uses', 'Fails', 'Slow']),
    ignores: new Set(),
    attributes: new Set(['Arn']),
    bringUp: async (id, properties, { signal }) => {
      const { Fails, Slow, Uses } = properties as { Fails?: string; Slow?: boolean; Uses?: unknown }
      log.push(`${id} begins${Uses === undefined ? '' : ` with ${JSON.stringify(Uses)}`}`)
      await turn()
      if (Fails) throw new Error(Fails)
      if (Slow && !signal.aborted)
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      log.push(`${id} is up`)
      return { ref: `ref-${id}`, attributes: { Arn: `arn-${id}` } }
    },
  }
  return { standIn, log }
}

function run(template: Template, standIn: StandIn): Promise<Record<string, string>> {
  const stopping = new AbortController()
  const stack = { name: 's', region: 'us-east-1', account: '000000000000', template, assetDirectory: () => '' }
  const account = { stack, signal: stopping.signal } as unknown as LocalAccount
  return deploy(
    account,
    (type) => (type === 'T' ? standIn : undefined),
    (reason) => stopping.abort(reason),
  )
}

describe('a deployment', () => {
  test('brings each resource up after all it depends on, through resources without local meaning too', async () => {
    const { standIn, log } = recorder()

    const outputs = await run(
      {
        Resources: {
          Last: { Type: 'T', Properties: { Uses: { 'Fn::Join': [':', [{ Ref: 'First' }, { Ref: 'AWS::Region' }]] } } },
          Role: { Type: 'AWS::IAM::Role', DependsOn: ['Second'] },
          Third: { Type: 'T', DependsOn: 'Role' },
          Second: { Type: 'T', Properties: { Uses: { 'Fn::GetAtt': ['First', 'Arn'] } } },
          First: { Type: 'T' },
        },
        Outputs: { Arn: { Value: { 'Fn::GetAtt': ['Third', 'Arn'] } } },
      },
      standIn,
    )

    const at = (line: string): number => log.indexOf(line)
    expect(log).toHaveLength(8)
    expect(at('First is up')).toBeLessThan(at('Second begins with "arn-First"'))
    expect(at('First is up')).toBeLessThan(at('Last begins with "ref-First:us-east-1"'))
    expect(at('Second is up')).toBeLessThan(at('Third begins'))
    expect(outputs).toEqual({ Arn: 'arn-Third' })
  })

  test('brings independent resources up at the same time', async () => {
    const { standIn, log } = recorder()

    await run({ Resources: { A: { Type: 'T' }, B: { Type: 'T' } } }, standIn)

    expect(log).toEqual(['A begins', 'B begins', 'A is up', 'B is up'])
  })

  test('leaves out what a condition rules out', async () => {
    const { standIn, log } = recorder()
    const never = { 'Fn::Equals': ['a', 'b'] }

    const outputs = await run(
      {
        Resources: { A: { Type: 'T' }, B: { Type: 'T', Condition: 'Never' } },
        Conditions: { Never: never },
        Outputs: { B: { Value: { Ref: 'B' }, Condition: 'Never' }, A: { Value: { Ref: 'A' } } },
      },
      standIn,
    )

    expect(log).toEqual(['A begins', 'A is up'])
    expect(outputs).toEqual({ A: 'ref-A' })
  })

  test('that fails reports the first failure, stops what is under way and begins nothing more', async () => {
    const { standIn, log } = recorder()

    const deployment = run(
      {
        Resources: {
          Broken: { Type: 'T', Properties: { Fails: 'the disk is full' } },
          Slow: { Type: 'T', Properties: { Slow: true } },
          After: { Type: 'T', DependsOn: 'Slow' },
        },
      },
      standIn,
    )

    await expect(deployment).rejects.toThrow('the disk is full')
    expect(log).toEqual(['Broken begins', 'Slow begins', 'Slow is up'])
  })

  test('names the place of a value that turns out to be missing', async () => {
    const { standIn } = recorder()
    const Properties = { Uses: { Env: { 'Fn::GetAtt': ['A', 'Nothing'] } } }

    const deployment = run({ Resources: { A: { Type: 'T' }, B: { Type: 'T', Properties } } }, standIn)

    await expect(deployment).rejects.toThrow('B.Properties.Uses.Env.Fn::GetAtt: A has no attribute Nothing')
  })
})
