import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { runToEnd } from '#localstack/processes/finished-process.ts'
import { startGuard } from '#localstack/processes/guard.ts'
import { becomesTrue } from '#localstack/processes/readiness.ts'
import { archivable, makeClassArchive, type ServerClasses, withClassArchive } from './class-archive.ts'
import { findJava } from './java.ts'
import { compileJava, packJar } from './java-compiler.ts'

// Archives are made at a low priority.
vi.setConfig({ testTimeout: 300_000 })

const guard = startGuard()
let jar: string
let program: string
beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-hello-'))
  program = await findJava(process.env)
  const source = join(directory, 'Hello.java')
  await writeFile(
    source,
    'public class Hello { public static void main(String[] all) { System.out.println("hello"); } }',
  )
  const target = join(directory, 'classes')
  jar = join(directory, 'hello.jar')
  await compileJava(program, { name: 'Hello', sources: [source], jars: [], target, env: process.env })
  await packJar(program, jar, [target], process.env)
  return async () => {
    guard.stop()
    await rm(directory, { recursive: true })
  }
})

let classes: ServerClasses
beforeEach(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-classes-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  classes = { server: 'hello', program, classPath: jar, archives: join(directory, 'archives'), directory }
})

/** Runs the program as the server's next start would. Returns from where it has loaded its class. */
async function start(of: ServerClasses): Promise<string> {
  const { command } = await withClassArchive(of, (options) => ({
    ...{ file: of.program, args: [...options, '-Xlog:class+load', '-XX:+UseSerialGC', '-cp', of.classPath, 'Hello'] },
  }))
  const { code, output } = await runToEnd(command.file, command.args)
  expect({ code, hello: output.includes('\nhello\n') }).toEqual({ code: 0, hello: true })
  return /\bHello source: (.*)/.exec(output)![1]!
}

const make = (of: ServerClasses) => makeClassArchive(of, { signal: new AbortController().signal, guard })
const names = async () => (await readdir(classes.archives)).map((name) => name.replace(/-[0-9a-f]{12}/, ''))

test('a server maps the classes that an earlier start has loaded', async () => {
  const first = await start(classes)
  await make(classes)
  const second = await start(classes)

  expect(first).toContain('hello.jar')
  expect(second).toBe('shared objects file')
})

test('several processes that make an archive at the same time leave one whole archive behind', async () => {
  await start(classes)

  await Promise.all([make(classes), make(classes), make(classes)])

  expect(await names()).toEqual(['hello.jsa'])
  expect(await start(classes)).toBe('shared objects file')
})

test.each([
  [
    'with another class path',
    async (of: ServerClasses) => ({ ...of, classPath: `${of.classPath}:${of.directory}/b.jar` }),
  ],
  [
    'whose archive is no archive',
    async (of: ServerClasses) => {
      const [name] = await readdir(of.archives)
      await rm(join(of.archives, name!))
      await writeFile(join(of.archives, name!), 'damaged')
      return of
    },
  ],
])('a server %s starts without it', async (_case, change) => {
  await start(classes)
  await make(classes)

  expect(await start(await change(classes))).toContain('hello.jar')
})

test('an archive with which a server has aborted is removed, and not made again', async () => {
  await start(classes)
  await make(classes)
  const command = (options: readonly string[]) => ({ file: 'java', args: options })

  const { afterAbort } = await withClassArchive(classes, command)
  const next = await afterAbort!()
  await make(classes)

  expect(next.args).toEqual([])
  expect(await names()).toEqual(['hello.jsa.refused'])
  expect(await start(classes)).toContain('hello.jar')
})

test('an archive that the JVM cannot make is not tried again, and says why', async () => {
  await start(classes)
  await writeFile(join(classes.directory, 'loaded-classes'), '@unknown\n')

  await make(classes)

  const [name] = await readdir(classes.archives)
  expect(name).toMatch(/\.refused$/)
  expect(await readFile(join(classes.archives, name!), 'utf8')).toContain('@unknown')
})

test('when the stack stops while an archive is made, that ends and leaves nothing behind', async () => {
  await start(classes)
  const stopping = new AbortController()
  const made = makeClassArchive(classes, { signal: stopping.signal, guard }).catch((error: Error) => error.message)
  await becomesTrue(async () => (await readdir(classes.archives).catch(() => [])).length > 0, { withinMs: 60_000 })

  stopping.abort(new Error('the stack stops'))

  expect(await made).toBe('the stack stops')
  expect(await readdir(classes.archives)).toEqual([])
})

test('what a killed process has left behind is removed, and does not keep others from making the archive', async () => {
  await start(classes)
  await make(classes)
  const [archive] = await readdir(classes.archives)
  const left = join(classes.archives, `${archive}.new-left`)
  await rm(join(classes.archives, archive!))
  await mkdir(left)
  await utimes(left, new Date(0), new Date(0))

  await make(classes)

  expect(await names()).toEqual(['hello.jsa'])
})

test('a list that is still being written, and classes without a file, can be archived', () => {
  const species = '@lambda-form-invoker [SPECIES_RESOLVE] java.lang.invoke.BoundMethodHandle$Species_LL\n'

  expect(
    archivable(`java/lang/Object\n${species}java/lang/invoke/BoundMethodHandle$Species_LL\nkafka/Kafka\nkafka/ser`),
  ).toBe('java/lang/Object\nkafka/Kafka\n')
})
