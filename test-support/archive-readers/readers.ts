import { attachArchive, type Chdb } from '#localstack/archive-readers/chdb.ts'
import { type ArchiveServices, archiveNamespace } from './archive-functions.ts'
import type { PythonReaders } from './python-readers.ts'
import { type Question, rowText, type Tallies, type Tally } from './tally.ts'

/** Reads the archive table once for each question. */
export type Reader = (questions: readonly Question[]) => Promise<Tallies[]>

/** A reader that uses ClickHouse with the catalog. */
export function clickHouseReader(chdb: Chdb, services: ArchiveServices): Reader {
  const text = rowText({
    text: (column) => `toString(${column})`,
    millis: (column) => `toUnixTimestamp64Milli(${column})`,
  })
  const query = (where: string) => `
    select concat(topic, '-', toString(kafka_partition)) as stream,
      count() as records, uniqExact(kafka_offset) as offsets, min(kafka_offset) as first, max(kafka_offset) as last,
      sum(reinterpretAsUInt32(reverse(left(MD5(${text}), 4)))) as checksum
    from changes
    where ${where}
    group by stream`
  return async (questions) => {
    const { credentials, token = '' } = services
    await attachArchive(chdb, { ...services, namespace: archiveNamespace, key: { ...credentials, token } })
    const answers: Tallies[] = []
    for (const { where } of questions) answers.push(talliesOf(await chdb.query(query(where(withoutZone)))))
    return answers
  }
}

/** A time as text without a zone, for a comparison with a DateTime64 of UTC. */
const withoutZone = (iso: string): string => `'${iso.slice(0, 19).replace('T', ' ')}'`

function talliesOf(lines: string): Tallies {
  const rows = lines
    .split('\n')
    .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Tally & { stream: string }]))
  return Object.fromEntries(rows.map(({ stream, ...tally }) => [stream, tally]))
}

const withZone = (iso: string): string => `'${iso.slice(0, 19)}+00:00'`

/** A reader that uses DuckDB with the catalog. */
export function duckDbReader(python: PythonReaders, services: ArchiveServices): Reader {
  const text = rowText({ text: (column) => `${column}::varchar`, millis: (column) => `epoch_ms(${column})` })
  return (questions) =>
    python.ask('read-with-duckdb.py', {
      ...services,
      namespace: archiveNamespace,
      rowText: text,
      questions: questions.map(({ where }) => where(withZone)),
    })
}

/** How pyiceberg signs its requests to the catalog, by its names of the properties. */
export const signedFor = ({ credentials }: ArchiveServices) => ({
  'rest.sigv4-enabled': 'true',
  'rest.signing-name': 's3tables',
  'rest.signing-region': 'us-east-1',
  'client.access-key-id': credentials.accessKeyId,
  'client.secret-access-key': credentials.secretAccessKey,
})

/**
 * The results of pyiceberg's inspections: the rows of each, and of the manifests' entries their status, rows and
 * snapshots.
 */
export type Inspections = {
  readonly rows: Readonly<Record<string, number>>
  /** The number of entries by status: 0 existing, 1 added, 2 deleted. */
  readonly statuses: Readonly<Record<string, number>>
  readonly records: number
  readonly snapshots: number
}

/** Runs every inspection that pyiceberg has. */
export const inspectWithPyIceberg = (python: PythonReaders, services: ArchiveServices): Promise<Inspections> =>
  python.ask('inspect-with-pyiceberg.py', { ...services, signing: signedFor(services), namespace: archiveNamespace })

/** Reads with pyiceberg and the catalog. Also returns how many data files pyiceberg had to read. */
export async function readWithPyIceberg(
  python: PythonReaders,
  services: ArchiveServices,
  questions: readonly Question[],
  signing: Readonly<Record<string, string>> = {},
): Promise<{ answers: Tallies[]; files: number[] }> {
  return python.ask('read-with-pyiceberg.py', {
    ...{ ...services, signing, namespace: archiveNamespace },
    questions: questions.map(({ where }) => where(withZone)),
  })
}
