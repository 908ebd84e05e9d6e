import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

type Place = { readonly start: { readonly line?: number; readonly column?: number } };
type Maps = {
  readonly statementMap: Readonly<Record<string, Place>>;
  readonly fnMap: Readonly<Record<string, { readonly name: string; readonly loc: Place }>>;
  readonly branchMap: Readonly<
    Record<string, { readonly type: string; readonly loc: Place; readonly locations: readonly Place[] }>
  >;
};
type Counts = { s: Record<string, number>; f: Record<string, number>; b: Record<string, number[]> };
type Counted = { counts: Counts; maps: Maps | null };

/** All counts of a copy's runs, added up, by file. */
function addUp(copy: string): ReadonlyMap<string, Counted> {
  const files = new Map<string, Counted>();
  const directory = join(copy, 'counts');
  for (const name of readdirSync(directory).filter((file) => file.endsWith('.json'))) {
    const kept = JSON.parse(readFileSync(join(directory, name), 'utf8')) as Record<string, Counts & Partial<Maps>>;
    for (const [path, { s, f, b, ...maps }] of Object.entries(kept)) {
      const file = relative(copy, path);
      const sum = files.get(file) ?? { counts: { s: {}, f: {}, b: {} }, maps: null };
      for (const [id, count] of Object.entries(s)) sum.counts.s[id] = (sum.counts.s[id] ?? 0) + count;
      for (const [id, count] of Object.entries(f)) sum.counts.f[id] = (sum.counts.f[id] ?? 0) + count;
      for (const [id, ways] of Object.entries(b))
        sum.counts.b[id] = ways.map((count, way) => count + (sum.counts.b[id]?.[way] ?? 0));
      if ('branchMap' in maps) sum.maps = maps as Maps;
      files.set(file, sum);
    }
  }
  return files;
}

/** What was not reached of one file: functions, and ways at a branch, as `line:column what`. */
function unreached({ counts, maps }: Counted): string[] {
  if (maps === null) return ['never loaded by a spec, only by a program'];
  const at = ({ start }: Place, otherwise: Place): string =>
    `${String(start.line ?? otherwise.start.line)}:${String(start.column ?? otherwise.start.column)}`;
  const functions = Object.entries(maps.fnMap)
    .filter(([id]) => counts.f[id] === 0)
    .map(([, { name, loc }]) => `${at(loc, loc)} function ${name}`);
  const ways = Object.entries(maps.branchMap).flatMap(([id, { type, loc, locations }]) =>
    (counts.b[id] ?? []).flatMap((count, way) =>
      count === 0 ? [`${at(locations[way] ?? loc, loc)} ${type}, way ${String(way + 1)}`] : [],
    ),
  );
  return [...functions, ...ways];
}

/** The share of what was reached by area, then each place that was not. */
export function report(copy: string): string {
  const files = [...addUp(copy)].sort(([a], [b]) => (a < b ? -1 : 1));
  const lines: string[] = [];
  for (const area of ['libs', 'projections', 'apps/api', 'apps/worker', 'apps/cli', 'apps/stripe-sandbox']) {
    const own = files.filter(([file]) => file.startsWith(`${area}/`)).map(([, { counts }]) => counts);
    const share = (counts: readonly number[]): string =>
      `${String(counts.filter((count) => count > 0).length)} of ${String(counts.length)}`;
    const branches = share(own.flatMap(({ b }) => Object.values(b).flat()));
    const functions = share(own.flatMap(({ f }) => Object.values(f)));
    const statements = share(own.flatMap(({ s }) => Object.values(s)));
    lines.push(`${area}: branches ${branches}, functions ${functions}, statements ${statements}`);
  }
  for (const [file, counted] of files) lines.push(...unreached(counted).map((place) => `${file}:${place}`));
  return lines.join('\n');
}
