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
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    files: ['libs/**/*.ts', 'projections/**/*.ts'],
    ignores: ['libs/config/system-clock.ts', '**/*.spec.ts'],
    rules: { 'no-restricted-syntax': ['error', ...clocks] },
  },
  {
    files: ['libs/kernel/**/*.ts', 'libs/ledger/**/*.ts'],
    ignores: ['libs/kernel/assert.ts', '**/*.spec.ts'],
    rules: { 'no-restricted-syntax': ['error', ...clocks, throws] },
  },
  {
    files: ['**/*.spec.ts', 'test/**/*.ts'],
    rules: { 'max-lines-per-function': 'off', '@typescript-eslint/no-non-null-assertion': 'off' },
  },
);
