import { readdirSync, readFileSync } from 'node:fs';

const ticksPerSecond = 100; // USER_HZ, the same on every Linux

type Stat = { readonly parent: number; readonly ticks: number; readonly endedChildren: number };

/** Null when the process has ended. */
function statOf(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    return { parent: fields[1]!, ticks: fields[11]! + fields[12]!, endedChildren: fields[13]! + fields[14]! };
  } catch {
    return null;
  }
}

/**
 * Seconds of CPU that a process and its children have used so far. Per command this tells what the work costs, whatever else
 * the machine does meanwhile.
 */
export function cpuSeconds(pid: number): number {
  const own = statOf(pid);
  if (own === null) return 0;
  const children = readdirSync('/proc')
    .map((name) => (/^\d+$/.test(name) ? statOf(Number(name)) : null))
    .filter((stat) => stat?.parent === pid);
  const ticks = children.reduce((sum, stat) => sum + (stat?.ticks ?? 0), own.ticks + own.endedChildren);
  return ticks / ticksPerSecond;
}
