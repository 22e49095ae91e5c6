import type { ShownConsumer } from '#core/console/connectors.ts'
import { useResource } from '../../api/resource.ts'
import { DataTable } from '../../parts/data-table.tsx'
import { Heading } from '../../parts/heading.tsx'
import { Empty, Loaded, Panel } from '../../parts/panel.tsx'
import { NamedState } from '../../parts/state.tsx'
import { Text } from '../../parts/text.tsx'
import { hrefOf } from '../../routing/place.ts'
import { formatCount, formatDuration, formatQuantity } from '../../text/numbers.ts'

/** Each consumer of each topic: how far it is behind, and whether its mapping delivers. */
export function ConsumersScreen() {
  const resource = useResource('GET /consumers', { everyMs: 2_000 })
  return (
    <>
      <Heading title="Consumers" />
      <Loaded resource={resource}>
        {({ consumers }) =>
          consumers.length === 0 ? (
            <Empty>No function consumes a topic.</Empty>
          ) : (
            <div class="stack">
              {consumers.map((consumer) => (
                <Consumer key={`${consumer.topic} ${consumer.function}`} consumer={consumer} />
              ))}
            </div>
          )
        }
      </Loaded>
    </>
  )
}

function Consumer({ consumer }: { readonly consumer: ShownConsumer }) {
  const { topic, function: name, records, behindMs, topicPartitions, mapping } = consumer
  return (
    <Panel
      title={name}
      isFlush
      beside={
        <>
          <span class="quiet">
            reads{' '}
            <a href={hrefOf(['topics', topic])} data-row>
              <Text value={topic} />
            </a>
          </span>
          <NamedState state={mapping.state} />
        </>
      }
    >
      <p class="pad lag">
        <strong>{formatQuantity(records, 'record')} behind</strong>
        {records > 0 && (
          <span class="quiet">{behindMs === null ? 'for an unknown time' : formatDuration(behindMs)}</span>
        )}
      </p>
      {mapping.lastError !== null && (
        <p class="note bad">
          <Text value={mapping.lastError} />
        </p>
      )}
      <DataTable
        label={`Topic partitions of ${name}`}
        rows={topicPartitions}
        keyOf={({ topicPartition }) => String(topicPartition)}
        columns={[
          { title: 'Topic partition', isHeading: true, cell: ({ topicPartition }) => topicPartition },
          { title: 'Next offset', isNumber: true, cell: ({ nextOffset }) => formatCount(nextOffset) },
          { title: 'End of the topic', isNumber: true, cell: ({ endOffset }) => formatCount(endOffset) },
          {
            title: 'Behind',
            isNumber: true,
            cell: (each) => <b class={each.records > 0 ? '' : 'quiet'}>{formatCount(each.records)}</b>,
          },
        ]}
      />
    </Panel>
  )
}
