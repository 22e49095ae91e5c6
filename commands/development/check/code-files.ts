/** The folders of the repository that have code of ours. Fixtures are not among them. */
export const codeFolders =
  '{core,adapters,lambdas,cdk,sql,localstack,terminal,watch,verify,rebuild,feed,preflight,console,commands,bench,test-support,tests}'

/** Every file of code. */
export const codeFiles = `${codeFolders}/**/*.{ts,tsx,mjs,cjs,sql,java,py}`
