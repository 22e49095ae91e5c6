import { randomBytes } from 'node:crypto'
import { userInfo } from 'node:os'
import { startConsoleServer } from '#localstack/console/console-server.ts'
import type { PageFiles } from '#localstack/console/page-files.ts'
import { untilInterrupted } from '#terminal/interruption.ts'
import { openBuiltPage } from './console/built-page.ts'
import { type ConsoleArguments, readConsoleArguments } from './console/console-arguments.ts'
import { openLocalConsole } from './console/local-console.ts'
import type { OpenConsole } from './console/open-console.ts'
import { openRemoteConsole } from './console/remote-console.ts'
import { makeSignedConsole } from './console/signed-console.ts'
import { requireEngine } from './running/running-engine.ts'

const help = `npm run console [-- --port N] [--allow-actions] [--json]
npm run console -- <target url> [<connect url>] [--source <source url>] [--kafka host:port,…] [--port N] [--json]
npm run console -- --api https://….execute-api.<region>.amazonaws.com [--port N] [--json]

Serves the console on this machine, prints its address, and ends with Ctrl-C. A browser shows there what the pipeline does:
every change with who and why, the whole life of each row, tables and their contracts, topics and their records, connectors,
consumers, windows, the archive, and what is wrong and how it is resolved. npm start serves it by itself.
Without a URL it is for the stack that runs here. With URLs it is for another pipeline, and shows what these servers have; it
logs in as the URLs say, for which tidemark_console_read is enough. With --api it shows the page of a console that is deployed
(docs/deploy.md), and signs the requests with the AWS credentials of this machine.
  --port            another port than 15480 (TIDEMARK_CONSOLE_PORT)
  --allow-actions   it may also act, for example read a table again or retry a quarantined record, as the role
                    tidemark_console_act. Each action says first what it will do, and is kept with the name of its user
                    (TIDEMARK_CONSOLE_ACTIONS=1)
  --source          the source, for its state and what it lacks
  --kafka           brokers in plain text, for topics and records
  --json            prints the address as JSON
Exits with 0 when Ctrl-C ended it, with 1 when it could not be served, and with 2 when an argument is wrong.`

/** Returns 0 when Ctrl-C ended it. */
export async function main(argv: string[]): Promise<number> {
  const given = readConsoleArguments(argv, process.env)
  if (given.help) {
    console.log(help)
    return 0
  }
  const opened = await open(given)
  const page = makePage()
  const server = await startConsoleServer({
    port: given.port,
    serve: opened.serve,
    page: page.content,
    who: userInfo().username,
  }).catch(async (error) => {
    await opened.close()
    throw error
  })
  console.log(given.json ? JSON.stringify({ console: { url: server.url } }) : `console  ${server.url}`)
  try {
    await untilInterrupted(
      (signal) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
    )
  } finally {
    await server.stop()
    await opened.close()
  }
  return 0
}

async function open({ of, allowsActions }: ConsoleArguments): Promise<OpenConsole> {
  // Each process has a token of its own, so that a page of an earlier one cannot act.
  const token = randomBytes(32).toString('base64url')
  if (of.kind === 'local') return openLocalConsole(await requireEngine(), { token, allowsActions })
  if (of.kind === 'urls') return openRemoteConsole(of, token)
  return { serve: makeSignedConsole(of.url), close: async () => undefined }
}

/** The page is read or built while the API answers already. */
function makePage(): { content: () => PageFiles | string } {
  let content: PageFiles | string = 'The page of the console is being built, which takes some seconds.'
  openBuiltPage().then(
    (files) => {
      content = files
    },
    (error: Error) => {
      content = `The page of the console could not be built: ${error.message}`
      console.error(content)
    },
  )
  return { content: () => content }
}
