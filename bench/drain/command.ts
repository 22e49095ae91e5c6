import { parseArgs } from 'node:util'
import type { BenchCommand } from '../bench-command.ts'
import { readCount } from '../options.ts'
import { fastest } from '../peers/jdbc-sink.ts'
import { nativeSettings } from '../peers/native-replication.ts'
import { HEAP_MB } from '../peers/peer-worker.ts'
import { workloadNamed, workloads } from '../workloads/workloads.ts'
import { measureDrains } from './drain.ts'
import { describeDrain } from './report.ts'

const help = `npm run bench -- drain [--peers] [--workload NAME] [--rows N] [--runs N] [--save] [--json]

How fast a topic that was filled beforehand is applied, with history and without, and what a change costs of the processor.
While one is measured, Connect and the archive are stopped. Each system drains once without being counted; then they take
turns, every second one backwards. After every drain the final state is compared with the source's by checksum.
  --peers      the same changes by Debezium's JDBC sink (1 and 4 tasks, and 4 with Avro) and by Postgres's logical replication as
               well; Maven is asked for them the first time
  --workload   ${workloads.map(({ name }) => name).join(', ')}
  --rows       rows, or for tpcb transactions, as many as the workload usually has if absent
  --runs       turns (5)
  --save       keeps the result in bench/results and rewrites bench/README.md
  --json       prints the result as JSON

${workloads.map(({ name, rows, summary }) => `  ${name.padEnd(14)}  ${summary}; ${rows.toLocaleString('en-US')} rows`).join('\n')}`

export const drain: BenchCommand = {
  name: 'drain',
  help,
  async run(argv, onProgress) {
    const { values } = parseArgs({
      args: argv,
      options: {
        peers: { type: 'boolean', default: false },
        workload: { type: 'string', default: 'bench' },
        rows: { type: 'string' },
        runs: { type: 'string', default: '5' },
      },
    })
    const workload = workloadNamed(values.workload)
    const rows = values.rows === undefined ? workload.rows : readCount('--rows', values.rows)
    const runs = readCount('--runs', values.runs)
    const measures = await measureDrains({ workload, rows, runs, peers: values.peers, onProgress })
    return {
      file: workload.name === 'bench' ? 'drain' : `drain-${workload.name}`,
      configuration: {
        'topic partitions': '4',
        windows: 'held',
        'apply functions': '4 at most, each of 1024 MB; their processes are warm, as the JVM of the sinks is',
        ...(values.peers && {
          'JDBC sink': `Debezium 3.6.0.Final, JSON with schemas where no other format is named, a warm JVM with a heap of ${HEAP_MB} MB; ${settingsOf(fastest)}`,
          Avro: "Apicurio's converter and registry 2.6.13.Final, schemas in the registry's memory; function or JVM includes the registry",
          'logical replication': nativeSettings,
        }),
      },
      measures,
    }
  },
  describe: describeDrain,
}

const settingsOf = (settings: Record<string, string>): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')
