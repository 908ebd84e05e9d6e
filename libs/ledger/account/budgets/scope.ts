/** The scope above all others: every path begins with it. */
export const WHOLE = 'org';
/** A scope is refused beyond this. */
const MAX_LENGTH = 400;

const form = /^[a-z]+:[A-Za-z0-9_.@-]{1,64}(\/[a-z]+:[A-Za-z0-9_.@-]{1,64}){0,4}$/;

/**
 * The scopes whose budgets have to allow what is spent under a scope, the outermost first: of `team:growth/member:ada` these are `org`,
 * `team:growth` and itself. Null for what is no scope: `org`, or one to five segments such as `team:growth`.
 */
export function pathOf(scope: string): readonly string[] | null {
  if (scope === WHOLE) return [WHOLE];
  if (scope.length > MAX_LENGTH || !form.test(scope)) return null;
  const path = [WHOLE];
  for (let end = scope.indexOf('/'); end >= 0; end = scope.indexOf('/', end + 1)) path.push(scope.slice(0, end));
  path.push(scope);
  return path;
}
