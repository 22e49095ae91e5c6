import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readUserEvent } from './user-event.ts'

const delta = (fields: string) => readUserEvent(`{"id":1,"op":"insert","event_order":1,${fields}}`)
const change = (op: string, before: string, after: string, time = '1764404199123') =>
  readUserEvent(`{"op":"${op}","before":${before},"after":${after},"ts_ms":${time}}`)

test.each([
  ['"2026-11-29 08:11:59"', '2026-11-29T08:11:59.000000Z'],
  ['"2026-11-29T08:11:59"', '2026-11-29T08:11:59.000000Z'],
  ['"2026-11-29t08:11:59.5z"', '2026-11-29T08:11:59.500000Z'],
  ['"2026-11-29 08:11"', '2026-11-29T08:11:00.000000Z'],
  ['"2026-11-29"', '2026-11-29T00:00:00.000000Z'],
  ['"2026-11-29 08:11:59.123456+00:00"', '2026-11-29T08:11:59.123456Z'],
  ['"2026-11-29T08:11:59.123456789+0530"', '2026-11-29T02:41:59.123456Z'],
  ['"2026-11-29 08:11:59 -03"', '2026-11-29T11:11:59.000000Z'],
  ['"2026-11-29 08:11:59 UTC"', '2026-11-29T08:11:59.000000Z'],
  ['"2024-02-29T23:30:00-01:00"', '2024-03-01T00:30:00.000000Z'],
  ['1764404199', '2025-11-29T08:16:39.000000Z'],
  ['1764404199.1234567', '2025-11-29T08:16:39.123456Z'],
  ['1764404199123', '2025-11-29T08:16:39.123000Z'],
  ['1.764404199123e12', '2025-11-29T08:16:39.123000Z'],
  ['"1764404199"', '2025-11-29T08:16:39.000000Z'],
  ['"1764404199123"', '2025-11-29T08:16:39.123000Z'],
  ['0', '1970-01-01T00:00:00.000000Z'],
  ['-1.5', '1969-12-31T23:59:58.500000Z'],
  ['99999999999', '5138-11-16T09:46:39.000000Z'],
  ['100000000000', '1973-03-03T09:46:40.000000Z'],
  ['null', null],
])('ts %s is taken as %s', (ts, expected) => {
  expect(delta(`"ts":${ts}`)).toMatchObject({ ts: expected })
})

test.each([
  '"2026-02-30"',
  '"2026-02-29T00:00:00Z"',
  '"2026-11-29T24:00:00Z"',
  '"2026-11-29T08:11:60Z"',
  '"2026-11-29T08:11:59+16:00"',
  '"0000-01-01T00:00:00Z"',
  '"0001-01-01T00:00:00+01:00"',
  '"9999-12-31T23:59:59-01:00"',
  '"20261129"',
  '"20261129081159"',
  '"٢٠٢٦-١١-٢٩"',
  '"yesterday"',
  '""',
  '1764404199123456',
  '1e999999999',
  'true',
  '{}',
])('ts %s is not a time', (ts) => {
  expect(delta(`"ts":${ts}`)).toEqual({ malformed: expect.stringMatching(/^ts must be a time .* it is /) })
})

test.each([
  ['7', '7'],
  ['7.0', '7'],
  ['70e-1', '7'],
  ['"7"', '7'],
  ['-0', '0'],
  ['9007199254740993', '9007199254740993'],
  ['9007199254740993.0', '9007199254740993'],
  ['"-9223372036854775808"', '-9223372036854775808'],
  ['9223372036854775807', '9223372036854775807'],
])('id %s is the number %s', (id, expected) => {
  expect(readUserEvent(`{"id":${id},"op":"insert","event_order":1}`)).toMatchObject({ id: expected })
})

test.each([
  ...['1.5', '"007"', '"-0"', '"+7"', '" 7"', '"7.0"', '"７"', '"٣"', '""', 'null', 'true', '[7]', '1e400'],
  ...['9223372036854775808', '"-9223372036854775809"', '7.0000000000000000000001', '"1e2"'],
  '"8a9bd6b4-6f0b-4f4e-9c6c-3f0f4f3b7f11"',
])('%s is neither an id nor an event_order nor a run', (value) => {
  const reason = /must be a whole number of 64 bits, and is /
  expect(readUserEvent(`{"id":${value},"op":"insert","event_order":1}`)).toEqual({
    malformed: expect.stringMatching(reason),
  })
  expect(readUserEvent(`{"id":1,"op":"insert","event_order":${value}}`)).toEqual({
    malformed: expect.stringMatching(reason),
  })
  if (value === 'null') return
  expect(delta(`"run":${value}`)).toEqual({ malformed: expect.stringMatching(reason) })
})

