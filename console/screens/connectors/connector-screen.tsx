import type { ConnectorDetail } from '#core/console/connectors.ts'
import { useResource } from '../../api/resource.ts'
import { ActionButton } from '../../parts/actions.tsx'
import { CopyButton } from '../../parts/copy.tsx'
import { Heading } from '../../parts/heading.tsx'
import { Empty, Loaded, Panel } from '../../parts/panel.tsx'
import { NamedState } from '../../parts/state.tsx'
import { Text } from '../../parts/text.tsx'

/** One connector: its tasks and why they failed, its configuration, and how far it has read. */
export function ConnectorScreen({ name }: { readonly name: string }) {
  const resource = useResource('GET /connectors/:name', { params: { name }, everyMs: 3_000 })
  const connector = resource.value
  return (
    <>
      <Heading
        title={<Text value={name} />}
        above={{ href: '/connectors', name: 'Connectors' }}
        note={connector === null ? undefined : <NamedState state={connector.state} />}
      >
        <ActionButton action={{ name: 'connector.restart', target: name }} />
        {connector?.state === 'PAUSED' || connector?.state === 'STOPPED' ? (
          <ActionButton action={{ name: 'connector.resume', target: name }} />
        ) : (
          <ActionButton action={{ name: 'connector.pause', target: name }} />
        )}
        <ActionButton action={{ name: 'connector.delete', target: name, thenTo: '/connectors' }} />
      </Heading>
      <Loaded resource={resource}>{(detail) => <Detail detail={detail} />}</Loaded>
    </>
  )
}

function Detail({ detail }: { readonly detail: ConnectorDetail }) {
  const { tasks, trace, configuration, offsets, isOwn } = detail
  return (
    <div class="stack">
      {isOwn && <p class="note">This is Tidemark’s own connector. Without it nothing is captured.</p>}
      {trace !== null && <Trace title="The connector failed" trace={trace} />}
      <Panel title="Tasks">
        {tasks.length === 0 && <Empty>It has no task, so it does nothing.</Empty>}
        {tasks.map((task) => (
          <div key={task.id} class="task">
            <b>Task {task.id}</b> <NamedState state={task.state} />
            {task.trace !== null && <Trace title="Why it failed" trace={task.trace} />}
          </div>
        ))}
      </Panel>
      <Panel
        title="Configuration"
        beside={<CopyButton text={JSON.stringify(configuration, null, 2)} label="Copy JSON" />}
      >
        <dl class="facts wide-names">
          {Object.entries(configuration).map(([option, value]) => (
            <div key={option}>
              <dt>
                <code>
                  <Text value={option} />
                </code>
              </dt>
              <dd>
                <code>
                  <Text value={value} form="block" />
                </code>
              </dd>
            </div>
          ))}
        </dl>
      </Panel>
      <Panel title="Stored offsets">
        {offsets.length === 0 ? (
          <Empty>Connect has stored none.</Empty>
        ) : (
          offsets.map((offset) => (
            <pre key={offset} class="block">
              <Text value={offset} form="block" />
            </pre>
          ))
        )}
      </Panel>
    </div>
  )
}

/** A stack trace, of which the first line says most. */
function Trace({ title, trace }: { readonly title: string; readonly trace: string }) {
  const [first = ''] = trace.split('\n', 1)
  return (
    <details class="trace">
      <summary>
        <b>{title}:</b> <Text value={first} />
      </summary>
      <pre class="block" tabIndex={0}>
        <Text value={trace} form="block" />
      </pre>
      <CopyButton text={trace} />
    </details>
  )
}
