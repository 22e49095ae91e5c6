import { expect, test } from 'vitest'
import type { ColumnContract, TableContract } from '../contract.ts'
import { contractDifferences } from './contract-differences.ts'

const column = (number: number, name: string, changes: Partial<ColumnContract> = {}): ColumnContract => ({
  number,
  name,
  type: 'text',
  carried: 'text',
  wire: 'value',
  nullable: true,
  generated: false,
  expression: null,
  key: null,
  missing: null,
  definition: null,
  ...changes,
})

const [id, note] = [column(1, 'id', { type: 'bigint', carried: 'bigint', key: 1, nullable: false }), column(2, 'note')]

const contract = (changes: Partial<TableContract> = {}): TableContract => ({
  relation: 1,
  version: 1,
  schema: 'public',
  table: 'orders',
  dropped: false,
  published: true,
  refusal: null,
  generation: 1,
  complete: true,
  topicPartitions: 1,
  replicaIdentity: 'default',
  parents: [],
  columns: [id, note],
  ...changes,
})

test.each<[string, Partial<TableContract>, string[]]>([
  ['nothing', {}, []],
  [
    'an added column',
    { columns: [id, note, column(3, 'paid', { type: 'boolean', missing: 'f' })] },
    ['column paid (boolean) was added, with f in the rows that there were'],
  ],
  [
    'an added generated column',
    { columns: [id, note, column(3, 'twice', { generated: true })] },
    ['generated column twice (text) was added'],
  ],
  ['a dropped column', { columns: [id] }, ['column note was dropped']],
  ['a renamed column', { columns: [id, column(2, 'remark')] }, ['column note was renamed to remark']],
  [
    'a renamed column of the key',
    { columns: [{ ...id, name: 'order_id' }, note] },
    ['column id was renamed to order_id'],
  ],
  [
    'another type',
    { columns: [id, column(2, 'note', { type: 'varchar(9)' })] },
    ['the type of column note was text and is varchar(9)'],
  ],
  [
    'an altered type',
    { columns: [id, column(2, 'note', { definition: 'a,b' })] },
    ['the type text of column note was altered'],
  ],
  ['not null', { columns: [id, column(2, 'note', { nullable: false })] }, ['column note may not be null any more']],
  [
    'another name of the table',
    { table: 'purchases' },
    ['the table was renamed from public.orders to public.purchases'],
  ],
  [
    'another key',
    {
      columns: [
        { ...id, key: 2 },
        { ...note, key: 1 },
      ],
    },
    ['the key was (id) and is (note, id)'],
  ],
  ['no key', { columns: [{ ...id, key: null }, note] }, ['the table has lost its key, which was (id)']],
  ['another generation', { generation: 2, complete: false }, ['all rows are read again']],
  ['a refusal', { refusal: 'it is unlogged', published: false }, ['the table cannot be captured: it is unlogged']],
  [
    'a dropped table',
    { dropped: true, published: false },
    ['the table was dropped', 'the table has left the publication'],
  ],
])('%s is a sentence', (_, changes, sentences) => {
  expect(contractDifferences(contract(), contract(changes))).toEqual(sentences)
})
