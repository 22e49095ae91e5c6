import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { prepareJars } from './jars.ts'
import { findJava, javaMajor } from './java.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-jars-'))
  onTestFinished(() => rm(directory, { recursive: true }))
})

/** An environment in which the program `name` is this shell script. */
async function withProgram(name: string, script: string): Promise<NodeJS.ProcessEnv> {
  const bin = join(directory, 'bin')
  await mkdir(bin, { recursive: true })
  await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`)
  await chmod(join(bin, name), 0o755)
  return { PATH: `${bin}${delimiter}/usr/bin${delimiter}/bin` }
}

const maven = (atWork: string) =>
  withProgram('mvn', `[ "$1" = -version ] && echo "Apache Maven 3.9.9" && exit\nfor last; do :; done\n${atWork}`)

const prepare = async (environment: NodeJS.ProcessEnv): Promise<string> => {
  const jars = join(directory, 'jars')
  const failure = await prepareJars({ directory: jars, environment, onProgress: () => undefined }).catch(
    (error: Error) => error.message,
  )
  expect(await readdir(jars)).toEqual([])
  return String(failure)
}

describe('jars that cannot be had leave nothing behind and say in one line what to do', () => {
  test('no Maven', async () => {
    expect(await prepare({ PATH: '/nowhere' })).toMatch(/^Maven 3\.8 or later is needed .* none was found.*apt install/)
  })

  test('an old Maven', async () => {
    expect(await prepare(await withProgram('mvn', 'echo "Apache Maven 3.6.3 (abc)"'))).toMatch(/found is 3\.6/)
  })

  test('a Java without a compiler, before anything is downloaded', async () => {
    const { PATH } = await maven('echo "[ERROR] not to be asked"; exit 1')
    await withProgram(
      'java',
      'case "$1" in -version) echo \'openjdk version "17.0.15"\';; *) echo java.base@17.0.15;; esac',
    )

    expect(await prepare({ PATH })).toMatch(/^A JDK is needed .* java is of a JRE without a compiler.*apt install/)
  })

  test('no network', async () => {
    const environment = await maven('echo "[ERROR] Failed: Could not transfer artifact x: Unknown host y"; exit 1')

    expect(await prepare(environment)).toMatch(/^Maven could not download the jars: check the network.*Unknown host y/)
  })

  test('a full disk', async () => {
    const environment = await maven('echo "[ERROR] x.jar: No space left on device"; exit 1')

    expect(await prepare(environment)).toMatch(/^The disk is full/)
  })

  test('a jar that is not the one of the list', async () => {
    const environment = await maven(
      'target=$(echo "$last" | cut -d= -f2); mkdir -p "$target/kafka"; echo evil > "$target/kafka/HdrHistogram-2.2.2.jar"',
    )

    expect(await prepare(environment)).toMatch(
      /^kafka\/HdrHistogram-2\.2\.2\.jar is not the file.*sha256 is [0-9a-f]{64}/,
    )
  })

  test('a jar that is not there', async () => {
    expect(await prepare(await maven('exit 0'))).toMatch(
      /kafka\/HdrHistogram-2\.2\.2\.jar is in .*SHA256SUMS, but Maven did not/,
    )
  })
})

describe('a Java that is missing or too old', () => {
  test('is an error that names what was found and what to install', async () => {
    const old = await withProgram('java', 'echo \'openjdk version "11.0.2" 2019-01-15\'')

    await expect(findJava(old)).rejects.toThrow(/17 or later is needed, found is 11 on the PATH.*apt install/)
    await expect(findJava({ PATH: '/nowhere' })).rejects.toThrow('none was found on the PATH')
    await expect(findJava({ JAVA_HOME: '/nowhere' })).rejects.toThrow('none was found by JAVA_HOME=/nowhere')
  })

  test.each([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['java version "1.8.0_392"', 8],
    ['openjdk version "21-ea" 2023-09-19', 21],
    ['command not found', undefined],
  ])('%s', (output, major) => {
    expect(javaMajor(output)).toBe(major)
  })
})
