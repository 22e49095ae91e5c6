import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { main } from './deploy.ts'

let steps: string[]
let printed: string
const fake = {
  fetchImageParts: async () => {
    steps.push('maven')
  },
  cdk: async (argv: string[]) => {
    steps.push(`cdk ${argv.join(' ')}`)
    return 3
  },
}

beforeEach(() => {
  steps = []
  printed = ''
  for (const method of ['log', 'error'] as const) {
    vi.spyOn(console, method).mockImplementation((text) => {
      printed += text
    })
  }
})

afterEach(() => vi.restoreAllMocks())

test('the jars of the image are there before cdk deploys the stage with the arguments given', async () => {
  const code = await main(['prod', '--require-approval', 'never'], fake)

  expect(steps).toEqual(['maven', 'cdk deploy -c stage=prod --require-approval never'])
  expect(code).toBe(3)
})

test.each([
  [['local'], 'npm start'],
  [['staging'], "There is no stage 'staging': npm run deploy -- dev|prod"],
  [[], 'Name a stage: npm run deploy -- dev|prod'],
])('%j deploys nothing and says what to run instead', async (argv, said) => {
  const code = await main(argv, fake)

  expect(code).toBe(2)
  expect(steps).toEqual([])
  expect(printed).toContain(said)
})

test('help is shown without doing anything', async () => {
  const code = await main(['prod', '--help'], fake)

  expect(code).toBe(0)
  expect(steps).toEqual([])
  expect(printed).toContain('npm run deploy -- dev|prod')
})
