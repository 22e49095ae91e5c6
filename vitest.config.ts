import { defineConfig } from 'vitest/config'

const anywhere = (tier: string) => [
  `{core,adapters,lambdas,cdk,sql,localstack,commands,bench,test-support}/**/*.${tier}.ts`,
]

/** What runs on the source, once more on a Postgres of each other major that a source may have. */
const onTheSource = [
  'adapters/postgres/source/*.int.test.ts',
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
    maxWorkers: 2,
  },
})

/**
 * Tiers by file name: *.test.ts needs no network, *.int.test.ts real servers, *.e2e.test.ts the whole pipeline, *.full.test.ts hours of luck.
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
        },
      },
      {
        test: {
          name: 'int',
          include: anywhere('int.test'),
          globalSetup: ['test-support/postgres-server.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'e2e',
          include: anywhere('e2e.test'),
          testTimeout: 300_000,
          hookTimeout: 300_000,
          maxWorkers: 1,
          fileParallelism: false,
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
      onOtherMajor('target', 18, ['adapters/postgres/*.int.test.ts', 'adapters/postgres/apply/*.int.test.ts']),
    ],
  },
})
