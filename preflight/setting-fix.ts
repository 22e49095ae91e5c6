import type { SourceFacts } from './source-facts.ts'

/** What sets a setting of the server, or with null has it as it is by default, where the user can do it, or where else it is done. */
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
