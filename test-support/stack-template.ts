import { rmSync } from 'node:fs'
import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import type { FunctionBundles } from '#cdk/function-bundle.ts'
import { Pipeline } from '#cdk/pipeline.ts'
import type { Stage } from '#cdk/stages.ts'

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

/** Synthesizes a stage's stack in memory. */
export function synthesize(stage: Stage): StackTemplate {
  const app = new App({
    analyticsReporting: false,
    treeMetadata: false,
    builtinCloudFormationValidation: false,
    context: { '@aws-cdk/aws-iam:minimizePolicies': true },
  })
  const template = templateOf(app, stage)
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

function templateOf(app: App, stage: Stage): Template {
  try {
    return Template.fromStack(new Pipeline(app, { stage, bundles: noBundles }))
  } finally {
    rmSync(app.outdir, { recursive: true })
  }
}
