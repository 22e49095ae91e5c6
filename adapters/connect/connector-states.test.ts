import { expect, test } from 'vitest'
import { statusOf } from './connector-states.ts'

const absent = { status: async () => undefined, configuration: async () => undefined }

test('a connector whose status a starting worker has not read yet is not taken for one that was deleted', async () => {
  const starting = { ...absent, configuration: async () => ({ 'slot.name': 'tidemark_e1' }) }

  expect(await statusOf(starting, 'tidemark')).toEqual({ connector: { state: 'UNASSIGNED' }, tasks: [] })
  expect(await statusOf(absent, 'tidemark')).toBeUndefined()
})
