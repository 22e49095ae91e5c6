import { join } from 'node:path'
import { CloudAssembly } from '@aws-cdk/cloud-assembly-api'

/** A value of a template: JSON with intrinsic functions in it. */
export type TemplateValue = unknown

export type TemplateResource = {
  Type: string
  Properties?: Record<string, TemplateValue>
  DependsOn?: string | string[]
  Condition?: string
  Metadata?: Record<string, unknown>
}

export type TemplateParameter = { Type: string; Default?: string | number }

/** The parts of a CloudFormation template that are executed. */
export type Template = {
  Resources: Record<string, TemplateResource>
  Parameters?: Record<string, TemplateParameter>
  Mappings?: Record<string, Record<string, Record<string, unknown>>>
  Conditions?: Record<string, TemplateValue>
  Outputs?: Record<string, { Value: TemplateValue; Condition?: string }>
}

/** One stack of a cloud assembly. */
export type Stack = {
  name: string
  region: string
  account: string
  template: Template
  /** Directory of a file asset, by its object key, which is in `Code.S3Key`. */
  assetDirectory: (objectKey: string) => string
}

/** The account id of everything that is not on AWS. */
const NO_ACCOUNT = '000000000000'

/** The one stack of a synthesized app. Throws an Error when there is none or more than one. */
export function readStack(directory: string): Stack {
  const assembly = new CloudAssembly(directory)
  const [artifact, ...others] = assembly.stacks
  if (artifact === undefined || others.length > 0) {
    throw new Error(`${directory} holds ${assembly.stacks.length} stacks; the local stage is one`)
  }
  const { account, region } = artifact.environment
  return {
    name: artifact.stackName,
    region: region.startsWith('unknown-') ? 'us-east-1' : region,
    account: account.startsWith('unknown-') ? NO_ACCOUNT : account,
    template: artifact.template as Template,
    assetDirectory: assetDirectories(assembly),
  }
}

function assetDirectories(assembly: CloudAssembly): Stack['assetDirectory'] {
  const directories = new Map<string, string>()
  for (const manifest of assembly.artifacts) {
    if (!('contents' in manifest)) continue
    const { files = {} } = manifest.contents as AssetManifest
    for (const { source, destinations } of Object.values(files)) {
      if (source.packaging !== 'zip' || source.path === undefined) continue
      for (const { objectKey } of Object.values(destinations)) {
        directories.set(objectKey, join(assembly.directory, source.path))
      }
    }
  }
  return (objectKey) => {
    const found = directories.get(objectKey)
    if (found === undefined) throw new Error(`no asset of the assembly is deployed as ${objectKey}`)
    return found
  }
}

/** The part of `*.assets.json` that says where an object's content is. */
type AssetManifest = {
  files?: Record<
    string,
    { source: { path?: string; packaging?: string }; destinations: Record<string, { objectKey: string }> }
  >
}
