import type { ActionAnswer, ActionRequest, RecordedAction } from './actions.ts'
import type { ArchiveView, QueryResult, WindowSeries, WindowsView } from './archive.ts'
import type { ChangePage, ChangeTail, RowLife, ShownChange, TransactionChanges } from './changes.ts'
import type { Connection, ConnectorDetail, Inspection, ListedConnector, ShownConsumer } from './connectors.ts'
import type { Equality } from './equality.ts'
import type { Session, Snapshot } from './overview.ts'
import type { QuarantinedDetail, QuarantinedItem } from './quarantine.ts'
import type { ListedTable, TableDetail } from './tables.ts'
import type { ListedTopic, RecordPage, WholeRecord } from './topics.ts'
import type { Page } from './values.ts'

/** Every path of the API begins with this. */
export const API_ROOT = '/api/v1'

/** The header that everything but GET needs, with the token of the session. */
export const TOKEN_HEADER = 'x-tidemark-token'

/**
 * The answer of each route, below `API_ROOT`. `:name` is a segment of the path, encoded as encodeURIComponent does. A status
 * of 400 or more has a `Problem`.
 */
export type Routes = {
  'GET /session': Session
  'GET /snapshot': Snapshot
  'GET /tables': Page<ListedTable>
  'GET /tables/:table': TableDetail
  /** Parameters: those of ChangeFilter, `after`, `limit`. */
  'GET /changes': ChangePage
  'GET /changes/tail': ChangeTail
  'GET /changes/:id': ShownChange
  /**
   * `&format=csv|ndjson` and those of ChangeFilter: at most 10,000 changes, as a file. If there are more, the header
   * `x-tidemark-next` has the parameter `after` of the next file.
   */
  'GET /export': string
  'GET /rows': RowLife
  'GET /transactions/:epoch/:transaction': TransactionChanges
  'GET /topics': { readonly topics: readonly ListedTopic[] }
  'GET /topics/:topic/records': RecordPage
  'GET /topics/:topic/records/:partition/:offset': WholeRecord
  'GET /connectors': { readonly connectors: readonly ListedConnector[] }
  'GET /connectors/:name': ConnectorDetail
  'POST /connectors/inspect': Inspection
  'GET /consumers': { readonly consumers: readonly ShownConsumer[] }
  'GET /archive': ArchiveView
  'POST /archive/query': QueryResult
  'GET /windows': WindowsView
  'GET /windows/:name/series': WindowSeries
  'GET /quarantine': Page<QuarantinedItem>
  'GET /quarantine/:place': QuarantinedDetail
  'GET /equality': { readonly equality: Equality | null }
  'POST /equality': Equality
  'GET /actions': Page<RecordedAction>
  'POST /actions/:action': ActionAnswer
}

/** The bodies of what is posted. */
export type Bodies = {
  'POST /connectors/inspect': Connection
  'POST /archive/query': { readonly sql: string }
  'POST /equality': { readonly tables: readonly string[] | null }
  'POST /actions/:action': ActionRequest
}
