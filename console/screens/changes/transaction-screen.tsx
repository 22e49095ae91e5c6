import type { TransactionChanges } from '#core/console/changes.ts'
import { useResource } from '../../api/resource.ts'
import { Heading } from '../../parts/heading.tsx'
import { Empty, Loaded, Panel } from '../../parts/panel.tsx'
import { KeyText, TableName, Text } from '../../parts/text.tsx'
import { At } from '../../parts/time.tsx'
import { changeQuery, place } from '../../routing/navigation.ts'
import { rowHref } from './change-links.ts'
import { ChangedValues } from './changed-values.tsx'
import { OpMark } from './op-mark.tsx'

/** The changes of one transaction in their order, and who made them. */
export function TransactionScreen({ epoch, transaction }: { readonly epoch: string; readonly transaction: string }) {
  const { at = '', after } = place.value.query
  const resource = useResource('GET /transactions/:epoch/:transaction', {
    params: { epoch, transaction },
    query: { at, after },
  })
  return (
    <>
      <Heading
        title={`Transaction ${transaction}`}
        above={{ href: '/changes', name: 'Changes' }}
        note={<span class="quiet">epoch {epoch}</span>}
      />
      <Loaded resource={resource}>{(found) => <Changes found={found} />}</Loaded>
    </>
  )
}

function Changes({ found }: { readonly found: TransactionChanges }) {
  const { committedAt, who, application, why, changes, next } = found
  return (
    <Panel
      title={changes.length === 1 ? '1 change' : `${changes.length} changes${next === null ? '' : ' and more'}`}
      beside={
        <span class="quiet">
          committed <At time={committedAt} digits={6} />
        </span>
      }
      isFlush
    >
      {(who ?? application ?? why) !== null && (
        <p class="pad">
          {who !== null && <Text value={who} />}{' '}
          {application !== null && (
            <span class="quiet">
              through <Text value={application} />
            </span>
          )}
          {why !== null && (
            <>
              : <Text value={why} />
            </>
          )}
        </p>
      )}
      {changes.length === 0 && <Empty>History has no change of this transaction.</Empty>}
      <ol class="timeline">
        {changes.map((change) => {
          const row = rowHref(change)
          return (
            <li key={change.id} class={`event op-${change.op}`}>
              <div class="event-head">
                <OpMark op={change.op} /> <TableName name={change.table} />{' '}
                {row === null ? (
                  <KeyText cells={change.key} />
                ) : (
                  <a href={row} data-row title="Life of this row">
                    <KeyText cells={change.key} />
                  </a>
                )}
              </div>
              <ChangedValues change={change} />
            </li>
          )
        })}
      </ol>
      {next !== null && (
        <div class="list-end">
          <button type="button" class="button small" onClick={() => changeQuery({ after: next })}>
            Next changes
          </button>
        </div>
      )}
    </Panel>
  )
}
