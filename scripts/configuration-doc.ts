/** docs/configuration.md, made from the schema. */
import { writeFile } from 'node:fs/promises';
import { settings, type Setting } from '../config/settings.ts';

const head = `# Configuration

<!-- Made by \`npm run generate\` from config/schema.ts; change it there. -->

A setting is taken from the first of: a flag (\`--set api.port=9443\`), an environment variable
(\`SWITCHBACK_API_PORT=9443\`), the YAML file (\`--config FILE\`), its default. The variable's name is \`SWITCHBACK_\`
and the path in capitals, words parted by underscores. Every problem is told at once;
\`switchback config validate --config FILE\` checks without starting anything.

- Durations are written with a unit: \`500ms\`, \`30s\`, \`15m\`, \`12h\`, \`7d\`. Sizes too: \`512KiB\`, \`8MiB\`, \`2GiB\`, \`1TiB\`.
- Paths may be relative; they then start at the working directory.
- Addresses must be \`https://\`. Only this machine itself (\`127.0.0.1\`, \`localhost\`, \`[::1]\`) may be reached by \`http://\`.
- Secrets lie in files that a setting names, never in a flag. \`catalogue.url\` may come from the file or the environment.
- [\`config/examples/appliance.yaml\`](../config/examples/appliance.yaml) is one machine with all roles,
  [\`config/examples/production.yaml\`](../config/examples/production.yaml) is one of many.

| Setting | Variable | Default | Meaning |
|---|---|---|---|
`;

export function renderConfigurationDoc(): string {
  return head + settings.map(row).join('');
}

function row(setting: Setting): string {
  const fallback =
    setting.fallback === undefined ? (setting.required ? '*required*' : '') : `\`${setting.fallback}\``;
  const scope = setting.onlyFor === undefined ? '' : ` (${setting.onlyFor})`;
  return `| \`${setting.path}\` | \`${setting.variable}\` | ${fallback} | ${setting.description}${scope} |\n`;
}

if (import.meta.main) await writeFile('docs/configuration.md', renderConfigurationDoc());
