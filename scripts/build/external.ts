import { isBuiltin } from 'node:module'

/** Dependencies that have no CommonJS code. Node.js can `require` them, but Jest cannot. */
const MODULES_ONLY = new Set(['pg-boss', 'cockatiel'])

/** Packages that an app may have installed, and that the code finds at run time. */
const OPTIONAL = ['@testcontainers/postgresql']

/**
 * Decides which imports stay imports: builtins, dependencies and optional packages. Everything else is merged, because a
 * package may only import its own dependencies. So `createOutbox` imports builtins alone: what it needs are devDependencies.
 *
 * In CommonJS, the packages of `MODULES_ONLY` are merged too, with what they depend on.
 */
export function isExternal(dependencies: readonly string[], format: 'esm' | 'cjs'): (id: string) => boolean {
  const required = dependencies.filter((name) => format === 'esm' || !MODULES_ONLY.has(name))
  const kept = [...required, ...OPTIONAL]
  return (id) => isBuiltin(id) || kept.some((name) => id === name || id.startsWith(`${name}/`))
}
