import { render } from 'preact'
import { startClock } from './api/server-clock.ts'
import { prepareSignIn } from './api/sign-in.ts'
import { subscribe } from './api/snapshot.ts'
import { App } from './app.tsx'
import { startPreferences } from './parts/preferences.ts'
import { startNavigation } from './routing/navigation.ts'
import { startKeys } from './shell/keys.ts'

startPreferences()
if (await prepareSignIn()) {
  startNavigation()
  startKeys()
  startClock()
  subscribe()
  render(<App />, document.getElementById('console')!)
}
