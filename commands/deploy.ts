import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { stages } from '#cdk/stages.ts'
import { runToEnd } from '#localstack/processes/finished-process.ts'
import { findMaven } from '#localstack/servers/java/java.ts'

const deployable = Object.keys(stages).filter((name) => name !== 'local')

const help = `npm run deploy -- ${deployable.join('|')} [arguments of cdk deploy]

Deploys the stack tidemark-<stage> to the AWS account of the current credentials: Maven builds and fetches what the Connect
image adds to Debezium's image. Then "cdk deploy" builds the image, and CloudFormation creates or changes the stack.
Needs AWS credentials, a bootstrapped account (npx cdk bootstrap), Docker and Maven. docs/deploy.md says what is created
and what it costs.`

const repository = join(import.meta.dirname, '..')
const image = join(repository, 'cdk', 'capture', 'pom.xml')

/**
 * Returns 0 when the stack is deployed, 2 when the stage cannot be deployed, and otherwise the exit code of Maven or
 * cdk.
 */
export async function main(argv: string[], steps: DeploymentSteps = { fetchImageParts, cdk }): Promise<number> {
  const [stage, ...cdkArguments] = argv
  if (argv.includes('--help')) {
    console.log(help)
    return 0
  }
  if (stage === 'local') {
    console.error('The local stage is not deployed: it runs on this machine, with "npm start".')
    return 2
  }
  if (stage === undefined || !deployable.includes(stage)) {
    const problem = stage === undefined ? 'Name a stage' : `There is no stage '${stage}'`
    console.error(`${problem}: npm run deploy -- ${deployable.join('|')}`)
    return 2
  }
  await steps.fetchImageParts()
  return steps.cdk(['deploy', '-c', `stage=${stage}`, ...cdkArguments])
}

/** The steps of a deployment outside of this process. */
export type DeploymentSteps = {
  /** Puts the jars beside the Dockerfile. Throws an Error with the last lines of Maven. */
  fetchImageParts(): Promise<void>
  /** Runs the CDK CLI in this terminal, and returns its exit code. */
  cdk(argv: string[]): Promise<number>
}

async function fetchImageParts(): Promise<void> {
  const maven = await findMaven(process.env)
  const { code, output } = await runToEnd(maven, ['--quiet', '--batch-mode', '--file', image, 'package'])
  if (code !== 0)
    throw new Error(`Maven could not make the image's jars:\n${output.trim().split('\n').slice(-5).join('\n')}`)
}

async function cdk(argv: string[]): Promise<number> {
  const program = join(repository, 'node_modules', '.bin', 'cdk')
  const child = spawn(program, argv, { cwd: repository, stdio: 'inherit' })
  const [code] = await once(child, 'close')
  return code ?? 1
}
