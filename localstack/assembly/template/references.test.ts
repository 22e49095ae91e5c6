// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the syntax of Fn::Sub
import { describe, expect, test } from 'vitest'
import { dependenciesOf, findReferences, refuseCycles } from './references.ts'
import type { Template } from './template.ts'

test('every way to refer to something is found, with its place', () => {
  const value = {
    A: { Ref: 'R' },
    B: [{ 'Fn::GetAtt': ['G', 'X.Y'] }, { 'Fn::GetAtt': 'H.Z' }],
    C: { 'Fn::Sub': ['${S}-${T.U}-${own}-${!literal}', { own: { Ref: 'V' } }] },
    D: { 'Fn::If': ['Condition', { 'Fn::Cidr': [{ Ref: 'W' }] }, 1] },
  }

  const { references, unknown } = findReferences(value, 'P')

  expect(references).toEqual([
    { path: 'P.A', id: 'R' },
    { path: 'P.B[0]', id: 'G', attribute: 'X.Y' },
    { path: 'P.B[1]', id: 'H', attribute: 'Z' },
    { path: 'P.C', id: 'S' },
    { path: 'P.C', id: 'T', attribute: 'U' },
    { path: 'P.C.Fn::Sub[1].own', id: 'V' },
    { path: 'P.D.Fn::If[1].Fn::Cidr[0]', id: 'W' },
  ])
  expect(unknown).toEqual([{ path: 'P.D.Fn::If[1]', name: 'Fn::Cidr' }])
})

const template = (resources: Record<string, string[]>): Template => ({
  Resources: Object.fromEntries(
    Object.entries(resources).map(([id, on]) => [id, { Type: 'T', Properties: { on: on.map((Ref) => ({ Ref })) } }]),
  ),
})

describe('a resource waits for', () => {
  test('what it refers to and what DependsOn names, not for parameters', () => {
    const { Resources, ...rest } = template({ A: ['B', 'Parameter'], B: [], C: [], D: [] })
    const resource = { ...Resources['A']!, DependsOn: ['C', 'D'] }

    expect([...dependenciesOf(resource, { Resources, ...rest })]).toEqual(['B', 'C', 'D'])
  })

  test('a DependsOn that is one name', () => {
    const { Resources } = template({ A: [], B: [] })

    expect([...dependenciesOf({ Type: 'T', DependsOn: 'B' }, { Resources })]).toEqual(['B'])
  })
})

test('resources that wait for each other are refused, naming the circle', () => {
  expect(() => refuseCycles(template({ A: ['B'], B: ['C'], C: ['D'], D: ['B'] }))).toThrow('B → C → D → B')
  expect(() => refuseCycles(template({ A: ['B', 'C'], B: ['D'], C: ['D'], D: [] }))).not.toThrow()
})
