import { type LocalStackEngine, startLocalStackEngine } from '#localstack/localstack-engine/localstack-engine.ts'
import { formatBytes } from '#terminal/quantities.ts'
import type { StartOptions } from '../start/options.ts'
import { runStack } from '../start/run-stack.ts'

const help = `npm run localstack [-- --rows N] [--rate R] [--no-feed] [--brokers 3] [--secure] [--no-console]
                      [--allow-actions] [--json]
npm run localstack -- --once --rows N [--rate R] [--brokers 3] [--secure]

Runs the same stack as npm start in another way: LocalStack is started, the CDK's own command bootstraps it and deploys the
stage local to it through CloudFormation, and the functions are invoked through its Lambda API. Databases, Kafka, Connect
and the archive run beside it, in the same directories as with npm start.
LocalStack is installed into .tidemark/localstack-python, which needs Python 3.11, 3.12 or 3.13 with its venv module. If a
Docker engine answers and the file localstack/compose.yaml exists, it runs as a container instead. The container has never
been tried: TIDEMARK_LOCALSTACK=python always uses Python.
  --rows      trips to feed (64215, the whole file)
  --rate      trips a second (RECORD_RATE, or 100); 0 for as fast as possible
  --no-feed   no tables and no trips: for tables of your own
  --brokers   3 brokers that keep a copy of every record each; 1 by default
  --secure    brokers that are reached over TLS, by name and password
  --no-console      no console; with --once there is none
  --allow-actions   the console may also act
  --json      the same as lines of JSON
  --once      feeds (as fast as possible), waits until source and target are equal, compares every row, the windows with
              batch SQL and the archive with the topics, stops, and prints as its last line {"rows", "mismatches",
              "windowMismatches", "archiveMismatches", …}; 0 only without mismatches

  aws --endpoint-url http://127.0.0.1:4566 lambda list-functions
TIDEMARK_LOCALSTACK_PORT chooses another port. docs/localstack.md says what LocalStack does and what the engine does.`

/** The exit code is that of npm start: 0 when Ctrl-C ended a running stack, or `--once` found no mismatches. */
export const main = (argv: string[]): Promise<number> => runStack(argv, { help, start: startLocalStackEngine, report })

/** Writes to standard error, or with `--json` a line of JSON before the last one. */
async function report(engine: LocalStackEngine, { json }: StartOptions): Promise<void> {
  const figures = { ...(await engine.localStack()), stackResidentBytes: await engine.residentBytes() }
  if (json) {
    console.log(JSON.stringify({ localStack: figures }))
    return
  }
  const { readySeconds, bootstrapSeconds, deploySeconds, residentBytes, stackResidentBytes } = figures
  const times = `ready in ${readySeconds} s, cdk bootstrap ${bootstrapSeconds} s, cdk deploy ${deploySeconds} s`
  const memory = `${formatBytes(residentBytes)} of memory, ${formatBytes(stackResidentBytes)} with all beside it`
  console.error(`LocalStack: ${times}; ${memory}`)
}
