import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { Console } from '#cdk/console/console.ts'
import type { FunctionBundles } from '#cdk/function-bundle.ts'
import { Pipeline } from '#cdk/pipeline.ts'
import type { Stage } from '#cdk/stages.ts'
import { checkDefinitions, type DefinitionFile } from '#cdk/windows/definition-files.ts'

/** A resource in the template's form. */
export type TemplateResource = {
  Type: string
  // biome-ignore lint/suspicious/noExplicitAny: a template is as deep as CloudFormation's properties are
  Properties: Record<string, any>
  DependsOn?: string[]
  // biome-ignore lint/suspicious/noExplicitAny: whatever its construct wrote
  Metadata?: Record<string, any>
}

/** The template of a stage, without the bundles of the functions. */
export type StackTemplate = {
  /** The whole template as text. */
  text: string
  /** Resources of a type, by logical id. */
  ofType(type: string): Record<string, TemplateResource>
  /** The only resource of a type. Throws an Error when there is none or more than one. */
  only(type: string): TemplateResource
  types: string[]
  outputs: Record<string, unknown>
}

const noBundles: FunctionBundles = {
  code: () => lambda.Code.fromInline('// not bundled'),
  digest: () => 'digest',
}

/** A definition of windows, and the topic that it publishes to. */
const definitions = checkDefinitions([
  {
    file: 'windows/rides.sql',
    text: `-- source: public.ride
-- event time: at
-- window: tumbling 1 hour
-- watermark: 1 hour
-- publish: rides
select count(*) as rides from ride`,
  },
])

/** Synthesizes a stage's stack in memory, by default with one definition of windows. */
export function synthesize(stage: Stage, windows: readonly DefinitionFile[] = definitions): StackTemplate {
  const app = new App({
    analyticsReporting: false,
    treeMetadata: false,
    builtinCloudFormationValidation: false,
    context: { '@aws-cdk/aws-iam:minimizePolicies': true },
  })
  const template = templateOf(app, stage, windows)
  const ofType = (type: string) => template.findResources(type) as Record<string, TemplateResource>
  const json = template.toJSON()
  return {
    text: JSON.stringify(json),
    ofType,
    only: (type) => {
      const found = Object.values(ofType(type))
      if (found.length !== 1) throw new Error(`${found.length} resources of ${type}`)
      return found[0]!
    },
    types: [...new Set(Object.values<TemplateResource>(json.Resources).map(({ Type }) => Type))].sort(),
    outputs: json.Outputs,
  }
}

function templateOf(app: App, stage: Stage, definitions: readonly DefinitionFile[]): Template {
  try {
    const console = { Construct: Console, page: join(import.meta.dirname, 'console', 'page') }
    return Template.fromStack(new Pipeline(app, { stage, bundles: noBundles, definitions, console }))
  } finally {
    rmSync(app.outdir, { recursive: true })
  }
}