test.each([
  ['', 'the value is not JSON'],
  ['{"id":', 'the value is not JSON'],
  ['null', 'the value is not a JSON object: null'],
  ['42', 'the value is not a JSON object: 42'],
  ['[]', 'the value is not a JSON object: []'],
  ['{}', 'op is absent'],
  ['{"foo":1}', 'op is absent'],
  ['{"op":"upsert"}', 'op is "upsert"'],
  ['{"op":"r","after":{"id":1},"ts_ms":1}', 'op is "r"'],
  ['{"op":"insert","event_order":1}', 'id must be a whole number of 64 bits, and is absent'],
  ['{"op":"insert","id":1}', 'event_order must be a whole number of 64 bits, and is absent'],
  ['{"op":"insert","id":1,"event_order":1,"age":2147483648}', 'age must be a whole number of 32 bits'],
  ['{"op":"insert","id":1,"event_order":1,"name":7}', 'name must be text, and is 7'],
  ['{"op":"insert","id":1,"event_order":1,"name":"\\u0000"}', 'name has a NUL character'],
  ['{"op":"insert","id":1,"event_order":1,"name":"\\ud800"}', 'name has half a surrogate pair'],
  ['{"op":"insert","id":1,"event_order":1,"e":["\\u0000"]}', '"e" has a NUL character'],
  ['{"op":"insert","id":1,"event_order":1,"e":{"\\ud800":1}}', '"e" has half a surrogate pair'],
  ['{"op":"insert","id":1,"event_order":1,"e":1e1001}', '"e" has a number beyond those of Postgres'],
  [`${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'the value is nested more than 100 levels deep'],
])('%j is not an event', (value, reason) => {
  expect(readUserEvent(value)).toEqual({ malformed: expect.stringContaining(reason) })
})

test('other members of an event are stored as they were written', () => {
  const event = delta('"name":"Ann","email":"a@b","balance":12345678901234567890.10,"__proto__":{"x":1}')
  expect(event).toMatchObject({
    name: 'Ann',
    more: '{"email":"a@b","balance":12345678901234567890.10,"__proto__":{"x":1}}',
  })
})

test('a row change is the row that it leaves, ordered by ts_ms', () => {
  const at = { run: '0', eventOrder: '1764404199123', ts: '2025-11-29T08:16:39.123000Z' }
  const row = '{"id":"7","name":"Ann","age":30,"balance":1.10}'
  const ann = { id: '7', name: 'Ann', age: 30, more: '{"balance":1.10}', ...at }

  expect(change('c', 'null', row)).toEqual({ ...ann, op: 'insert' })
  expect(change('u', '{"id":7.0}', row)).toEqual({ ...ann, op: 'update' })
  expect(change('u', 'null', row, '"1764404199123"')).toEqual({ ...ann, op: 'update' })
  expect(change('d', row, 'null', '1764404199123.9')).toEqual({ ...ann, op: 'delete' })
})

test.each([
  ['c', 'null', 'null', 'after must be the row, and is null'],
  ['u', '{"id":1}', '[]', 'after must be the row, and is []'],
  ['d', 'null', 'null', 'before must be the row, and is null'],
  ['d', '{"id":1}', '{"id":1}', 'after must be null where op is d, and is {"id":1}'],
  ['c', 'null', '{"name":"Ann"}', 'after.id must be a whole number of 64 bits, and is absent'],
  ['u', '{"id":1}', '{"id":2}', 'the id changes from 1 to 2'],
  ['u', '{"id":"x"}', '{"id":2}', 'before.id must be a whole number'],
])('the row change %s of %s to %s is not an event', (op, before, after, reason) => {
  expect(change(op, before, after)).toEqual({ malformed: expect.stringContaining(reason) })
})

test.each(['null', '"now"', '""', '9e99', '[]', '253402300800000'])(
  'a row change at ts_ms %s is not an event',
  (time) => {
    expect(change('c', 'null', '{"id":1}', time)).toEqual({
      malformed: expect.stringContaining('ts_ms must be milliseconds since 1970'),
    })
  },
)

test('any text gives an event or a reason', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string({ unit: 'binary' })), (value) => {
      const event = readUserEvent(value)
      expect('malformed' in event ? event.malformed : event.id).toMatch(/./)
    }),
  )
})
