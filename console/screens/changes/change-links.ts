import type { ShownChange } from '#core/console/changes.ts'
import type { KeyCells } from '#core/console/values.ts'
import { hrefOf } from '../../routing/place.ts'

/**
 * A key as the API takes it: a JSON object. Values are texts, so that no digit is lost on the way. Null where a value of
 * the key is cut, because then it names no row.
 */
export function keyParameter(key: KeyCells | null): string | null {
  if (key === null || key.some(({ cell }) => cell.kind === 'cut' || cell.kind === 'unavailable')) return null
  return JSON.stringify(
    Object.fromEntries(key.map(({ name, cell }) => [name, cell.kind === 'text' ? cell.text : null])),
  )
}

/** The screen of the life of a change's row; null where the change has no key. */
export function rowHref({ table, key }: Pick<ShownChange, 'table' | 'key'>): string | null {
  const parameter = keyParameter(key)
  return parameter === null ? null : hrefOf(['rows'], { table, key: parameter })
}

/** The screen of a change's transaction; null where its number was not kept. */
export const transactionHref = ({ epoch, transaction, committedAt }: ShownChange): string | null =>
  transaction === null ? null : hrefOf(['transactions', String(epoch), transaction], { at: committedAt })

/** The screen that searches the changes of a table. */
export const changesOfTable = (table: string): string => hrefOf(['changes'], { mode: 'search', table })
