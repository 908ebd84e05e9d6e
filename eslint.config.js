import tseslint from 'typescript-eslint';

const clocks = [
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0]",
    message: 'Time arrives as data or through the Clock port.',
  },
  {
    selector: "MemberExpression[object.name='Date'][property.name='now']",
    message: 'Time arrives as data or through the Clock port.',
  },
  {
    selector: "MemberExpression[object.name='Math'][property.name='random']",
    message: 'Randomness arrives as data or through the Clock port.',
  },
  {
    selector: 'CallExpression[callee.name=/^(setTimeout|setInterval|setImmediate)$/]',
    message: 'Waiting goes through the Clock port.',
  },
];
/** What holds for every file. A later `no-restricted-syntax` replaces an earlier one, so each of them repeats these. */
const house = [
  {
    selector: "MethodDefinition[kind='constructor'] > FunctionExpression[params.length>6]",
    message: 'More than six collaborators are two classes, or one that is missing.',
  },
  {
    selector: 'MemberExpression[computed=true][property.value=/^_/]',
    message: 'A member with an underscore is private, to its package too.',
  },
  {
    selector: "MemberExpression[property.name='removeAllListeners']",
    message: 'Remove the listeners that you added. Those of others keep the object working.',
  },
];
const internals = {
  regex: '^(?!ajv/dist/2020\\.js$)(@[^/]+/)?[a-z][^/:]*/(.+/)?(_?internals?|generated|dist|lib|src)(/|\\.|$)',
  message: 'What a package does not document may change with any release of it.',
};
/** Words with a better one: docs/glossary.md has the terms. */
const privateWords = [
  'told',
  'tell',
  'telling',
  'errand',
  'making',
  'wish',
  'anew',
  'apart',
  'heard',
  'agenda',
  'soon',
];
const throws = {
  selector: 'ThrowStatement',
  message: 'The domain refuses with values; a bug is reported by assert().',
};

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', '.scrip/**'] },
  ...tseslint.configs.strict,
  {
    rules: {
      '@typescript-eslint/no-extraneous-class': 'off', // Nest's modules are classes without members
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/consistent-type-definitions': 'off',
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      'no-duplicate-imports': 'error',
      'id-denylist': ['error', ...privateWords.flatMap((word) => [word, word[0].toUpperCase() + word.slice(1)])],
      'no-restricted-syntax': ['error', ...house],
      '@typescript-eslint/no-restricted-imports': ['error', { patterns: [internals] }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    files: ['libs/**/*.ts', 'projections/**/*.ts'],
    ignores: ['libs/config/system-clock.ts', '**/*.spec.ts'],
    rules: { 'no-restricted-syntax': ['error', ...house, ...clocks] },
  },
  {
    files: ['libs/kernel/**/*.ts', 'libs/ledger/**/*.ts'],
    ignores: ['libs/kernel/assert.ts', '**/*.spec.ts'],
    rules: { 'no-restricted-syntax': ['error', ...house, ...clocks, throws] },
  },
  {
    files: ['**/*.spec.ts', 'test/**/*.ts'],
    rules: { 'max-lines-per-function': 'off', '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  {
    // A server that speaks the protocol needs the messages, which the package of its client has and does not export.
    files: ['test/support/eventstoredb/*.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': 'off' },
  },
);
