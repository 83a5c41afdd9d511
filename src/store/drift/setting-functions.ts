/**
 * The functions that hold a setting: installing the setting replaces their bodies, and is no drift. The patterns are those of
 * `install_event_plan` and `require_encryption` in migrations/0001_intents.sql.
 */
const BODIES: Readonly<Record<string, (schema: string) => RegExp>> = {
  'planned(text, jsonb)': (schema) =>
    new RegExp(`^ SELECT "${schema}"\\.check_event\\(operation, payload, (true|false)\\) $`),
  'readable_workspace(text, text)': (schema) =>
    new RegExp(`^ SELECT "${schema}"\\.refuse_readable\\(workspace, operation\\) $`),
  'encrypted_workspaces()': () => /^ SELECT '\{[\w*",-]*\}'::text\[\] $/,
}

/**
 * Whether the body of a function is one that a setting gives it.
 *
 * @param name The function with the types of its arguments.
 */
export function isSettingBody(name: string, body: string | null, schema: string): boolean {
  return BODIES[name]?.(schema).test(body ?? '') ?? false
}
