import type { ArchiveView } from '#core/console/archive.ts'
import { useResource } from '../../api/resource.ts'
import { DataTable } from '../../parts/data-table.tsx'
import { Heading } from '../../parts/heading.tsx'
import { Empty, Loaded, Panel } from '../../parts/panel.tsx'
import { Text } from '../../parts/text.tsx'
import { Ago, At } from '../../parts/time.tsx'
import { formatBytes, formatCount, formatDuration, groupDigits } from '../../text/numbers.ts'
import { Figure } from '../overview/figures.tsx'
import { QueryPanel } from './query-panel.tsx'

/** The Iceberg table of every record: how fresh it is, its table snapshots and files, and queries. */
export function ArchiveScreen() {
  const resource = useResource('GET /archive', { everyMs: 5_000 })
  return (
    <>
      <Heading
        title="Archive"
        note={
          resource.value === null ? undefined : (
            <code class="quiet">
              <Text value={resource.value.table} />
            </code>
          )
        }
      />
      <div class="stack">
        <Loaded resource={resource}>{(view) => <State view={view} />}</Loaded>
        <QueryPanel />
        <Loaded resource={{ ...resource, problem: null }}>{(view) => <Content view={view} />}</Loaded>
      </div>
    </>
  )
}

const State = ({ view: { now, location } }: { readonly view: ArchiveView }) => (
  <>
    <dl class="figures">
      <Figure label="Records" value={formatCount(now.rows)} />
      <Figure label="Files" value={formatCount(now.files)} note={formatBytes(now.bytes)} />
      <Figure label="Table snapshots" value={formatCount(now.tableSnapshots)} />
      <Figure
        label="Last commit"
        value={now.committedMsAgo === null ? 'none yet' : `${formatDuration(now.committedMsAgo)} ago`}
      />
      <Figure
        label="Waiting"
        value={formatCount(now.waitingRecords)}
        note={now.oldestWaitingMs === null ? 'records' : `the oldest for ${formatDuration(now.oldestWaitingMs)}`}
      />
    </dl>
    <p class="quiet location">
      <code>
        <Text value={location} />
      </code>
    </p>
  </>
)

const Content = ({ view: { snapshots, files } }: { readonly view: ArchiveView }) => (
  <div class="two">
    <Panel title="Table snapshots" beside={<span class="quiet">newest first</span>} isFlush class="scrolled">
      {snapshots.length === 0 ? (
        <Empty>Nothing is committed yet.</Empty>
      ) : (
        <DataTable
          label="Table snapshots"
          rows={snapshots}
          keyOf={({ id }) => id}
          columns={[
            {
              title: 'Committed',
              isHeading: true,
              cell: ({ at }) => (
                <>
                  <At time={at} />{' '}
                  <span class="quiet">
                    <Ago time={at} />
                  </span>
                </>
              ),
            },
            { title: 'Operation', cell: ({ operation }) => operation },
            { title: 'Added', isNumber: true, cell: ({ addedRecords }) => groupDigits(addedRecords) },
            { title: 'Records', isNumber: true, cell: ({ totalRecords }) => groupDigits(totalRecords) },
            { title: 'Files', isNumber: true, cell: ({ totalFiles }) => groupDigits(totalFiles) },
          ]}
        />
      )}
    </Panel>
    <Panel
      title="Files"
      beside={<span class="quiet">of the newest table snapshot, largest first</span>}
      isFlush
      class="scrolled"
    >
      {files.length === 0 ? (
        <Empty>There are no files.</Empty>
      ) : (
        <DataTable
          label="Files"
          rows={files}
          keyOf={({ path }) => path}
          columns={[
            {
              title: 'File',
              isHeading: true,
              class: 'file',
              cell: ({ path }) => (
                <code title={path}>
                  <Text value={path.split('/').at(-1) ?? path} />
                </code>
              ),
            },
            { title: 'Partition', class: 'short-text', cell: ({ partition }) => <Text value={partition} /> },
            { title: 'Records', isNumber: true, cell: ({ records }) => formatCount(records) },
            { title: 'Size', isNumber: true, cell: ({ bytes }) => formatBytes(bytes) },
          ]}
        />
      )}
    </Panel>
  </div>
)
