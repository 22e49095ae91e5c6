import { prepareJars } from '#localstack/servers/java/jars.ts'
import { jarsDirectory } from '#localstack/settings.ts'

/**
 * Vitest's global setup. It prepares the jars once, because stacks that start at the same time would each fetch them.
 */
export default async function provideJars(): Promise<void> {
  await prepareJars({ directory: jarsDirectory, environment: process.env, onProgress: () => undefined })
}
