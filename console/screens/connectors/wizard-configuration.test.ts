import { expect, test } from 'vitest'
import {
  configurationOf,
  identifierOf,
  matchingTables,
  readConfiguration,
  withoutPassword,
  withPassword,
} from './wizard-configuration.ts'

const connection = { host: 'db', port: 5432, database: 'shop', user: 'u', password: 'p' }

test('names are written as patterns that match only them', () => {
  const choice = { tables: new Set(['public.b', 'public.a+b', 'public.a,b']), leftOut: new Set(['public.b.note']) }

  expect(configurationOf('Shop 2', connection, choice)).toMatchObject({
    'topic.prefix': 'shop_2',
    'table.include.list': String.raw`public\.a\+b,public\.a\,b,public\.b`,
    'column.exclude.list': String.raw`public\.b\.note`,
  })
})

test('no column is left out unless one is chosen', () => {
  expect(configurationOf('a', connection, { tables: new Set(['public.a']), leftOut: new Set() })).not.toHaveProperty(
    'column.exclude.list',
  )
})

test('slots take letters, digits and underscores only', () => {
  expect(identifierOf('Größe-1')).toBe('gr__e_1')
})

test('an edited configuration has to be an object of texts', () => {
  expect(readConfiguration('{"a":"b"}')).toEqual({ configuration: { a: 'b' } })
  expect(readConfiguration('[]')).toEqual({ why: 'it has to be a JSON object' })
  expect(readConfiguration('{"tasks.max":1}')).toEqual({ why: 'tasks.max has to be a text' })
  expect(readConfiguration('{')).toEqual({ why: expect.stringMatching(/^it is no JSON: /) })
})

test('a search finds tables by schema or name', () => {
  const table = { rows: 1, hasKey: true, columns: [] }
  const schemas = [
    { name: 'public', tables: [{ ...table, name: 'Orders' }] },
    { name: 'sales', tables: [{ ...table, name: 'x' }] },
  ]

  expect(matchingTables(schemas, 'order')).toEqual(['public.Orders'])
  expect(matchingTables(schemas, 'SALES.')).toEqual(['sales.x'])
})

test('the password is not shown, and is sent unless another one is written', () => {
  const shown = withoutPassword({ 'database.password': 'secret', 'tasks.max': '1' })

  expect(JSON.stringify(shown)).not.toContain('secret')
  expect(withPassword(shown, 'secret')).toEqual({ 'database.password': 'secret', 'tasks.max': '1' })
  expect(withPassword({ 'database.password': 'other' }, 'secret')).toEqual({ 'database.password': 'other' })
})
