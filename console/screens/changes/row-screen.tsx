import { useState } from 'preact/hooks'
import type { RowLife, ShownChange } from '#core/console/changes.ts'
import { useResource } from '../../api/resource.ts'
import { Snippet } from '../../parts/copy.tsx'
import { Heading } from '../../parts/heading.tsx'
import { Empty, Loaded, Panel } from '../../parts/panel.tsx'
import { CellText, KeyText, TableName, Text } from '../../parts/text.tsx'
import { Ago, At } from '../../parts/time.tsx'
import { changeQuery, place } from '../../routing/navigation.ts'
import { WholeChange } from './change-detail.tsx'
import { transactionHref } from './change-links.ts'
import { ChangedValues } from './changed-values.tsx'
import { OpMark } from './op-mark.tsx'

/** The whole life of one row, newest first, and the row as it is now. */
export function RowScreen() {
  const { table = '', key = '', after } = place.value.query
  const resource = useResource('GET /rows', { query: { table, key, after }, everyMs: 5_000 })
  return (
    <>
      <Heading
        title={<TableName name={table} />}
        above={{ href: '/changes', name: 'Changes' }}
        note={
          <code class="key-note">
            <Text value={key} />
          </code>
        }
      />
      <Loaded resource={resource}>{(life) => <Life life={life} />}</Loaded>
    </>
  )
}

function Life({ life }: { readonly life: RowLife }) {
  return (
    <div class="two life">
      <Panel title="Its life" beside={<span class="quiet">{kept(life)}</span>} isFlush>
        {life.keys.length > 1 && (
          <p class="pad quiet">
            It had these keys:{' '}
            {life.keys.map((key, index) => (
              <span key={JSON.stringify(key)}>
                {index > 0 && ', '}
                <KeyText cells={key} />
              </span>
            ))}
          </p>
        )}
        {life.changes.length === 0 && <Empty>History has no change of this row.</Empty>}
        <ol class="timeline">
          {life.changes.map((change) => (
            <Event key={change.id} change={change} />
          ))}
        </ol>
        {life.next !== null && (
          <div class="list-end">
            <button type="button" class="button small" onClick={() => changeQuery({ after: life.next })}>
              Earlier changes
            </button>
          </div>
        )}
        {life.archiveSql !== null && (
          <div class="pad">
            <p class="quiet">Earlier changes are in the archive:</p>
            <Snippet text={life.archiveSql} what="SQL" />
          </div>
        )}
      </Panel>
      <NowPanel now={life.now} />
    </div>
  )
}

const kept = ({ retention }: RowLife): string =>
  retention === null ? 'history is kept for ever' : `history is kept for ${retention}`

function Event({ change }: { readonly change: ShownChange }) {
  const [isOpen, setIsOpen] = useState(false)
  const transaction = transactionHref(change)
  return (
    <li class={`event op-${change.op}`}>
      <div class="event-head">
        <OpMark op={change.op} />
        <At time={change.committedAt} digits={3} />
        <span class="quiet">
          <Ago time={change.committedAt} />
        </span>
        {change.who !== null && <Text value={change.who} />}
        {change.why !== null && (
          <span class="quiet">
            <Text value={change.why} />
          </span>
        )}
      </div>
      <ChangedValues change={change} />
      <div class="links">
        <button type="button" class="link" data-row aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
          {isOpen ? 'Less' : 'All that is known'}
        </button>
        {transaction !== null && <a href={transaction}>Its transaction</a>}
      </div>
      {isOpen && <OneChange id={change.id} />}
    </li>
  )
}

function OneChange({ id }: { readonly id: string }) {
  const resource = useResource('GET /changes/:id', { params: { id } })
  return <Loaded resource={resource}>{(change) => <WholeChange change={change} />}</Loaded>
}

const NowPanel = ({ now }: { readonly now: RowLife['now'] }) => (
  <Panel title="The row now" class="now-panel">
    {now === null ? (
      <Empty>The target has no such row.</Empty>
    ) : (
      <dl class="facts">
        {now.map(({ name, cell }) => (
          <div key={name}>
            <dt>
              <Text value={name} />
            </dt>
            <dd>
              <CellText cell={cell} form="block" />
            </dd>
          </div>
        ))}
      </dl>
    )}
  </Panel>
)
