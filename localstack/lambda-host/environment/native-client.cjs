'use strict'

/**
 * Preloaded into every function process. Answers aws-lambda-ric's `./rapid-client.node`, an addon npm does not build
 * here, with the same four functions over node:http; the rest of AWS's runtime client runs unchanged.
 * Plain JavaScript: stripping types would double a cold start.
 */
const { Agent, request } = require('node:http')
const { registerHooks } = require('node:module')
const { pathToFileURL } = require('node:url')
const { getHeapStatistics } = require('node:v8')

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':')
// Of the host alone: a function sees the variables that it has on AWS.
const token = process.env.TIDEMARK_RUNTIME_TOKEN
delete process.env.TIDEMARK_RUNTIME_TOKEN
const restMs = Number(process.env.TIDEMARK_REST_MS)
delete process.env.TIDEMARK_REST_MS
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
const invocations = '/2018-06-01/runtime/invocation/'

/** Settles when the Runtime API has taken the previous answer: the next invocation is asked for after it. */
let delivered = Promise.resolve()

/** Of memory that is not given back without being asked for, so much is worth a collection. */
const RETURNED_BYTES = 32 << 20
const LITTLE_BYTES = 1 << 20
/** What a function that has done little holds, and then what the last collection left. */
let heldBytes = 48 << 20

/** What came since the last look. */
let events = 0
let eventBytes = 0
let isWaiting = false

/**
 * On AWS a process that rests takes no memory of anybody; here it shares the machine with the whole stack. One that beacons
 * call each second rests, too: it is never without work for long.
 */
function giveMemoryBack() {
  const hasLittle = isWaiting && events <= restMs / 500 && eventBytes < LITTLE_BYTES
  events = 0
  eventBytes = 0
  if (!hasLittle || bytesHeld() - heldBytes < RETURNED_BYTES) return
  collect({ type: 'major', flavor: 'last-resort' })
  heldBytes = bytesHeld()
}
setInterval(giveMemoryBack, restMs).unref()

function bytesHeld() {
  const { total_heap_size, external_memory } = getHeapStatistics()
  return total_heap_size + external_memory
}

// Its own: what a function does to its globals is the function's.
const collect = globalThis.gc

/** What the process exits with instead of asking for another invocation. */
let exitCode

function call(method, path, headers, body) {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, method, path, headers, agent }, (response) => {
      const chunks = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ headers: response.headers, bodyJson: Buffer.concat(chunks).toString() }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

function post(path, body) {
  return call('POST', path, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }, body)
}

module.exports = {
  initializeClient() {},
  async next() {
    await delivered
    if (exitCode !== undefined) process.exit(exitCode)
    isWaiting = true
    const event = await call('GET', `${invocations}next`, { 'Tidemark-Runtime-Token': token })
    isWaiting = false
    events++
    eventBytes += event.bodyJson.length
    return event
  },
  done(id, body) {
    delivered = post(`${invocations}${id}/response`, body)
  },
  error(id, body) {
    delivered = post(`${invocations}${id}/error`, body)
  },
  /** Not of the addon: ends the process when its last answer is delivered. */
  exitAfterAnswer(code) {
    exitCode = code
  },
}

const hooks = registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier !== './rapid-client.node') return nextResolve(specifier, context)
    hooks.deregister()
    return { url: pathToFileURL(__filename).href, format: 'commonjs', shortCircuit: true }
  },
})
