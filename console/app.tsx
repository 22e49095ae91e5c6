import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { ActionDialog } from './parts/action-dialog.tsx'
import { place } from './routing/navigation.ts'
import { ActionsScreen } from './screens/actions/actions-screen.tsx'
import { ArchiveScreen } from './screens/archive/archive-screen.tsx'
import { ChangesScreen } from './screens/changes/changes-screen.tsx'
import { RowScreen } from './screens/changes/row-screen.tsx'
import { TransactionScreen } from './screens/changes/transaction-screen.tsx'
import { ConnectorScreen } from './screens/connectors/connector-screen.tsx'
import { ConnectorWizard } from './screens/connectors/connector-wizard.tsx'
import { ConnectorsScreen } from './screens/connectors/connectors-screen.tsx'
import { ConsumersScreen } from './screens/connectors/consumers-screen.tsx'
import { EqualityScreen } from './screens/equality/equality-screen.tsx'
import { OverviewScreen } from './screens/overview/overview-screen.tsx'
import { QuarantineScreen } from './screens/quarantine/quarantine-screen.tsx'
import { QuarantinedScreen } from './screens/quarantine/quarantined-screen.tsx'
import { TableScreen } from './screens/tables/table-screen.tsx'
import { TablesScreen } from './screens/tables/tables-screen.tsx'
import { TopicScreen } from './screens/topics/topic-screen.tsx'
import { TopicsScreen } from './screens/topics/topics-screen.tsx'
import { WindowScreen } from './screens/windows/window-screen.tsx'
import { WindowsScreen } from './screens/windows/windows-screen.tsx'
import { ActionsOff, Banners, NewProblems } from './shell/banners.tsx'
import { KeyHelp } from './shell/key-help.tsx'
import { NavigationBar } from './shell/navigation-bar.tsx'
import { ScreenBoundary } from './shell/screen-boundary.tsx'
import { TopBar } from './shell/top-bar.tsx'

/** The whole page. */
export function App() {
  const { path } = place.value
  return (
    <>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <TopBar />
      <div class="body">
        <NavigationBar />
        <main id="content" tabIndex={-1}>
          <Banners />
          <Title path={path} />
          <div key={path.join('/')} class="screen">
            <ScreenBoundary>{screenOf(path)}</ScreenBoundary>
          </div>
          <ActionsOff />
        </main>
      </div>
      <NewProblems />
      <ActionDialog />
      <KeyHelp />
    </>
  )
}

/** Sets the title of the browser's tab. */
function Title({ path }: { readonly path: readonly string[] }) {
  const title = ['Tidemark', ...path].reverse().join(' · ')
  useEffect(() => {
    document.title = title
  }, [title])
  return null
}

/** The screen of a path. */
function screenOf([section = '', name, more]: readonly string[]): ComponentChildren {
  switch (section) {
    case '':
      return <OverviewScreen />
    case 'tables':
      return name === undefined ? <TablesScreen /> : <TableScreen table={name} />
    case 'changes':
      return <ChangesScreen />
    case 'rows':
      return <RowScreen />
    case 'transactions':
      return name !== undefined && more !== undefined ? (
        <TransactionScreen epoch={name} transaction={more} />
      ) : (
        <Nowhere />
      )
    case 'topics':
      return name === undefined ? <TopicsScreen /> : <TopicScreen topic={name} />
    case 'connectors':
      return name === undefined ? (
        <ConnectorsScreen />
      ) : name === 'new' ? (
        <ConnectorWizard />
      ) : (
        <ConnectorScreen name={name} />
      )
    case 'consumers':
      return <ConsumersScreen />
    case 'archive':
      return <ArchiveScreen />
    case 'windows':
      return name === undefined ? <WindowsScreen /> : <WindowScreen name={name} />
    case 'quarantine':
      return name === undefined ? <QuarantineScreen /> : <QuarantinedScreen place={name} />
    case 'equality':
      return <EqualityScreen />
    case 'actions':
      return <ActionsScreen />
    default:
      return <Nowhere />
  }
}

const Nowhere = () => (
  <>
    <h1 tabIndex={-1}>There is nothing here</h1>
    <p>
      The console has no such screen. <a href="/">The overview</a> shows what there is.
    </p>
  </>
)
