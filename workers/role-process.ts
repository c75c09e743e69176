/** How Node is started for a role of its own. */

/**
 * Roles that move bytes: their garbage is few objects with large buffers behind them, so the young generation is kept
 * small and let go of often.
 */
const BYTE_ROLES = ['process-server', 'recovery-site', 'master-target'];

/** Options of Node itself. */
export function roleNodeOptions(role: string): readonly string[] {
  return BYTE_ROLES.includes(role) ? ['--max-semi-space-size=1'] : [];
}

/** Of glibc: with an arena for each thread, every one of them keeps buffers that another could use. */
export const roleMemoryEnvironment = { MALLOC_ARENA_MAX: '2' } as const;
