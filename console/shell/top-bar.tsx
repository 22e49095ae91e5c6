import { lostSince, session } from '../api/server.ts'
import { snapshot } from '../api/snapshot.ts'
import { nextTheme, theme, zone } from '../parts/preferences.ts'
import { State } from '../parts/state.tsx'
import { Text } from '../parts/text.tsx'
import { Ago } from '../parts/time.tsx'
import { formatQuantity } from '../text/numbers.ts'
import { isHelpOpen } from './keys.ts'

/** What is seen on every screen: whether all is well, how fresh that is, and the settings of this browser. */
export function TopBar() {
  return (
    <header class="top-bar">
      <a class="brand" href="/" aria-label="Tidemark, overview">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M4 12c4-4 8-4 12 0s8 4 12 0" />
          <path d="M4 21c4-4 8-4 12 0s8 4 12 0" />
        </svg>
        <span>Tidemark</span>
      </a>
      {session.value !== null && <span class="stage">{session.value.stage}</span>}
      <Whole />
      <div class="top-end">
        <Who />
        <button
          type="button"
          class="button quiet-button"
          title="Zone of all times"
          onClick={() => {
            zone.value = zone.value === 'utc' ? 'local' : 'utc'
          }}
        >
          {zone.value === 'utc' ? 'UTC' : 'Local time'}
        </button>
        <button
          type="button"
          class="button quiet-button"
          aria-label={`Theme: ${theme.value}`}
          title={`Theme: ${theme.value}`}
          onClick={() => {
            theme.value = nextTheme(theme.value)
          }}
        >
          <ThemeIcon />
        </button>
        <button
          type="button"
          class="button quiet-button wide-only"
          aria-label="Keys"
          title="Keys (?)"
          onClick={() => {
            isHelpOpen.value = true
          }}
        >
          ?
        </button>
      </div>
    </header>
  )
}

const ThemeIcon = () => (
  <svg class="theme-icon" viewBox="0 0 16 16" aria-hidden="true">
    {theme.value === 'dark' && <path d="M13 9.500A5.500 5.500 0 0 1 6.500 3a5.500 5.500 0 1 0 6.500 6.500Z" />}
    {theme.value === 'light' && (
      <path d="M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1" />
    )}
    {theme.value === 'system' && <path d="M8 2.500a5.500 5.500 0 1 0 0 11ZM8 2.500a5.500 5.500 0 1 1 0 11" />}
  </svg>
)

function Who() {
  const now = session.value
  return now === null ? null : (
    <span class="who wide-only" title="Actions are recorded under this name">
      <Text value={now.who} />
    </span>
  )
}

/** Whether all is well, in one word. */
function Whole() {
  const now = snapshot.value
  if (lostSince.value !== null) return <State tone="bad">no contact</State>
  if (now === null) return <State tone="busy">connecting</State>
  const { length } = now.problems
  return (
    <span class="whole" aria-live="off">
      {length > 0 || now.unreachable.length > 0 ? (
        <a href="/">
          <State tone={length > 0 && now.problems[0]?.severity !== 'attention' ? 'bad' : 'attention'}>
            {formatQuantity(Math.max(length, now.unreachable.length), 'problem')}
          </State>
        </a>
      ) : (
        <State tone="good">all is well</State>
      )}
      <span class="quiet wide-only">
        {' '}
        as of <Ago time={now.at} />
      </span>
    </span>
  )
}
