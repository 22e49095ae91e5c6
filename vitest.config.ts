import { defineConfig } from 'vitest/config'

const anywhere = (tier: string) => [
  `{core,adapters,lambdas,cdk,sql,localstack,terminal,watch,verify,rebuild,feed,preflight,console,commands,bench,test-support,tests}/**/*.${tier}.{ts,tsx}`,
]

/** Tests wait half of their time, for servers and for each other: two for each core of a small machine keep it busy. */
const maxWorkers = 4

/** What runs on the source, once more on a Postgres of each other major that a source may have. */
const onTheSource = [
  'sql/source/**/*.int.test.ts',
  'commands/preflight.int.test.ts',
  'lambdas/capture-tables/*.int.test.ts',
]

/** A project of the long tests. */
const onOtherMajor = (side: 'source' | 'target', postgresMajor: 14 | 15 | 16 | 18, include: string[]) => ({
  test: {
    name: `${side}-${postgresMajor}`,
    include,
    provide: { postgresMajor },
    globalSetup: ['test-support/postgres-server.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers,
  },
})

/**
 * Tiers by file name: *.test.ts needs no network, *.int.test.ts real servers, *.e2e.test.ts the whole pipeline, *.full.test.ts hours of luck.
 * All but the last share the workers, the longest first: Vitest takes projects by name and files by what they took before, or by size.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: anywhere('test'),
          exclude: ['**/*.{int,e2e,full}.test.ts', '**/node_modules/**'],
          testTimeout: 20_000,
          maxWorkers,
          // Most take less time than a process of their own takes to start.
          isolate: false,
        },
      },
      {
        test: {
          name: 'int',
          include: anywhere('int.test'),
          globalSetup: ['test-support/postgres-server.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          maxWorkers,
        },
      },
      {
        test: {
          name: 'e2e',
          include: anywhere('e2e.test'),
          globalSetup: ['test-support/jars.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          maxWorkers,
        },
      },
      {
        test: {
          name: 'full',
          include: anywhere('full.test'),
          globalSetup: ['test-support/postgres-server.ts'],
          testTimeout: 1_800_000,
          hookTimeout: 300_000,
          maxWorkers: 1,
          fileParallelism: false,
        },
      },
      ...([14, 15, 16, 18] as const).map((major) => onOtherMajor('source', major, onTheSource)),
      onOtherMajor('target', 18, ['adapters/postgres/**/*.int.test.ts', 'sql/target/**/*.int.test.ts']),
    ],
  },
})
