import type { ComponentChildren } from 'preact'
import type { ColumnChange, ShownChange } from '#core/console/changes.ts'
import { useResource } from '../../api/resource.ts'
import { Drawer } from '../../parts/drawer.tsx'
import { Loaded } from '../../parts/panel.tsx'
import { CellText, KeyText, TableName, Text } from '../../parts/text.tsx'
import { At } from '../../parts/time.tsx'
import { changeQuery } from '../../routing/navigation.ts'
import { changesOfTable, rowHref, transactionHref } from './change-links.ts'
import { OpMark } from './op-mark.tsx'

/** A change with all its columns, beside the list. */
export function ChangeDrawer({ id }: { readonly id: string }) {
  const resource = useResource('GET /changes/:id', { params: { id } })
  return (
    <Drawer title="Change" onClose={() => changeQuery({ open: null })}>
      <Loaded resource={resource}>{(change) => <WholeChange change={change} />}</Loaded>
    </Drawer>
  )
}

/** Everything that is known of a change. */
export function WholeChange({ change }: { readonly change: ShownChange }) {
  const row = rowHref(change)
  const transaction = transactionHref(change)
  return (
    <>
      <p class="change-title">
        <OpMark op={change.op} /> <TableName name={change.table} /> <KeyText cells={change.key} />
      </p>
      <p class="links">
        {row !== null && <a href={row}>Life of this row</a>}
        {transaction !== null && <a href={transaction}>Its transaction</a>}
        <a href={changesOfTable(change.table)}>Changes of this table</a>
      </p>
      <Facts change={change} />
      {change.columns.length > 0 && <Columns change={change} />}
    </>
  )
}

function Facts({ change }: { readonly change: ShownChange }) {
  const facts: readonly (readonly [string, ComponentChildren])[] = [
    ['Committed', <At key="at" time={change.committedAt} digits={6} />],
    ['Who', change.who === null ? null : <Text key="who" value={change.who} />],
    ['Application', change.application === null ? null : <Text key="application" value={change.application} />],
    ['Why', change.why === null ? null : <Text key="why" value={change.why} />],
    [
      'Details',
      change.details === null ? null : (
        <code key="details">
          <Text value={change.details} />
        </code>
      ),
    ],
    ['Transaction', change.transaction === null ? null : `${change.transaction} in epoch ${change.epoch}`],
    ['LSN', <code key="lsn">{change.lsn}</code>],
  ]
  return (
    <dl class="facts">
      {facts.map(([name, value]) =>
        value === null ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  )
}

function Columns({ change: { op, columns, columnCount, changedCount } }: { readonly change: ShownChange }) {
  const isUpdate = op === 'update'
  return (
    <>
      <h3>
        {columnCount} columns{isUpdate && <span class="quiet">, {changedCount} changed</span>}
      </h3>
      <section class="table-region" aria-label="Columns" tabIndex={0}>
        <table class="data-table columns-table">
          <thead>
            <tr>
              <th scope="col">Column</th>
              {isUpdate && <th scope="col">Before</th>}
              <th scope="col">{isUpdate ? 'After' : op === 'delete' ? 'Deleted value' : 'Value'}</th>
            </tr>
          </thead>
          <tbody>
            {columns.map((column) => (
              <ColumnRow key={column.name} column={column} isUpdate={isUpdate} />
            ))}
          </tbody>
        </table>
      </section>
    </>
  )
}

function ColumnRow({ column, isUpdate }: { readonly column: ColumnChange; readonly isUpdate: boolean }) {
  const { name, type, before, after, isChanged } = column
  const value = after ?? before
  return (
    <tr class={isUpdate && isChanged ? 'changed' : undefined}>
      <th scope="row">
        {isUpdate && isChanged && (
          <span class="changed-mark" title="changed">
            <span class="sr-only">changed: </span>
            <span aria-hidden="true">●</span>
          </span>
        )}
        <Text value={name} /> <span class="quiet type">{type}</span>
      </th>
      {isUpdate && (
        <td class="before">
          {before === undefined ? <span class="quiet">–</span> : <CellText cell={before} form="block" isBefore />}
        </td>
      )}
      <td class={isUpdate ? 'after' : undefined}>
        {value === undefined ? <span class="quiet">–</span> : <CellText cell={value} form="block" />}
      </td>
    </tr>
  )
}
