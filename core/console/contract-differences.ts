import { type ColumnContract, keyColumns, type TableContract } from '../contract.ts'

/** What a later version of a contract has changed, each as a sentence; empty if nothing that readers of the table see. */
export function contractDifferences(before: TableContract, after: TableContract): string[] {
  return [...tableDifferences(before, after), ...columnDifferences(before, after), ...captureDifferences(before, after)]
}

function tableDifferences(before: TableContract, after: TableContract): string[] {
  const sentences: string[] = []
  if (nameOf(before) !== nameOf(after))
    sentences.push(`the table was renamed from ${nameOf(before)} to ${nameOf(after)}`)
  if (!before.dropped && after.dropped) sentences.push('the table was dropped')
  const [had, has] = [keyNames(before), keyNames(after)]
  // A key whose column was renamed is the same key.
  if (keyNumbers(before) === keyNumbers(after)) return sentences
  if (had === '') return [...sentences, `the table has got the key ${has}`]
  return [
    ...sentences,
    has === '' ? `the table has lost its key, which was ${had}` : `the key was ${had} and is ${has}`,
  ]
}

function columnDifferences(before: TableContract, after: TableContract): string[] {
  const had = new Map(before.columns.map((column) => [column.number, column]))
  const has = new Set(after.columns.map(({ number }) => number))
  const dropped = before.columns
    .filter(({ number }) => !has.has(number))
    .map(({ name }) => `column ${name} was dropped`)
  const others = after.columns.flatMap((column) => {
    const former = had.get(column.number)
    return former === undefined ? [added(column)] : changesOf(former, column)
  })
  return [...dropped, ...others]
}

const added = ({ name, type, generated, missing }: ColumnContract): string => {
  if (generated) return `generated column ${name} (${type}) was added`
  return `column ${name} (${type}) was added${missing === null ? '' : `, with ${missing} in the rows that there were`}`
}

function changesOf(before: ColumnContract, after: ColumnContract): string[] {
  const sentences: string[] = []
  const { name } = after
  if (before.name !== name) sentences.push(`column ${before.name} was renamed to ${name}`)
  if (before.type !== after.type) sentences.push(`the type of column ${name} was ${before.type} and is ${after.type}`)
  else if (before.definition !== after.definition)
    sentences.push(`the type ${after.type} of column ${name} was altered`)
  if (before.nullable !== after.nullable)
    sentences.push(`column ${name} may ${after.nullable ? 'now be null' : 'not be null any more'}`)
  if (before.generated !== after.generated)
    sentences.push(`column ${name} is ${after.generated ? 'now' : 'no longer'} generated`)
  else if (before.expression !== after.expression) sentences.push(`the expression of column ${name} was changed`)
  return sentences
}

function captureDifferences(before: TableContract, after: TableContract): string[] {
  const sentences: string[] = []
  if (before.refusal !== after.refusal && after.refusal !== null)
    sentences.push(`the table cannot be captured: ${after.refusal}`)
  if (before.refusal !== null && after.refusal === null) sentences.push('the table can be captured again')
  if (before.published && !after.published && after.refusal === null)
    sentences.push('the table has left the publication')
  if (!before.published && after.published) sentences.push('the table is in the publication')
  if (before.replicaIdentity !== after.replicaIdentity) {
    sentences.push(`the replica identity was ${before.replicaIdentity} and is ${after.replicaIdentity}`)
  }
  if (before.generation !== after.generation) sentences.push('all rows are read again')
  else if (!before.complete && after.complete) sentences.push('all rows have been read')
  return sentences
}

const nameOf = ({ schema, table }: TableContract): string => `${schema}.${table}`
const keyNumbers = (contract: TableContract): string =>
  keyColumns(contract)
    .map(({ number }) => number)
    .join()
const keyNames = (contract: TableContract): string => {
  const names = keyColumns(contract).map(({ name }) => name)
  return names.length === 0 ? '' : `(${names.join(', ')})`
}
