import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { withBrokers } from './broker-choice.ts'
import { withDatabaseUrls } from './database-url.ts'
import { bundleFunctions } from './function-bundle.ts'
import { Pipeline } from './pipeline.ts'
import { type Stage, stages } from './stages.ts'
import { readDefinitionFiles } from './windows/definition-files.ts'

const repository = join(import.meta.dirname, '..')

const app = new App({
  analyticsReporting: false,
  treeMetadata: false,
  context: {
    // What CloudFormation would refuse is an error of the synthesis already, and not a warning.
    '@aws-cdk/core:validateAgainstDefaultRules': true,
    '@aws-cdk/aws-iam:minimizePolicies': true,
    '@aws-cdk/aws-ecs:removeDefaultDeploymentAlarm': true,
  },
})
const stage = withEpoch(chosenStage(app.node.tryGetContext('stage')), app.node.tryGetContext('epoch'))
const definitions = readDefinitionFiles(repository)
const bundles = bundleFunctions(repository)
const page = mkdtempSync(join(tmpdir(), 'tidemark-console-'))
try {
  new Pipeline(app, {
    stage,
    bundles,
    definitions,
    ...(stage.console !== 'off' && { console: await loadConsole(page) }),
  })
  app.synth()
} finally {
  bundles.remove()
  rmSync(page, { recursive: true })
}

/** Builds the page into the directory, from which CDK copies it. */
async function loadConsole(directory: string) {
  const [{ Console: Construct }, { buildConsole }] = await Promise.all([
    import('./console/console.ts'),
    import('../console/build.ts'),
  ])
  await buildConsole(directory)
  return { Construct, page: directory }
}

/** `-c epoch=2` begins an epoch without a change of the stage: every table is read again. */
function withEpoch(stage: Stage, text: unknown): Stage {
  if (text === undefined) return stage
  const epoch = Number(text)
  if (!Number.isInteger(epoch) || epoch < 1) throw new Error(`-c epoch=${text} is not a number from 1`)
  return { ...stage, capture: { ...stage.capture, epoch } }
}

/** For the stage of one machine, existing databases can be given by URL, and the brokers can be three, or secure. */
function chosenStage(name: unknown): Stage {
  const stage = stages[String(name)]
  if (stage === undefined) throw new Error(`name a stage: -c stage=${Object.keys(stages).join('|')}`)
  if (stage !== stages['local']) return stage
  const { TIDEMARK_SOURCE_URL, TIDEMARK_TARGET_URL, ...others } = process.env
  return withBrokers(withDatabaseUrls(stage, TIDEMARK_SOURCE_URL, TIDEMARK_TARGET_URL), others)
}
