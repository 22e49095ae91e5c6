import type { Component } from '#core/status/components.ts'
import { Panel } from '../../parts/panel.tsx'
import { Shape, toneOf } from '../../parts/state.tsx'
import { Text } from '../../parts/text.tsx'
import { formatCount, formatQuantity } from '../../text/numbers.ts'

const kinds = { server: 'Servers', mapping: 'Mappings', function: 'Functions' } as const

/** Errors may be megabytes long. */
const MOST_SHOWN = 300

/** Every server, mapping and function, those that are not well first. */
export const ComponentsPanel = ({ components }: { readonly components: readonly Component[] }) => (
  <Panel title="Components">
    <div class="component-kinds">
      {Object.entries(kinds).map(([kind, title]) => (
        <div key={kind}>
          <h3>{title}</h3>
          <ul>
            {components
              .filter((component) => component.kind === kind)
              .toSorted((a, b) => Number(isWell(a)) - Number(isWell(b)))
              .map((component) => (
                <Item key={component.name} component={component} />
              ))}
          </ul>
        </div>
      ))}
    </div>
  </Panel>
)

const isWell = ({ state }: Component): boolean => state === 'healthy' || state === 'idle'

function Item({ component }: { readonly component: Component }) {
  const { name, state, restarts, errors, lastError } = component
  const notes = [
    ...(state === 'healthy' ? [] : [state]),
    ...(restarts > 0 ? [`restarted ${formatCount(restarts)}×`] : []),
    ...(errors > 0 ? [formatQuantity(errors, 'error')] : []),
  ]
  return (
    <li class="component">
      <Shape tone={toneOf(state)} />
      <span>
        <Text value={name} />
        {state === 'healthy' && <span class="sr-only"> healthy</span>}{' '}
        {notes.length > 0 && <span class={isWell(component) ? 'quiet' : 'bad-text'}>{notes.join(', ')}</span>}
      </span>
      {lastError !== undefined && !isWell(component) && (
        <p class="quiet">
          <Text value={lastError.slice(0, MOST_SHOWN)} />
        </p>
      )}
    </li>
  )
}
