import type { CaptureFacts, TableName } from './capture-facts.ts'
import type { Finding } from './finding.ts'

/** Findings for rows and views that were dropped in the target. */
export function targetFindings({ target: { missingRows, missingViews } }: CaptureFacts): Finding[] {
  return [
    ...(missingRows.length > 0 ? [droppedRows(missingRows)] : []),
    ...(missingViews.length > 0 ? [droppedViews(missingViews)] : []),
  ]
}

function droppedRows(tables: readonly TableName[]): Finding {
  return {
    cause: `the rows of ${namesOf(tables)} were dropped in the target`,
    follows: 'The next change of such a table stops it.',
    action: 'A resync reads the rows of each of them again from the source.',
    readers: 'Readers get an error until such a table has been read as a whole; other tables are as they should be.',
    repair: { kind: 'resync tables', tables },
    stopsCapture: false,
  }
}

function droppedViews(views: readonly TableName[]): Finding {
  return {
    cause: `the view of ${namesOf(views)} was dropped in the target; its rows are there, and changes go on being applied`,
    follows: 'Nobody can read them by that name.',
    action: 'The view is made again. Rights that were granted on it are not known any more: grant them again.',
    readers: 'Readers get an error until then.',
    repair: { kind: 'restore views', views },
    stopsCapture: false,
  }
}

/** `schema.table` of the first five tables, and the number of the others. */
function namesOf(tables: readonly TableName[]): string {
  const names = tables.map(({ schema, table }) => `${schema}.${table}`)
  const shown = names.slice(0, 5).join(', ')
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown
}
