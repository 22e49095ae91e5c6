import { expect, test } from 'vitest'
import { eventually } from '#test-support/eventually.ts'
import { insertsOfUsers, useWatchedTopics } from '#test-support/watched-topics.ts'

const watched = useWatchedTopics()

test('a watch outlives its broker, and misses nothing', async () => {
  const watch = await watched.start()
  await watched.broker.produce('user-events', insertsOfUsers(0, 10))
  await eventually(() => expect(watch.ids()).toHaveLength(10))

  watched.broker.kill()
  await eventually(() => watched.broker.produce('user-events', insertsOfUsers(10, 20)))

  // A record that was sent twice, because its acknowledgement was lost, is shown twice.
  const all = insertsOfUsers(0, 20).map((_, id) => id)
  await eventually(() => expect([...new Set(watch.ids())].sort((a, b) => a - b)).toEqual(all))
})
