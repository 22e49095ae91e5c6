import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'

/**
 * Runs in front of the handler of a function for nodejs22.x or earlier. AWS's client for Node.js 24 no longer supports
 * callbacks, `context.callbackWaitsForEmptyEventLoop` and `context.done`, and leaves unhandled rejections to Node. This
 * is plain JavaScript, because stripping types would double a cold start.
 */
const require = createRequire(import.meta.url)
const nativeClient = require('./native-client.cjs')
const streaming = Symbol.for('aws.lambda.runtime.handler.streaming')

// The function has to find its own handler in _HANDLER.
const handlerName = process.argv[2]
process.env._HANDLER = handlerName

/** Fails the invocation that is running. Without one, the process fails as it would without this module. */
let fail

process.on('uncaughtException', (error) => endWith(error, 129))
process.on('unhandledRejection', (reason) => {
  const error = new Error(String(reason))
  error.name = 'Runtime.UnhandledPromiseRejection'
  endWith(Object.assign(error, { reason }), 128)
})

function endWith(error, code) {
  if (fail === undefined) {
    console.error(error)
    process.exit(code)
  }
  nativeClient.exitAfterAnswer(code)
  fail(error)
}

const theirs = await loadHandler()

export const handler = theirs[streaming] ? theirs : (event, context) => callHandler(event, context)

/**
 * Settles as AWS's client for Node.js 22 does: with null when the event loop is empty and the handler has not answered.
 */
function callHandler(event, context) {
  let answer
  let onEmpty
  return new Promise((settle, reject) => {
    fail = reject
    onEmpty = () => (answer === undefined ? settle(null) : answer())
    process.once('beforeExit', onEmpty)
    context.callbackWaitsForEmptyEventLoop = true
    const callback = (error, result) => {
      answer ??= () => (error === null || error === undefined ? settle(result) : reject(error))
      if (!context.callbackWaitsForEmptyEventLoop) answer()
    }
    context.done = callback
    context.succeed = (result) => callback(null, result)
    context.fail = (error) => callback(error ?? 'handled')

    const returned = theirs(event, context, callback)
    if (typeof returned?.then === 'function') returned.then(settle, reject)
  }).finally(() => {
    fail = undefined
    process.off('beforeExit', onEmpty)
  })
}

/**
 * Finds the module in the places where AWS's client looks. That client reports the errors that occur while it is
 * loaded.
 */
async function loadHandler() {
  const parts = /^(?:(.*)\/)?([^/.]*)\.([^/]*)$/.exec(handlerName)
  if (parts === null) throw named('Runtime.MalformedHandlerName', 'Bad handler')
  const [, folder = '', file, path] = parts
  const base = resolve(process.env.LAMBDA_TASK_ROOT, folder, file)
  const found = ['', '.js', '.mjs', '.cjs'].map((extension) => base + extension).find((each) => existsSync(each))
  const searched = { paths: [process.env.LAMBDA_TASK_ROOT, join(process.env.LAMBDA_TASK_ROOT, folder)] }
  const module = found === undefined ? require(require.resolve(file, searched)) : await import(found)
  const handler = findIn(module, path) ?? findIn(module.default, path)
  if (handler === undefined) throw named('Runtime.HandlerNotFound', `${handlerName} is undefined or not exported`)
  if (typeof handler !== 'function') throw named('Runtime.HandlerNotFound', `${handlerName} is not a function`)
  return handler
}

function findIn(module, path) {
  return path.split('.').reduce((nested, key) => nested?.[key], module)
}

function named(name, message) {
  return Object.assign(new Error(message), { name })
}
