import { expect, test } from 'vitest'
import { Sha256 } from './sha256.ts'

const hex = async (hash: Sha256) => Buffer.from(await hash.digest()).toString('hex')

/** The text "abc" as each kind of data that a signer may pass. */
const abc = new TextEncoder().encode('abc')
const within = new Uint8Array([0, ...abc, 0]).subarray(1, 4)
test.each<[string, string | ArrayBuffer | ArrayBufferView]>([
  ['a text', 'abc'],
  ['bytes', abc],
  ['a part of a buffer', within],
  ['a view', new DataView(within.buffer, 1, 3)],
  ['a buffer', abc.buffer],
])('%s is hashed as FIPS 180-2 says, and is a key of HMAC', async (_, data) => {
  const hash = new Sha256()
  hash.update(data)
  const keyed = new Sha256(data)
  keyed.update('')

  expect(await hex(hash)).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  expect(await hex(keyed)).toBe('e2636077506729a8f61aff2441332e40e844a8ad44489efd80210ea6d1f51088')
})

test('HMAC is the one of RFC 4231, case 2, also in parts', async () => {
  const hash = new Sha256('Jefe')
  hash.update('what do ya want ')
  hash.update('for nothing?')

  expect(await hex(hash)).toBe('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')
})
