// This file is plain JavaScript for Node 20 and later, because it runs before anything is installed.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const OLDEST_NODE = 24
const repository = join(dirname(fileURLToPath(import.meta.url)), '..')
const modules = join(repository, 'node_modules')
/** The folders with the commands of users, and of those who change Tidemark. */
const folders = ['commands', 'commands/development'].map((folder) => join(repository, folder))

const code = await run(process.argv[2], process.argv.slice(3)).catch((error) => {
  console.error(inWords(error))
  return isWrongArgument(error) ? 2 : 1
})
process.exit(code)

/** The messages of an error and of its causes, without stacks, for the user who ran the command. */
function inWords(error) {
  const messages = []
  for (let each = error; each instanceof Error; each = each.cause) messages.push(each.message)
  return messages.join('\n  because ')
}

/** Errors of the argument parser, and of commands that found a wrong argument before they began. */
function isWrongArgument(error) {
  return error?.name === 'UsageError' || String(error?.code).startsWith('ERR_PARSE_ARGS')
}

/**
 * Runs the command of this name on Node 24 in a process of its own, after installing what it needs. Returns the exit code.
 */
async function run(name, args) {
  const names = [...commandFiles().keys()]
  if (!names.includes(name)) {
    const problem = name === undefined || name === '--help' ? 'Usage:' : `There is no command '${name}'. There are:`
    console.error(`${problem}\n${names.map((each) => `  node commands/run.mjs ${each} [--help]`).join('\n')}`)
    return name === '--help' ? 0 : 2
  }
  if (!isInstalled()) await install()
  return process.channel === undefined ? runThere(findNode(), [name, ...args]) : runHere(name, args)
}

/**
 * The file of each command, by name. A command is a module with a `main`. Tests have dots in their names, and modules
 * that are no commands are in folders of their own.
 */
function commandFiles() {
  const files = folders.flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)))
  const named = files.map((file) => [/^([a-z-]+)\.ts$/.exec(basename(file))?.[1], file])
  return new Map(named.filter(([name]) => name !== undefined).sort(([a], [b]) => (a < b ? -1 : 1)))
}

async function runHere(name, args) {
  stopWithParent()
  const { enableCompileCache } = await import('node:module')
  // Types are stripped and code is compiled only once, which makes the time to the first line a third shorter.
  enableCompileCache(join(repository, '.tidemark', 'node-compile-cache'))
  const { main } = await import(pathToFileURL(commandFiles().get(name)).href)
  return main(args)
}

/** Whether the packages that npm has installed in node_modules are those of package-lock.json. */
function isInstalled() {
  const wanted = readPackages(join(repository, 'package-lock.json'))
  const present = readPackages(join(modules, '.package-lock.json'))
  if (wanted === undefined) throw new Error(`package-lock.json is missing in ${repository}`)
  if (present === undefined) return false
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === '') return true
    // A package for another platform is not installed.
    return present[path] === undefined ? optional === true : present[path].version === version
  })
}

function readPackages(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : undefined
}

async function install() {
  const startedAt = Date.now()
  const seconds = () => Math.round((Date.now() - startedAt) / 1000)
  console.error('Installing the packages of package-lock.json …')
  const timer = setInterval(() => console.error(`  still installing, ${seconds()} s`), 5_000)
  // Under `npm run` this is the npm that the user started, otherwise the one on the PATH.
  const npm = process.env.npm_execpath
  const [file, args] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []]
  // `npm ci` is not used, because it refuses a lock file in which a package for another platform is missing, and a
  // registry may not have all of them.
  const install = ['install', '--no-save', '--prefer-offline', '--loglevel=error']
  const child = spawn(file, [...args, ...install], {
    cwd: repository,
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (text) => {
    errors += text
    process.stderr.write(text)
  })
  const { code } = await endOf(child).finally(() => clearInterval(timer))
  if (code === 0) return console.error(`Installed in ${seconds()} s.`)
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|network/i.test(errors)) {
    throw new Error(
      'The packages could not be downloaded: check the network, or the registry and proxy of npm ("npm config list"), and start again.',
    )
  }
  if (/ENOSPC/.test(errors)) throw new Error('The disk is full: free 1 GB and start again.')
  throw new Error(`npm install failed with exit code ${code}; what it printed above says why.`)
}

/** This Node if it is recent enough, otherwise Node 24 from the development dependencies. */
function findNode() {
  if (Number.parseInt(process.versions.node, 10) >= OLDEST_NODE) return process.execPath
  const platform = `${process.platform}-${process.arch}`
  const candidates = ['.bin/node', `node-${platform}/bin/node`, `node-bin-${platform}/bin/node`]
  const found = candidates.map((path) => join(modules, path)).find(existsSync)
  if (found !== undefined) return found
  throw new Error(
    `Node.js ${OLDEST_NODE} or later is needed, this is ${process.versions.node}, and npm has none for ${platform}. Install it from nodejs.org and start again.`,
  )
}

/**
 * Runs this file again on another Node, in a session of its own, so that Ctrl-C reaches only this process, which
 * forwards it exactly once.
 */
async function runThere(node, args) {
  // A larger young generation keeps records from a poll until they are delivered. `gc` is exposed so that the memory of
  // a load can be returned.
  const flags = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=16', '--expose-gc']
  const child = spawn(node, [...flags, fileURLToPath(import.meta.url), ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: true,
  })
  child.channel.unref()
  let forwarded = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (!forwarded) child.kill(signal)
      forwarded = true
    })
  }
  process.on('SIGWINCH', () => child.kill('SIGWINCH'))
  const { code, signal } = await endOf(child)
  return signal === null ? code : 128 + constants.signals[signal]
}

/** The channel closes when the parent process is gone. This process then stops too, so that nothing keeps running. */
function stopWithParent() {
  if (process.channel === undefined) return
  process.channel.unref()
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
}

function endOf(child) {
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => reject(new Error(`${child.spawnfile} cannot be run: ${cause.message}`, { cause })))
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
}
