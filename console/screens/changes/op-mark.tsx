import type { ChangeOp } from '#core/console/changes.ts'

const signs: Readonly<Record<ChangeOp, string>> = { insert: '+', update: '~', delete: '−', read: 'r', truncate: '∅' }

/** An operation as sign, word and colour. */
export const OpMark = ({ op }: { readonly op: ChangeOp }) => (
  <span class={`op op-${op}`}>
    <b aria-hidden="true">{signs[op]}</b>
    {op}
  </span>
)
