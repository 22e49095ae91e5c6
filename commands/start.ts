import { startEngine } from '#localstack/engine.ts'
import { runStack } from './start/run-stack.ts'

const help = `npm start [-- --rows N] [--rate R] [--no-feed] [--brokers 3] [--secure] [--no-console]
          [--allow-actions] [--json]
npm start -- --once --rows N [--rate R] [--brokers 3] [--secure]

Starts source, target, Kafka, Connect, the functions and the mappings from the synthesized CDK app, feeds taxi trips of
New York into the source and shows one live status screen, with the address of the console (npm run console -- --help).
Ctrl-C stops everything; data is kept for the next start.
  --rows      trips to feed (64215, the whole file)
  --rate      trips a second (RECORD_RATE, or 100); 0 for as fast as possible
  --no-feed   no tables and no trips: for tables of your own
  --brokers   3 brokers that keep a copy of every record each, of which one may be lost; 1 by default. The
              number belongs to the data: run npm run reset before you change it
  --secure    brokers that are reached over TLS, by name and password, and give each client only the rights that it needs;
              like the number of brokers, this belongs to the data
  --no-console      no console; with --once there is none
  --allow-actions   the console may also act, for example read a table again (TIDEMARK_CONSOLE_ACTIONS=1)
  --json      the same as lines of JSON
  --once      feeds (as fast as possible), waits until source and target are equal, compares every row, the windows with
              batch SQL and the archive with the topics, stops, and prints as its last line {"rows", "mismatches",
              "windowMismatches", "archiveMismatches", …}; 0 only without mismatches`

/**
 * Returns 0 when Ctrl-C ended a running stack, or `--once` found no mismatches; 1 when it found some; 130 when it was
 * interrupted.
 */
export const main = (argv: string[]): Promise<number> => runStack(argv, { help, start: startEngine })
