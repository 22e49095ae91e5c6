import { expect, test } from 'vitest'
import { eventually } from '#test-support/eventually.ts'
import { useHostedFunctions } from '#test-support/functions/hosted-functions.ts'
import { records, upTo, useMappedTopic } from '#test-support/kafka/mapped-topic.ts'

const topic = useMappedTopic()
const hosted = useHostedFunctions()

/** A function in the style of tutorials: CommonJS, a callback, one log line per record. */
const theirs = `
exports.handler = (event, context, callback) => {
  for (const key in event.records) {
    event.records[key].map((record) => {
      const message = Buffer.from(record.value, 'base64').toString()
      console.log('Message: ' + key + '@' + record.offset + ' ' + message)
    })
  }
  callback(null, 'processed')
}
`

// Source: AWS Lambda developer guide, "Using Lambda with Amazon MSK", for the event.
test('a third-party function with a callback processes what the event source mapping brings from a broker', async () => {
  const definition = await hosted.bundles.writeFiles('theirs', { 'index.js': theirs }, { runtime: 'nodejs22.x' })
  hosted.host.add(definition)
  await topic.create(2)
  await topic.produce([...records(0, 30), ...records(1, 20)])

  topic.start((_, payload) => hosted.host.invoke('theirs', payload), { BatchSize: 7 })

  await topic.committed([30, 20])
  const processed = (partition: number) =>
    hosted.lines.flatMap((line) => {
      const found = new RegExp(`Message: ${topic.name}-${partition}@(\\d+) (\\d+)$`).exec(line)
      return found === null ? [] : [[Number(found[1]), Number(found[2])]]
    })
  await eventually(() => {
    expect(processed(0)).toEqual(upTo(30).map((offset) => [offset, offset]))
    expect(processed(1)).toEqual(upTo(20).map((offset) => [offset, offset]))
  })
  expect(hosted.host.list()[0]).toMatchObject({ errors: 0 })
})
