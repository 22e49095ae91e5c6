import { useState } from 'preact/hooks'
import type { ContractVersion } from '#core/console/tables.ts'
import { Text } from '../../parts/text.tsx'
import { At } from '../../parts/time.tsx'

const effects: Readonly<Record<ContractVersion['effect'], string>> = {
  first: 'first version',
  'in place': 'changed in place',
  'new generation': 'all rows were read again',
}

/** The versions of a table's contract, newest first: what differs, and what that did to the rows in the target. */
export const ContractTimeline = ({ contracts }: { readonly contracts: readonly ContractVersion[] }) => (
  <ol class="timeline">
    {contracts.map((contract, index) => (
      <Version key={`${contract.epoch} ${contract.version}`} contract={contract} isNewest={index === 0} />
    ))}
  </ol>
)

function Version({ contract, isNewest }: { readonly contract: ContractVersion; readonly isNewest: boolean }) {
  const [isOpen, setIsOpen] = useState(isNewest)
  const { version, epoch, at, table, columns, differences, effect } = contract
  return (
    <li class="event">
      <div class="event-head">
        <b>Version {version}</b>
        <span class={`chip ${effect === 'new generation' ? 'attention' : ''}`}>{effects[effect]}</span>
        {at !== null && <At time={at} />}
        <span class="quiet">
          epoch {epoch}, as <Text value={table} />
        </span>
      </div>
      {differences.length > 0 && (
        <ul class="differences">
          {differences.map((each) => (
            <li key={each}>
              <Text value={each} />
            </li>
          ))}
        </ul>
      )}
      <button type="button" class="link" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
        {isOpen ? 'Hide' : 'Show'} its {columns.length} columns
      </button>
      {isOpen && <Columns columns={columns} />}
    </li>
  )
}

const Columns = ({ columns }: Pick<ContractVersion, 'columns'>) => (
  <ul class="column-list">
    {columns.map(({ name, type, isKey, isNullable }) => (
      <li key={name}>
        <span class="column-name">
          <Text value={name} />
        </span>
        <code class="quiet">{type}</code>
        {isKey && <span class="chip">key</span>}
        {!isNullable && !isKey && <span class="quiet">not null</span>}
      </li>
    ))}
  </ul>
)
