import type { SourceFacts } from './source-facts.ts'

/**
 * The SQL that sets a server setting, or resets it if the value is null, if the user may do that; otherwise where else
 * it is changed.
 */
export function settingFix(
  { rds, mayAlterSystem }: Pick<SourceFacts, 'rds' | 'mayAlterSystem'>,
  name: string,
  value: string | null,
  restart: boolean,
): string {
  if (mayAlterSystem) {
    const what = value === null ? `reset ${name}` : `set ${name} = '${value}'`
    return `alter system ${what}; ${restart ? '-- then restart the server' : 'select pg_reload_conf();'}`
  }
  if (rds) {
    const parameter = name === 'wal_level' ? 'rds.logical_replication = 1' : assignment(name, value)
    return `-- in the parameter group: ${parameter}${restart ? ', then reboot' : ''}`
  }
  return `-- in the parameter group or postgresql.conf: ${assignment(name, value)}, then ${restart ? 'restart' : 'reload'}`
}

const assignment = (name: string, value: string | null): string =>
  value === null ? `no ${name}` : `${name} = ${value}`
