import { randomUUID } from 'node:crypto'
import type {
  CommitOutcome,
  LoadedTable,
  RestCatalog,
  TableDefinition,
  TableName,
} from '#adapters/iceberg/catalog/rest-catalog.ts'
import type { TableRequirement, TableUpdate } from '#adapters/iceberg/commit/commit.ts'
import { parseExactJson, stringifyExactJson } from '#adapters/iceberg/table/exact-json.ts'
import { readTableMetadata, type TableMetadata } from '#adapters/iceberg/table/table-metadata.ts'

/** A REST catalog in memory. It checks requirements, numbers and parents by the specification. */
export type MemoryCatalog = RestCatalog & {
  /** The table as it is now; undefined before it is created. */
  table(): TableMetadata | undefined
  /** Commits a table snapshot of another writer that changes no row, as a compaction does. */
  interfere(): void
}

type Json = Record<string, unknown>

export function makeMemoryCatalog(now: () => number = Date.now): MemoryCatalog {
  let current: Json | undefined
  const loaded = (): LoadedTable => ({ metadata: metadataOf(current!), metadataLocation: 's3://memory/metadata.json' })
  const commit = (requirements: readonly TableRequirement[], updates: readonly TableUpdate[]): CommitOutcome => {
    const { metadata } = loaded()
    const unmet = requirements.find((requirement) => !holds(metadata, requirement))
    if (unmet !== undefined) return { kind: 'conflict', message: `requirement failed: ${unmet.type}` }
    // The updates are copied as JSON, so that the catalog and its caller share no object.
    const sent = parseExactJson(stringifyExactJson(updates)) as unknown as TableUpdate[]
    current = sent.reduce(updated, { ...current, 'last-updated-ms': now() })
    return { kind: 'committed', ...loaded() }
  }
  return {
    table: () => (current === undefined ? undefined : metadataOf(current)),
    createNamespace: async () => 'exists',
    loadTable: async () => (current === undefined ? undefined : loaded()),
    async createTable(_table: TableName, definition: TableDefinition) {
      if (current !== undefined) return { kind: 'exists' }
      current = newTable(definition, now())
      return { kind: 'created', ...loaded() }
    },
    listNamespaces: async () => ['memory'],
    listTables: async () => [],
    renameTable: async () => 'unsupported',
    registerTable: async () => 'unsupported',
    commit: async (_table, { requirements, updates }) => commit(requirements, updates),
    interfere() {
      const metadata = metadataOf(current!)
      const parent = metadata.snapshots.find((each) => each['snapshot-id'] === metadata['current-snapshot-id'])
      if (parent === undefined) return
      const { 'tidemark.commit-number': _, ...summary } = parent.summary
      const snapshot = {
        ...parent,
        'snapshot-id': BigInt(Math.floor(Math.random() * 2 ** 50)),
        'parent-snapshot-id': parent['snapshot-id'],
        'sequence-number': metadata['last-sequence-number'] + 1,
        summary: { ...summary, operation: 'replace' },
      }
      commit(
        [],
        [
          { action: 'add-snapshot', snapshot },
          { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshot['snapshot-id'] },
        ],
      )
    },
  }
}

const metadataOf = (json: Json): TableMetadata => readTableMetadata(parseExactJson(stringifyExactJson(json)))

function newTable(
  { schema, 'partition-spec': spec, 'write-order': order, properties }: TableDefinition,
  nowMs: number,
) {
  return {
    'format-version': 2,
    'table-uuid': randomUUID(),
    location: 's3://memory/changes',
    'last-sequence-number': 0,
    'last-updated-ms': nowMs,
    schemas: [schema],
    'current-schema-id': 0,
    'partition-specs': [spec],
    'default-spec-id': 0,
    'sort-orders': [order],
    'default-sort-order-id': 1,
    properties,
    'current-snapshot-id': -1,
    snapshots: [],
    refs: {},
  }
}

function holds(metadata: TableMetadata, requirement: TableRequirement): boolean {
  if (requirement.type === 'assert-table-uuid') return metadata['table-uuid'] === requirement.uuid
  return (metadata.refs[requirement.ref]?.['snapshot-id'] ?? null) === requirement['snapshot-id']
}

function updated(table: Json, update: TableUpdate): Json {
  const snapshots = table['snapshots'] as Json[]
  switch (update.action) {
    case 'add-snapshot': {
      const { snapshot } = update
      const number = snapshot['sequence-number']
      if (number !== (table['last-sequence-number'] as number) + 1) throw new Error(`sequence number ${number}`)
      if (snapshots.some((each) => each['snapshot-id'] === snapshot['snapshot-id'])) throw new Error('added twice')
      return { ...table, snapshots: [...snapshots, snapshot], 'last-sequence-number': number }
    }
    case 'set-snapshot-ref': {
      const ref = { 'snapshot-id': update['snapshot-id'], type: update.type }
      const refs = { ...(table['refs'] as Json), [update['ref-name']]: ref }
      return { ...table, refs, 'current-snapshot-id': update['snapshot-id'] }
    }
    case 'set-properties':
      return { ...table, properties: { ...(table['properties'] as Json), ...update.updates } }
    case 'remove-snapshots': {
      const gone = new Set(update['snapshot-ids'].map(String))
      return { ...table, snapshots: snapshots.filter((each) => !gone.has(String(each['snapshot-id']))) }
    }
  }
}
