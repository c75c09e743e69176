/** Native ESM, TypeScript through swc; run with `npm test` (see docs/testing.md). */
export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2024' },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testPathIgnorePatterns: ['\\.long\\.test\\.ts$'],
  modulePathIgnorePatterns: ['<rootDir>/.cache/', '<rootDir>/.lab/'],
  testTimeout: 60_000,
  // The end-to-end tests mostly wait for other processes: three suites share two cores well.
  maxWorkers: 3,
  reporters: ['default', '<rootDir>/test/support/count-reporter.mjs'],
};
