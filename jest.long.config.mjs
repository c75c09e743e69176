/** What takes longer than a developer waits: `npm run test:long` (see docs/testing.md). */
import base from './jest.config.mjs';

export default { ...base, testPathIgnorePatterns: [], testMatch: ['<rootDir>/test/**/*.long.test.ts'] };
