// The console of npm start, in a process of its own.

import { enableCompileCache } from 'node:module'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { ownDirectory } from '#localstack/settings.ts'

enableCompileCache(join(ownDirectory, 'node-compile-cache'))
// What pages ask for waits for what the pipeline has to do.
setPriority(10)
const { main } = await import('../console.ts')
process.exit(await main(process.argv.slice(2)))
