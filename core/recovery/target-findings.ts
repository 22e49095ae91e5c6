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
    readers: 'Readers of such a table get an error until its snapshot is complete. Other tables are not affected.',
    repair: { kind: 'resync tables', tables },
    stopsCapture: false,
  }
}

function droppedViews(views: readonly TableName[]): Finding {
  return {
    cause: `the view of ${namesOf(views)} was dropped in the target; its rows are still there, and changes are still applied`,
    follows: 'Nobody can read the rows by that name.',
    action: 'The view is created again. The rights that were granted on it are lost: grant them again.',
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
