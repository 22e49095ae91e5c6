import type { QuarantinedDetail } from '#core/console/quarantine.ts'
import { useResource } from '../../api/resource.ts'
import { ActionButton } from '../../parts/actions.tsx'
import { Heading } from '../../parts/heading.tsx'
import { Empty, Loaded, Panel, sentence } from '../../parts/panel.tsx'
import { State } from '../../parts/state.tsx'
import { TableName, Text } from '../../parts/text.tsx'
import { At } from '../../parts/time.tsx'
import { navigate } from '../../routing/navigation.ts'
import { hrefOf } from '../../routing/place.ts'
import { RecordRow, recordName } from '../topics/record-row.tsx'
import { OnePayload } from '../topics/record-view.tsx'

/** One record in quarantine: what it is, what was expected, and what may be done with it. */
export function QuarantinedScreen({ place }: { readonly place: string }) {
  const resource = useResource('GET /quarantine/:place', { params: { place } })
  return (
    <>
      <Heading title={<Text value={place} />} above={{ href: '/quarantine', name: 'Quarantine' }} />
      <Loaded resource={resource}>{(detail) => <Detail detail={detail} />}</Loaded>
    </>
  )
}

function Detail({ detail }: { readonly detail: QuarantinedDetail }) {
  const { table, reason, keptAt, isRetried, choices, neighbours, place } = detail
  return (
    <div class="stack">
      <article class="problem failing">
        <header>
          <State tone={isRetried ? 'busy' : 'bad'}>{isRetried ? 'waits for its retry' : 'not applied'}</State>
          <h2>
            <Text value={sentence(reason)} />
          </h2>
          <span class="quiet">
            since <At time={keptAt} />
            {table !== null && (
              <>
                , of{' '}
                <a href={hrefOf(['tables', table])}>
                  <TableName name={table} />
                </a>
              </>
            )}
          </span>
        </header>
        <div class="choices">
          {choices.map((choice) => (
            <div key={`${choice.action} ${choice.target}`}>
              <ActionButton action={{ name: choice.action, target: choice.target, thenTo: '/quarantine' }} />
              <span>
                <Text value={sentence(choice.does)} />
              </span>
            </div>
          ))}
        </div>
      </article>
      <div class="two">
        <Panel title="The record">
          <Record detail={detail} />
        </Panel>
        <Panel title="What was expected">
          <Expected expected={detail.expected} />
        </Panel>
      </div>
      <Panel title="Its neighbours" beside={<span class="quiet">in its topic partition</span>} isFlush>
        {neighbours.length === 0 && <Empty>Kafka no longer has them.</Empty>}
        {neighbours.map((record) => (
          <div key={recordName(record)} class="neighbour">
            <RecordRow
              record={record}
              isOpen={place.endsWith(`@${record.offset}`)}
              onOpen={() =>
                navigate(
                  hrefOf(['topics', record.topic], {
                    ...{ partition: String(record.topicPartition), offset: record.offset, open: recordName(record) },
                  }),
                )
              }
            />
          </div>
        ))}
      </Panel>
    </div>
  )
}

const Record = ({ detail: { key, value, headers } }: { readonly detail: QuarantinedDetail }) => (
  <>
    {headers.length > 0 && (
      <dl class="facts">
        {headers.map((header, index) => (
          <div key={`${index} ${header.name}`}>
            <dt>
              <Text value={header.name} />
            </dt>
            <dd>{header.value === null ? <span class="cell-word">null</span> : <Text value={header.value.text} />}</dd>
          </div>
        ))}
      </dl>
    )}
    {key === null ? <p class="quiet">It has no key.</p> : <OnePayload name="Key" payload={key} />}
    {value === null ? <p class="quiet">It has no value.</p> : <OnePayload name="Value" payload={value} />}
  </>
)

const Expected = ({ expected }: Pick<QuarantinedDetail, 'expected'>) =>
  expected === null ? (
    <Empty>No contract names this record.</Empty>
  ) : (
    <ul class="column-list">
      {expected.map(({ name, type }) => (
        <li key={name}>
          <span class="column-name">
            <Text value={name} />
          </span>
          <code class="quiet">{type}</code>
        </li>
      ))}
    </ul>
  )
