import { App } from 'aws-cdk-lib'
import { bundleFunctions } from './function-bundle.ts'
import { Pipeline } from './pipeline.ts'
import { type Stage, stages } from './stages.ts'

const app = new App({ analyticsReporting: false, treeMetadata: false })
new Pipeline(app, { stage: chosenStage(app.node.tryGetContext('stage')), bundles: bundleFunctions() })
app.synth()

function chosenStage(name: unknown): Stage {
  const stage = stages[String(name)]
  if (stage === undefined) throw new Error(`name a stage: -c stage=${Object.keys(stages).join('|')}`)
  return stage
}
