import type { CloudFormationCustomResourceEvent } from 'aws-lambda'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'
import { makeDeployWindows } from './deploy-windows.ts'

let target: TestDatabase

beforeEach(async () => {
  target = await createDatabase('target')
})

afterEach(() => target.drop())

const text = (select = 'count(*) as rides') => `-- source: public.ride
-- event time: at
-- window: tumbling 1 hour
-- watermark: 1 hour
select ${select}
from ride`

const deploy = (RequestType: 'Create' | 'Update' | 'Delete', Definitions: unknown) =>
  makeDeployWindows(target.pool)({
    ...{ RequestType, ResourceType: 'Custom::Windows' },
    ResourceProperties: { ServiceToken: 'arn', Definitions },
  } as unknown as CloudFormationCustomResourceEvent)

const known = async () =>
  (await target.pool.query('select name, text from tidemark.window_definition order by name')).rows

test('the definitions of the target are those of the resource, and deleting it leaves them as they are', async () => {
  const created = await deploy('Create', { rides: JSON.stringify(text()), fares: JSON.stringify(text()) })
  const updated = await deploy('Update', { rides: JSON.stringify(text('max(at) as newest')) })
  await deploy('Delete', { rides: JSON.stringify(text()) })

  expect(created.data).toEqual({ changed: 2, removed: 0 })
  expect(updated.data).toEqual({ changed: 1, removed: 1 })
  expect(await known()).toEqual([{ name: 'rides', text: text('max(at) as newest') }])
})

test('what the synthesis would refuse is refused with file and line, and nothing is changed', async () => {
  await expect(deploy('Create', { rides: JSON.stringify(text('count(*)')) })).rejects.toThrow(
    'windows/rides.sql:5: an item has no name: write count(*) as name',
  )
  expect(await known()).toEqual([])
})

test.each([[undefined], [{ rides: 'not JSON' }], [{ rides: '7' }], ['rides']])(
  'definitions %j are refused by name',
  async (definitions) => {
    await expect(deploy('Create', definitions)).rejects.toThrow('of the windows')
  },
)
