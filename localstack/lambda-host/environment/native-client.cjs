'use strict'

/**
 * Preloaded into every function process. It replaces aws-lambda-ric's addon `./rapid-client.node`, which npm does not
 * build here, by the same four functions over node:http. The rest of AWS's runtime client runs unchanged. This is plain
 * JavaScript, because stripping types would double a cold start.
 */
const { Agent, request } = require('node:http')
const { registerHooks } = require('node:module')
const { pathToFileURL } = require('node:url')
const { getHeapStatistics } = require('node:v8')

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':')
// These variables are for this file alone. They are deleted, so that a function sees only the variables that it has on
// AWS.
const token = process.env.TIDEMARK_RUNTIME_TOKEN
delete process.env.TIDEMARK_RUNTIME_TOKEN
const restMs = Number(process.env.TIDEMARK_REST_MS)
delete process.env.TIDEMARK_REST_MS
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
const invocations = '/2018-06-01/runtime/invocation/'

/** Settles when the Runtime API has taken the previous answer. The next invocation is requested only then. */
let delivered = Promise.resolve()

/** A collection is worthwhile when it can return this much memory, which Node does not return by itself. */
const RETURNED_BYTES = 32 << 20
const LITTLE_BYTES = 1 << 20
/**
 * Memory that a collection cannot return: at first that of a function which has done little, later what the last
 * collection left.
 */
let heldBytes = 48 << 20

/** Counters since the last check. */
let events = 0
let eventBytes = 0
let isWaiting = false

/**
 * Gives memory back when the process is idle. On AWS an idle process does not take memory from others; here it shares
 * the machine with the whole stack. A process that only beacons call, once a second, counts as idle, because it is
 * never without work for long.
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

// This reference is kept, because the function may change its globals.
const collect = globalThis.gc

/** The code with which the process exits instead of asking for another invocation. */
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
  /** The addon does not have this function. It ends the process when its last answer has been delivered. */
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
