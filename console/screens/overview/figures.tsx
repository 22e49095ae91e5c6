import type { ComponentChildren } from 'preact'
import type { Snapshot } from '#core/console/overview.ts'
import type { Status } from '#core/status/status.ts'
import { State } from '../../parts/state.tsx'
import { At } from '../../parts/time.tsx'
import { formatBytes, formatCount, formatDuration, formatQuantity, formatRate } from '../../text/numbers.ts'

type FigureProps = {
  readonly label: string
  readonly value: ComponentChildren
  readonly note?: ComponentChildren
  readonly href?: string
}

/** A figure of the overview. */
export const Figure = ({ label, value, note, href }: FigureProps) => (
  <div class="figure">
    <dt>{href === undefined ? label : <a href={href}>{label}</a>}</dt>
    <dd>
      <strong>{value}</strong>
      {note !== undefined && <span class="figure-note">{note}</span>}
    </dd>
  </div>
)

type FiguresProps = { readonly status: Status; readonly snapshot: Snapshot }

/** The figures that matter most, in one row. */
export function Figures({ status, snapshot }: FiguresProps) {
  const { commitToVisibleMs: latency, lagRecords, lagMs, archive } = status
  return (
    <dl class="figures">
      <Figure
        label="Commit to visible"
        value={latency === null ? '–' : formatDuration(latency.p50)}
        note={
          latency === null
            ? 'nothing measured'
            : `p95 ${formatDuration(latency.p95)} · p99 ${formatDuration(latency.p99)}`
        }
      />
      <Figure
        label="Lag"
        href="/consumers"
        value={lagRecords === null ? 'unknown' : formatQuantity(lagRecords, 'record')}
        note={
          lagMs === null
            ? status.capture.state === 'down'
              ? 'nothing is captured'
              : 'not observed'
            : formatDuration(lagMs)
        }
      />
      <Figure
        label="Captured"
        value={formatRate(status.capturedPerSecond)}
        note={`applied ${formatRate(status.appliedPerSecond)}`}
      />
      <Slot snapshot={snapshot} retained={status.retainedWalBytes} />
      <Figure
        label="Archive"
        href="/archive"
        value={archive === null ? '–' : formatCount(archive.rows)}
        note={archiveNote(status)}
      />
      <EqualFigure snapshot={snapshot} />
    </dl>
  )
}

function archiveNote({ archive, archiveLagRecords }: Status): string {
  if (archive === null) return 'not observed'
  const waiting = archive.waitingRecords + (archiveLagRecords ?? 0)
  const committed =
    archive.committedMsAgo === null ? 'no commit' : `commit ${formatDuration(archive.committedMsAgo)} ago`
  return `${committed} · ${formatCount(waiting)} waiting`
}

/** The WAL that the replication slot keeps, against the limit at which Postgres gives it up. */
function Slot({ snapshot: { slot }, retained }: { readonly snapshot: Snapshot; readonly retained: number | null }) {
  const bytes = slot?.retainedBytes ?? retained
  const limit = slot?.limitBytes ?? null
  if (bytes === null) return <Figure label="WAL kept" value="–" note="no replication slot" />
  const note =
    limit === null ? (
      'no limit is set'
    ) : (
      <>
        <meter
          min={0}
          max={limit}
          low={limit * 0.5}
          high={limit * 0.8}
          optimum={0}
          value={bytes}
          aria-label="WAL kept of its limit"
        />{' '}
        of {formatBytes(limit)}
      </>
    )
  return <Figure label="WAL kept" value={formatBytes(bytes)} note={note} />
}

function EqualFigure({ snapshot: { equality } }: { readonly snapshot: Snapshot }) {
  if (equality === null) return <Figure label="Equal?" href="/equality" value="–" note="not compared yet" />
  const different = equality.tables.filter(({ state }) => state === 'different').length
  if (equality.state === 'failed')
    return <Figure label="Equal?" href="/equality" value={<State tone="bad">failed</State>} />
  if (equality.state !== 'done')
    return <Figure label="Equal?" href="/equality" value={<State tone="busy">comparing</State>} />
  const tone = different > 0 ? 'bad' : 'good'
  return (
    <Figure
      label="Equal?"
      href="/equality"
      value={
        <State tone={tone}>
          {different > 0 ? `${formatQuantity(different, 'table')} ${different === 1 ? 'differs' : 'differ'}` : 'equal'}
        </State>
      }
      note={
        equality.asOf === null ? undefined : (
          <>
            as of <At time={equality.asOf} />
          </>
        )
      }
    />
  )
}
