import { expect, test } from 'vitest'
import { findUser } from './peer-user.ts'

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:3C78 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1
   1: 0100007F:3C78 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 2 1
   2: 0100007F:C001 0100007F:3C78 01 00000000:00000000 00:00000000 00000000  1001        0 3 1
`

test('a connection has two ends, and its user is that of the other end', () => {
  expect(findUser(table, ['127.0.0.1', 0xc001], ['127.0.0.1', 15_480])).toBe(1001)
  expect(findUser(table, ['127.0.0.1', 15_480], ['127.0.0.1', 0xc001])).toBe(1000)
  expect(findUser(table, ['127.0.0.1', 1], ['127.0.0.1', 15_480])).toBeUndefined()
})
