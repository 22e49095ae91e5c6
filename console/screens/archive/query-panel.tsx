import { useState } from 'preact/hooks'
import type { QueryResult } from '#core/console/archive.ts'
import { AskError } from '../../api/ask-error.ts'
import { ask, session } from '../../api/server.ts'
import { Empty, Panel, sentence } from '../../parts/panel.tsx'
import { CellText, Text } from '../../parts/text.tsx'
import { changeQuery, place } from '../../routing/navigation.ts'
import { formatDuration, formatQuantity } from '../../text/numbers.ts'

const example = 'select count(*) from archive'

/** Where the archive is queried: here, in Athena, or nowhere. */
export function QueryPanel() {
  const where = session.value?.archiveQuery
  if (where === undefined) return null
  if (where.kind === 'here') return <QueryBox />
  return (
    <Panel title="Query">
      {where.kind === 'athena' ? (
        <p>
          <a href={where.url} target="_blank" rel="noreferrer">
            Query the archive in Athena
          </a>
        </p>
      ) : (
        <Empty>This console cannot query the archive. In a terminal, npm run archive -- sql does.</Empty>
      )}
    </Panel>
  )
}

function QueryBox() {
  const [sql, setSql] = useState(place.value.query['sql'] ?? example)
  const [result, setResult] = useState<QueryResult | null>(null)
  const [problem, setProblem] = useState<AskError | null>(null)
  const [isRunning, setIsRunning] = useState(false)
  const run = async () => {
    setIsRunning(true)
    setProblem(null)
    changeQuery({ sql }, { replace: true })
    try {
      setResult(await ask('POST /archive/query', { body: { sql } }))
    } catch (error) {
      if (error instanceof AskError) setProblem(error)
    }
    setIsRunning(false)
  }
  return (
    <Panel title="Query" beside={<span class="quiet">SQL on the table archive</span>} isFlush>
      <form
        class="pad"
        onSubmit={(event) => {
          event.preventDefault()
          void run()
        }}
      >
        <textarea
          class="code"
          rows={4}
          data-search
          aria-label="SQL"
          spellcheck={false}
          value={sql}
          onInput={(event) => setSql(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void run()
          }}
        />
        <div class="filter-buttons">
          <button type="submit" class="button main" disabled={isRunning || sql.trim() === ''}>
            {isRunning ? 'Running …' : 'Run'}
          </button>
          <span class="quiet wide-only">Ctrl Enter</span>
        </div>
      </form>
      {problem !== null && (
        <div class="note bad" role="alert">
          <Text value={sentence(problem.message)} form="block" />
          {problem.hint !== null && <p class="quiet">{sentence(problem.hint)}</p>}
        </div>
      )}
      {result !== null && <Result result={result} />}
    </Panel>
  )
}

/** More rows make the page slow, and nobody reads them. */
const MOST_ROWS = 500

function Result({ result: { columns, rows, isCut, tookMs } }: { readonly result: QueryResult }) {
  const isLong = isCut || rows.length > MOST_ROWS
  return (
    <>
      <p class="pad quiet" role="status">
        {isLong
          ? `The first ${formatQuantity(Math.min(rows.length, MOST_ROWS), 'row')}`
          : formatQuantity(rows.length, 'row')}{' '}
        in {formatDuration(tookMs)}
      </p>
      <section class="table-region result-region" aria-label="Result" tabIndex={0}>
        <table class="data-table keeps-table">
          <thead>
            <tr>
              {columns.map(({ name, type }, index) => (
                <th key={`${index} ${name}`} scope="col">
                  <Text value={name} /> <span class="quiet type">{type}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, MOST_ROWS).map((row, index) => (
              <tr key={index}>
                {row.map((value, column) => (
                  <td key={column}>
                    <CellText cell={value === null ? { kind: 'null' } : { kind: 'text', text: value }} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </>
  )
}
