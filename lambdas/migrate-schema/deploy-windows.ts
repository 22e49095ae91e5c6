import type { CloudFormationCustomResourceEvent } from 'aws-lambda'
import type { Pool } from 'pg'
import * as v from 'valibot'
import { deployDefinitions } from '#adapters/postgres/windows/deploy-definitions.ts'
import { describeProblem } from '#core/windows/definition-problem.ts'
import { parseDefinitions } from '#core/windows/parse-definition.ts'
import type { CustomResourceResult } from '../custom-resource.ts'

/** Properties of the custom resource Custom::Windows: the text of each definition by its name, as a JSON string. */
const propertiesSchema = v.object({
  Definitions: v.record(v.string(), v.pipe(v.string(), v.parseJson(), v.string())),
})

/**
 * The work of the resource Custom::Windows. Create and update make the definitions of the target those of the project, or
 * change nothing and throw an Error that names each problem with file and line. Delete leaves the target as it is.
 */
export function makeDeployWindows(target: Pool) {
  return async (event: CloudFormationCustomResourceEvent): Promise<CustomResourceResult> => {
    if (event.RequestType === 'Delete') return {}
    const files = readFiles(event.ResourceProperties)
    const parsed = parseDefinitions(files)
    if (parsed.kind === 'refused') throw new Error(parsed.problems.map(describeProblem).join('\n'))
    const client = await target.connect()
    try {
      const deployed = await deployDefinitions(
        client,
        parsed.definitions.map((definition, index) => ({ ...files[index]!, definition })),
      )
      return { data: { changed: deployed.changed.length, removed: deployed.removed.length } }
    } finally {
      client.release()
    }
  }
}

function readFiles(properties: unknown): { file: string; text: string }[] {
  const parsed = v.safeParse(propertiesSchema, properties)
  if (!parsed.success) {
    const issue = parsed.issues[0]
    throw new Error(`property ${v.getDotPath(issue) ?? ''} of the windows: ${issue.message}`)
  }
  return Object.entries(parsed.output.Definitions).map(([name, text]) => ({ file: `windows/${name}.sql`, text }))
}
