import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { EnvelopeError, readRecord } from './change.ts'

const captured = new URL('../../fixtures/envelopes/', import.meta.url)
/** A record as Debezium 3.7.0.Final sent it, except for its topic.prefix. */
const capturedValue = (name: string): string => {
  const { value } = JSON.parse(readFileSync(new URL(`${name}.json`, captured), 'utf8'))
  return JSON.stringify(value).replace('"name":"shop_e3"', '"name":"tidemark_e3"')
}
const changeOf = (name: string) => {
  const incoming = readRecord(capturedValue(name))
  if (incoming.kind !== 'row') throw new Error(`${name} is ${incoming.kind}`)
  return incoming.change
}

test('every captured record is understood', () => {
  for (const file of readdirSync(captured)) {
    expect(readRecord(capturedValue(file.replace('.json', ''))).kind, file).not.toBe('unreadable')
  }
})

test.each([
  ['default-identity-create', 'create', 1],
  ['default-identity-update', 'update', 1],
  ['default-identity-delete', 'delete', 1],
  ['default-identity-key-change-delete', 'delete', 1],
  ['default-identity-key-change-create', 'create', 1],
  ['full-identity-update', 'update', 1],
  ['initial-read', 'initial read', 0],
  ['default-identity-incremental-read', 'later read', 0],
])('%s is a %s', (name, op, phase) => {
  expect(changeOf(name)).toMatchObject({ op, position: { epoch: expect.any(Number), phase } })
})

test('a streamed change has its own lsn and the microsecond of its commit', () => {
  const { position, committedAtMs } = changeOf('default-identity-key-change-delete')
  expect(position).toEqual({ epoch: 3, phase: 1, lsn: 1418267312 })
  expect(committedAtMs).toBeCloseTo(1795201857579.759, 3)
})

test('an incremental read has no lsn: everything streamed is newer', () => {
  expect(changeOf('default-identity-incremental-read').position.lsn).toBe(0)
})

test('a truncate names its table', () => {
  expect(readRecord(capturedValue('full-identity-truncate'))).toMatchObject({
    kind: 'truncate',
    truncate: { table: 'envf', txId: expect.any(Number) },
  })
})

test('an audit message comes with the transaction it is of', () => {
  expect(readRecord(capturedValue('logical-message'))).toMatchObject({
    kind: 'audit',
    message: { text: '{"actor":"x"}', txId: 17951 },
  })
})

test('an audit message that is not text is distinguished from one that is', () => {
  const value = capturedValue('logical-message').replace(/"content":"[^"]*"/, '"content":"/////w=="')
  expect(() => readRecord(value)).toThrow('not text in UTF-8')
})

test.each([
  ['STARTED', true],
  ['SKIPPED', false],
])('the notification %s of the initial snapshot is a start of capture', (type, reads) => {
  const value = capturedValue('notification').replace('COMPLETED', type)
  expect(readRecord(value)).toEqual({ kind: 'start', epoch: 3, reads })
})

test.each(['notification', 'signal'])('a %s is not a change', (name) => {
  expect(readRecord(capturedValue(name))).toEqual({ kind: 'ignored' })
})

test('a record that names no table is not an envelope', () => {
  expect(() => readRecord('{"op":"c","source":{}}')).toThrow(EnvelopeError)
})
