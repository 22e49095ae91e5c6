/** What stands for a password or secret. */
export const MASK = '••••••'

/** A reference that a worker fills in, such as `${env:SOURCE_PASSWORD}`, which says nothing of the secret. */
const REFERENCE = /^\$\{[^{}]*\}$/

/** Names of settings whose values are secrets, whichever connector has them. */
const SECRET =
  /passw(or)?d|passphrase|secret|credential|jaas|auth\.user\.info|authorization|(^|[._-])(pwd|token)($|[._-])|(access|private|api|account|encryption|signing|shared|client|keystore|ssl)[._-]?key($|[._-])/i

/** The configuration without its secrets: their values are masked, and references to them stay. */
export const maskConfiguration = (configuration: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(configuration).map(([name, value]) => [
      name,
      SECRET.test(name) && !REFERENCE.test(value) && value !== '' ? MASK : maskText(value),
    ]),
  )

/** A text without the passwords of URLs, and of settings that are written out in it. */
export const maskText = (text: string): string =>
  text
    .replaceAll(/(\w+:\/\/[^\s/:@]*:)[^\s/@]+@/g, `$1${MASK}@`)
    .replaceAll(
      /\b((?:ssl)?password|passwd|pwd|secret)(\s*[=:]\s*)("[^"]*"|'[^']*'|(?!\$\{)[^\s&;,"']+)/gi,
      `$1$2${MASK}`,
    )
