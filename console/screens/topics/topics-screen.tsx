import type { ListedTopic } from '#core/console/topics.ts'
import { useResource } from '../../api/resource.ts'
import { DataTable } from '../../parts/data-table.tsx'
import { Heading } from '../../parts/heading.tsx'
import { Empty, ResourcePanel } from '../../parts/panel.tsx'
import { SearchField } from '../../parts/search-field.tsx'
import { Text } from '../../parts/text.tsx'
import { place } from '../../routing/navigation.ts'
import { hrefOf } from '../../routing/place.ts'
import { formatCount, groupDigits } from '../../text/numbers.ts'

/** The topics of the broker, with the records that each still has. */
export function TopicsScreen() {
  const resource = useResource('GET /topics', { everyMs: 3_000 })
  const search = (place.value.query['search'] ?? '').toLowerCase()
  return (
    <>
      <Heading title="Topics">
        <SearchField name="search" label="Search topics" />
      </Heading>
      <ResourcePanel title="Topics" resource={resource} isFlush class="no-head">
        {({ topics }) => {
          const shown = topics.filter(({ name }) => name.toLowerCase().includes(search))
          return shown.length === 0 ? (
            <Empty>{search === '' ? 'There are no topics.' : 'No topic matches.'}</Empty>
          ) : (
            <Topics topics={shown} />
          )
        }}
      </ResourcePanel>
    </>
  )
}

const Topics = ({ topics }: { readonly topics: readonly ListedTopic[] }) => (
  <DataTable
    label="Topics"
    rows={topics}
    keyOf={({ name }) => name}
    columns={[
      {
        ...{ title: 'Topic', isHeading: true },
        cell: ({ name }) => (
          <a href={hrefOf(['topics', name])} data-row>
            <Text value={name} />
          </a>
        ),
      },
      { title: 'Topic partitions', isNumber: true, cell: ({ topicPartitions }) => formatCount(topicPartitions.length) },
      { title: 'Records', isNumber: true, cell: (topic) => groupDigits(recordsOf(topic)) },
    ]}
  />
)

/** How many records there are between begin and end; a compacted topic has fewer. */
export const recordsOf = ({ topicPartitions }: ListedTopic): string =>
  String(topicPartitions.reduce((sum, { begin, end }) => sum + BigInt(end) - BigInt(begin), 0n))
