/** Commands of the docs that no story types, and what runs them instead, or why nothing does. */
export type Elsewhere =
  /** A file of the tests, or of what they stand on, that runs it as it stands. */
  { readonly by: string } | { readonly because: string };

const tests: Elsewhere = { because: 'it runs the tests, this one among them' };
const takesLong = (what: string): Elsewhere => ({ because: `${what} takes longer than all tests together` });
const measuresASite: Elsewhere = {
  because: 'it keeps two cores busy for minutes; test/bench checks how it reckons',
};
const installs: Elsewhere = { because: 'it writes outside the clone, as root' };
const evidencePage: Elsewhere = { by: 'test/evidence/docs.test.ts' };
const labOfTheClone: Elsewhere = {
  because: 'labs belong to the clone: it would start or end those of whoever runs the tests',
};
const compose: Elsewhere = { because: 'it needs Docker; test/compose checks the file it reads' };

export const elsewhere: Readonly<Record<string, Elsewhere>> = {
  // README.md, CONTRIBUTING.md, docs/testing.md
  'npm run demo': {
    because: 'it is what test/e2e/round-trip.test.ts does, on a terminal, with larger disks',
  },
  'npm test': tests,
  'npm test -- test/domain': tests,
  "npm test -- test/e2e -t 'point latest'": tests,
  'npm run test:long': tests,
  'npm run check': { by: '.ci/run' },
  'npm run test:postgres': {
    because: 'it needs root and PostgreSQL; test/scripts/postgres.test.ts runs its judges',
  },
  'npm run test:postgres -- --minutes 3 --points 10': { because: 'it needs root and PostgreSQL' },
  'npm run test:postgres -- --sample --seed 7': { because: 'it needs root and PostgreSQL' },
  'npm run fuzz': takesLong('a million inputs for each reader'),
  'npm run fuzz -- --inputs 1000000 --seed 7': takesLong('a million inputs for each reader'),
  'npm run fuzz -- --target "segment forged with the key" --seed 7 --index 4711': {
    by: 'test/dataplane/fuzz.test.ts',
  },
  'npm run test:crash': takesLong('every process at every step'),
  'npm run test:crash -- --minutes 20': takesLong('every process at every step'),
  'npm run test:crash -- --only failback --seed 7': takesLong('every process at every step'),
  'npm run test:drills': takesLong('five hundred drills'),
  'npm run test:drills -- --seed 7 --only 42': takesLong('a practice ground of ten machines'),
  'switchback item failover shop-01 --point latest --yes --operation-id demo-failover --wait': {
    by: 'scripts/demo/story.ts',
  },
  // docs/bench.md
  'sudo npm run bench': takesLong('the bench'),
  'sudo npm run bench -- --only copy --only floor': takesLong('the bench'),
  'sudo npm run bench -- --quick': takesLong('the bench'),
  'npm run bench:prediction': takesLong('a thousand drills'),
  'npm run bench:site': measuresASite,
  'npm run bench:site -- --machines 20 --groups 2': measuresASite,
  'npm run bench:plans': takesLong('a thousand machines'),
  'npm run bench:plans -- --machines 100 --groups 10': takesLong('a hundred machines'),
  'npm run bench:plans -- --machines 300 --groups 15 --kill-after 20': takesLong('three hundred machines'),
  'npm run bench -- --plot': { because: 'it rewrites the pictures of the newest results in bench/results' },
  // docs/evidence.md
  'cd examples/evidence': evidencePage,
  [String.raw`seal=$(sed -n 's/^\],"seal":\(.*\)}$/\1/p' shop-drill.html)`]: evidencePage,
  [String.raw`{ echo switchback/evidence/v1/seal; printf %s "$seal" | perl -pe 's/"signature":"\w+",//'; } > "$TMPDIR/message"`]:
    evidencePage,
  [String.raw`printf %s "$seal" | perl -ne 'print pack "H*", /"signature":"(\w+)"/ ? $1 : ""' > "$TMPDIR/signature"`]:
    evidencePage,
  'openssl pkeyutl -verify -pubin -inkey key.pub.pem -rawin -in "$TMPDIR/message" -sigfile "$TMPDIR/signature"':
    evidencePage,
  "openssl pkey -pubin -in key.pub.pem -outform DER | openssl dgst -sha256 -r | cut -d' ' -f1": evidencePage,
  [String.raw`sed -n 's/^\],"seal":.*"keyId":"\([0-9a-f]*\)".*/\1/p' shop-drill.html`]: evidencePage,
  [String.raw`entry=$(sed -n 's/,$//; /"seq":7}$/p' shop-drill.html)`]: evidencePage,
  [String.raw`{ echo switchback/evidence/v1/entry; printf %s "$entry" | perl -pe 's/"hash":"\w+","kind"/"kind"/'; } | openssl dgst -sha256 -r | cut -d' ' -f1`]:
    evidencePage,
  [String.raw`printf %s "$entry" | perl -ne 'print "$1\n" if /"hash":"(\w+)","kind"/'`]: evidencePage,
  [String.raw`sed -n 's/.*"previous":"\([0-9a-f]*\)","seq":8}.*/\1/p' shop-drill.html`]: evidencePage,
  // docs/install.md, docs/plan-steps.md
  'git clone … switchback && cd switchback && npm ci': {
    because: 'scripts/bootstrap.mjs does the same before every test',
  },
  'npx switchback appliance --config /etc/switchback/appliance.yaml': { by: 'lab/processes/product.ts' },
  'switchback appliance --config /etc/switchback/appliance.yaml': { by: 'lab/processes/product.ts' },
  'switchback process-server start --temporary --config /etc/switchback/in-azure.yaml': {
    by: 'lab/processes/temporary-process-server.ts',
  },
  'install -d -m 0700 /var/lib/switchback && install -m 0600 /dev/null /var/lib/switchback/vault.key':
    installs,
  'head -c 32 /dev/urandom > /var/lib/switchback/vault.key': installs,
  'install -d -m 0700 /var/lib/switchback/secrets': installs,
  'install -m 0600 /dev/stdin /var/lib/switchback/secrets/dns-token < token.txt': installs,
  'sh scripts/compose/make-secrets.sh': { by: 'test/compose/compose.test.ts' },
  'cp config/examples/production.yaml switchback.yaml': { because: 'a copy; test/config loads the example' },
  'docker compose up --detach': compose,
  'docker compose exec configuration-server cat /var/lib/switchback/administrator.token': compose,
  // docs/lab*.md
  'node lab/arm/main.ts --listen 127.0.0.1:PORT --state DIR --ready-file FILE --storage-endpoint http://127.0.0.1:10000/ACCOUNT --storage-account ACCOUNT --storage-key-file FILE [--loopback-networks]':
    { by: 'lab/processes/arm.ts' },
  'cd lab/vcenter && go build -o vcenter . && ./vcenter --state /tmp/vc --ready-file /tmp/vc.json': {
    by: 'lab/tools/vcenter.ts',
  },
  'switchback lab up': labOfTheClone,
  'switchback lab status': { because: 'it answers with the labs of the clone, whatever they are' },
  'switchback lab down': labOfTheClone,
  'switchback lab down --remove': labOfTheClone,
};
