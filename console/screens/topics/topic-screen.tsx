import { useState } from 'preact/hooks'
import { useResource } from '../../api/resource.ts'
import { VirtualList } from '../../lists/virtual-list.tsx'
import { Drawer } from '../../parts/drawer.tsx'
import { Heading } from '../../parts/heading.tsx'
import { Empty, Loaded, Panel } from '../../parts/panel.tsx'
import { isNarrow } from '../../parts/preferences.ts'
import { State } from '../../parts/state.tsx'
import { Text } from '../../parts/text.tsx'
import { changeQuery, place } from '../../routing/navigation.ts'
import { formatCount, formatQuantity, groupDigits } from '../../text/numbers.ts'
import { type Jump, JumpForm, jumpOf } from './jump-form.tsx'
import { RECORD_HEIGHT, RecordRow, recordName } from './record-row.tsx'
import { RecordAt } from './record-view.tsx'
import { type Records, useRecords } from './records.tsx'
import { recordsOf } from './topics-screen.tsx'

/** The records of a topic, live or from a place on; one may be open beside them. */
export function TopicScreen({ topic }: { readonly topic: string }) {
  const { query } = place.value
  const topics = useResource('GET /topics', { everyMs: 5_000 })
  const listed = topics.value?.topics.find(({ name }) => name === topic) ?? null
  const jump = jumpOf(query)
  const [partition, offset] = (query['open'] ?? '').split('@')
  const isOpen = partition !== undefined && offset !== undefined
  return (
    <div class="tall-screen">
      <Heading
        title={<Text value={topic} />}
        above={{ href: '/topics', name: 'Topics' }}
        note={
          listed === null ? undefined : (
            <span class="quiet">
              {formatQuantity(listed.topicPartitions.length, 'topic partition')}, {groupDigits(recordsOf(listed))}{' '}
              records
            </span>
          )
        }
      />
      <JumpForm topic={topic} listed={listed} />
      <div class={isOpen ? 'beside has-drawer' : 'beside'}>
        <RecordList topic={topic} jump={jump} open={query['open'] ?? null} />
        {isOpen && (
          <Drawer title="Record" onClose={() => changeQuery({ open: null })}>
            <RecordAt topic={topic} partition={partition} offset={offset} />
          </Drawer>
        )}
      </div>
    </div>
  )
}

type RecordListProps = { readonly topic: string; readonly jump: Jump; readonly open: string | null }

function RecordList({ topic, jump, open }: RecordListProps) {
  const isLive = Object.keys(jump).length === 0
  const [isPaused, setIsPaused] = useState(false)
  const [isAway, setIsAway] = useState(false)
  const isHeld = isPaused || isAway
  const records = useRecords(topic, jump, isLive, isHeld)
  const { items, problem, failingSince, seenAt, isLoading } = records
  return (
    <Panel
      title={isLive ? 'Live' : 'Records'}
      isFlush
      class="live-panel"
      beside={
        isLive ? (
          <>
            <State tone={isHeld ? 'attention' : problem === null ? 'good' : 'bad'}>
              {isPaused ? 'paused' : isAway ? 'paused while you read' : problem === null ? 'live' : 'no answer'}
            </State>
            <button type="button" class="button small" data-pause onClick={() => setIsPaused(!isPaused)}>
              {isPaused ? 'Continue' : 'Pause'}
            </button>
          </>
        ) : (
          <span class="quiet">
            {formatCount(items.length)} shown of {formatCount(records.looked)} looked at
          </span>
        )
      }
    >
      <Loaded
        resource={{
          value: seenAt === null ? null : items,
          seenAt,
          problem,
          failingSince,
          isLoading,
          reload: records.loadMore,
        }}
      >
        {() => (
          <>
            {items.length === 0 ? (
              <Empty>
                {isLive
                  ? 'No record yet.'
                  : records.isAtEnd
                    ? 'There is no record from this place on.'
                    : 'No record matches so far.'}
              </Empty>
            ) : (
              <div class="fill">
                <VirtualList
                  label={`Records of ${topic}`}
                  count={items.length}
                  rowHeight={isNarrow.value ? RECORD_HEIGHT.narrow : RECORD_HEIGHT.wide}
                  onAway={isLive ? setIsAway : () => {}}
                  keyOf={(index) => recordName(items[index]!)}
                  row={(index) => {
                    const name = recordName(items[index]!)
                    const isOpen = name === open
                    return (
                      <RecordRow
                        record={items[index]!}
                        isOpen={isOpen}
                        onOpen={() => changeQuery({ open: isOpen ? null : name })}
                      />
                    )
                  }}
                />
              </div>
            )}
            {!isLive && <More records={records} />}
          </>
        )}
      </Loaded>
    </Panel>
  )
}

const More = ({ records }: { readonly records: Records & { readonly loadMore: () => void } }) => (
  <div class="list-end">
    {records.isAtEnd && <span class="quiet">the end of the topic</span>}
    <button type="button" class="button small" disabled={records.isLoading} onClick={records.loadMore}>
      {records.isLoading ? 'Loading …' : records.isAtEnd ? 'Look again' : 'More'}
    </button>
  </div>
)
