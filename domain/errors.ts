/**
 * The error catalogue: one entry per thing that can go wrong, with what it does to a runbook, how it is
 * answered over HTTP, which exit code the CLI ends with, and what the operator can do about it.
 * `docs/errors.md` is generated from here. Recognise an error by its code, never by `instanceof` across rooms.
 */

/** `retry`: try again, it may pass. `pause`: an operator decides. `fail`: the operation ends, nothing more is tried. */
export type ErrorOutcome = 'retry' | 'pause' | 'fail';

interface ErrorEntry {
  readonly outcome: ErrorOutcome;
  readonly http: number;
  /** CLI exit code by class: 2 bad input, 3 not found, 4 refused in this state, 5 credentials or trust, 6 a system out of reach, 7 data integrity, 8 a limit of the target. */
  readonly exit: number;
  /** `{name}` is replaced from the error's context. */
  readonly message: string;
  readonly remedy: string;
}

const entry = (
  outcome: ErrorOutcome,
  http: number,
  exit: number,
  message: string,
  remedy: string,
): ErrorEntry => ({
  outcome,
  http,
  exit,
  message,
  remedy,
});

export const errorCatalogue = {
  // Requests
  DR_REQUEST_INVALID: entry(
    'fail',
    400,
    2,
    'The request is not valid: {problems}',
    'Correct the fields named in the message and send the request again.',
  ),
  DR_ROUTE_UNKNOWN: entry(
    'fail',
    404,
    2,
    'There is no route {method} {path}',
    'Compare the versions of client and configuration server; api/openapi.json lists all routes.',
  ),
  DR_REQUEST_UNAUTHENTICATED: entry(
    'fail',
    401,
    5,
    'The request carries no valid bearer token',
    'Pass the token with --token-file or SWITCHBACK_TOKEN_FILE; the first one is in administrator.token in the data directory of the configuration server.',
  ),
  DR_CONFIG_INVALID: entry(
    'fail',
    500,
    2,
    'The configuration is not valid: {problems}',
    'Correct every setting named in the message; `switchback config validate` checks without starting.',
  ),
  DR_PLAN_INVALID: entry(
    'fail',
    422,
    2,
    'The recovery plan {file} is not valid:\n{problems}',
    'Correct each line that is named, then check again with `switchback plan validate`; docs/recovery-plans.md describes the fields.',
  ),
  DR_PLAN_UNKNOWN: entry(
    'fail',
    404,
    3,
    'There is no recovery plan "{plan}"',
    'List plans with `switchback plan list`, or store one with `switchback plan apply`.',
  ),
  DR_PLAN_VERSION_UNKNOWN: entry(
    'fail',
    404,
    3,
    'Recovery plan "{plan}" has no version {version}',
    'List its versions with `switchback plan history {plan}`.',
  ),
  DR_POLICY_OUT_OF_RANGE: entry(
    'fail',
    400,
    2,
    'Policy value {field} is {value}; allowed is {allowed}',
    'Choose a value inside the range.',
  ),
  DR_POLICY_UNKNOWN: entry(
    'fail',
    404,
    3,
    'There is no replication policy "{policy}"',
    'List policies with `switchback policy list`, or create one with `switchback policy create`.',
  ),
  DR_NAME_TAKEN: entry(
    'fail',
    409,
    4,
    'The {kind} "{name}" exists already',
    'Choose another name, or use the existing one.',
  ),
  DR_INTERNAL: entry(
    'retry',
    500,
    1,
    'Unexpected failure: {reason}',
    'Look up the request id in the log of the configuration server; repeat the request, it is safe to.',
  ),

  // vCenter
  DR_VCENTER_UNKNOWN: entry(
    'fail',
    404,
    3,
    'There is no vCenter "{vcenter}"',
    'List them with `switchback vcenter list`, or add one with `switchback vcenter add`.',
  ),
  DR_VCENTER_IN_USE: entry(
    'fail',
    409,
    4,
    'vCenter "{vcenter}" cannot be removed: its machine "{machine}" is protected',
    'End the protection first with `switchback item disable`; without the credential of its vCenter nothing could come home.',
  ),
  DR_VCENTER_CREDENTIALS: entry(
    'fail',
    401,
    5,
    'vCenter {url} refused the user name or password of "{username}"',
    'Check the account in vCenter, then add the vCenter again with the right password.',
  ),
  DR_VCENTER_CERTIFICATE_CHANGED: entry(
    'pause',
    409,
    5,
    'vCenter {url} shows certificate {actual}, pinned is {pinned}',
    'If the certificate was replaced on purpose, add the vCenter again and confirm the new fingerprint. If not, somebody may stand between: do not continue.',
  ),
  DR_VCENTER_UNREACHABLE: entry(
    'retry',
    503,
    6,
    'vCenter {url} does not answer: {reason}',
    'Check network, firewall (TCP 443) and that vCenter runs; the step goes on by itself once it answers.',
  ),
  DR_VCENTER_NO_PERMISSION: entry(
    'fail',
    403,
    5,
    'The account of vCenter "{vcenter}" lacks a privilege for {attempted}: {privilege}',
    'Grant the privilege to the role (docs/vcenter-role.md lists all), then retry.',
  ),
  DR_VCENTER_TASK_FAILED: entry(
    'retry',
    502,
    6,
    'vCenter could not {attempted}: {fault}',
    'Look at the task in vCenter; the step is tried again.',
  ),

  // Machines
  DR_MACHINE_UNKNOWN: entry(
    'fail',
    404,
    3,
    'There is no machine "{machine}"',
    'List machines with `switchback machine list`; discovery may be older than the machine: add --refresh.',
  ),
  DR_MACHINE_AMBIGUOUS: entry(
    'fail',
    409,
    2,
    '"{machine}" names {count} machines: {ids}',
    'Use the machine id instead of the name.',
  ),
  DR_MACHINE_ALREADY_PROTECTED: entry(
    'fail',
    409,
    4,
    'Machine "{machine}" is protected already',
    'Look at it with `switchback item show {machine}`.',
  ),
  DR_MACHINE_DISK_INDEPENDENT: entry(
    'fail',
    422,
    4,
    'Disk "{disk}" of "{machine}" is {mode}: snapshots leave it out, so it cannot be replicated',
    'Change the disk mode to dependent in vCenter, or exclude the disk.',
  ),
  DR_MACHINE_DISK_RDM: entry(
    'fail',
    422,
    4,
    'Disk "{disk}" of "{machine}" is a raw device mapping ({backing})',
    'Convert it to a VMDK in vCenter, or exclude the disk.',
  ),
  DR_MACHINE_DISK_UNSUPPORTED: entry(
    'fail',
    422,
    4,
    'Disk "{disk}" of "{machine}" has a kind of backing that cannot be tracked',
    'Convert it to a VMDK on a datastore, or exclude the disk.',
  ),
  DR_MACHINE_DISK_SHARED: entry(
    'fail',
    422,
    4,
    'Disk "{disk}" of "{machine}" is shared between machines',
    'Exclude the disk; shared disks cannot be tracked.',
  ),
  DR_MACHINE_DISK_TOO_LARGE: entry(
    'fail',
    422,
    8,
    'Disk "{disk}" of "{machine}" has {gib} GiB; Azure imports at most {gibMax} GiB',
    'Exclude the disk or move its data to smaller disks.',
  ),
  DR_MACHINE_FOREIGN_SNAPSHOT: entry(
    'fail',
    409,
    4,
    'Machine "{machine}" has snapshots that are not ours: {snapshots}',
    'Delete or consolidate them in vCenter; change tracking cannot be enabled safely while they exist.',
  ),
  DR_MACHINE_NO_CHANGE_TRACKING: entry(
    'fail',
    422,
    4,
    'Machine "{machine}" does not support changed-block tracking',
    'Upgrade the virtual hardware to version 7 or newer.',
  ),
  DR_MACHINE_DISK_CHANGED: entry(
    'pause',
    409,
    7,
    'Disk "{disk}" of "{machine}" is not what was protected: {reason}',
    'Recovery points made so far stay usable. Protect the machine again to take the change in.',
  ),
  DR_MACHINE_WITHOUT_DISKS: entry(
    'fail',
    422,
    4,
    'Machine "{machine}" has no disk to protect',
    'Attach a disk, or do not exclude all of them.',
  ),

  // Replication
  DR_REPLICATION_CBT_RESET: entry(
    'pause',
    409,
    7,
    'Changed-block tracking restarted on "{machine}", disk {disk}: {reason}',
    'The next cycle reads the disk in full by itself; failover stays possible to older points.',
  ),
  DR_REPLICATION_FENCED: entry(
    'fail',
    409,
    4,
    'Epoch {epoch} may no longer write {what}: epoch {newer} has taken over',
    'Nothing to do: a newer attempt continues this work.',
  ),
  DR_REPLICATION_SOURCE_READ: entry(
    'retry',
    502,
    6,
    'Reading disk {disk} at {offset} failed: {reason}',
    'Check the path to the host (TCP 902) and the datastore; reading resumes by itself.',
  ),
  DR_REPLICATION_TARGET_WRITE: entry(
    'retry',
    502,
    6,
    'Writing disk {disk} at {offset} failed: {reason}',
    'Check the path to the host (TCP 902) and the free space of the datastore; writing resumes by itself.',
  ),
  DR_REPLICATION_DEFERRED: entry(
    'retry',
    503,
    6,
    'Changes are not sent now: {reason}',
    'Nothing is lost: the ranges that change are remembered at the source and travel in a later cycle. If the RPO grows too far, raise the rate of the site or its cache.',
  ),
  DR_REPLICATION_NOT_DRAINED: entry(
    'retry',
    409,
    6,
    'Barrier {number} of {item} is not applied yet',
    'Wait; the recovery-site worker is still applying.',
  ),
  DR_SEGMENT_CORRUPT: entry(
    'pause',
    409,
    7,
    'Segment {segment} is damaged: {reason}',
    'No recovery point was made from it and older points stay usable. Protect the machine again to copy it in full.',
  ),
  DR_SEGMENT_FILE_UNSOUND: entry(
    'fail',
    409,
    7,
    'Segment file {segment} does not hold: {reason}',
    'Download the blob again and compare; if it stays so, recovery points made before it are not affected, and a resync makes what it carried good.',
  ),
  DR_JOURNAL_GAP: entry(
    'pause',
    409,
    7,
    'The journal of {item} has a gap: {reason}',
    'Older recovery points stay usable. Protect the machine again to copy it in full.',
  ),
  DR_CACHE_DISK_FULL: entry(
    'retry',
    507,
    6,
    'No space on the process server: {path} has {freeMiB} MiB free, {neededMiB} MiB are kept free',
    'Free space on that volume; replication goes on by itself and loses no change.',
  ),

  // Storage and keys
  DR_STORAGE_UNREACHABLE: entry(
    'retry',
    503,
    6,
    'Storage account {account} does not answer: {reason}',
    'Check network, firewall and the account; replication goes on by itself once it answers.',
  ),
  DR_STORAGE_FULL: entry(
    'retry',
    507,
    8,
    'Storage account {account} has no room: {reason}',
    'Raise the limit of the account or remove old data; replication goes on by itself.',
  ),
  DR_STORAGE_REFUSED: entry(
    'fail',
    403,
    5,
    'Storage account {account} refused {attempted}: {reason}',
    'Give the identity the role Storage Blob Data Contributor, or correct the account key.',
  ),
  DR_KEY_MISSING: entry(
    'pause',
    409,
    7,
    'The data key of {item} cannot be opened: {reason}',
    'Start with the vault key that sealed it; without that key its segments cannot be read.',
  ),

  // Operations on protected items
  DR_ITEM_UNKNOWN: entry(
    'fail',
    404,
    3,
    'There is no protected item "{item}"',
    'List them with `switchback item list`.',
  ),
  DR_OPERATION_REFUSED: entry(
    'fail',
    409,
    4,
    '{operation} is not possible for "{item}": {reason}',
    'Look at the allowed operations with `switchback item show {item}`.',
  ),
  DR_OPERATION_BUSY: entry(
    'fail',
    409,
    4,
    '{operation} is not possible for "{item}": {running} is running',
    'Wait for job {job} to end: `switchback job watch {job}`.',
  ),
  DR_TURN_MISSED: entry(
    'pause',
    409,
    4,
    'The turn of "{machine}" to start has not come: the run of its recovery plan has ended or says nothing',
    'Roll the job back, or skip the step: then the machine starts now. `switchback job show` lists what is possible.',
  ),
  DR_MEMBER_FAILED: entry(
    'pause',
    409,
    4,
    'Job {job} of "{machine}" {ending}: {reason}',
    '{remedy} Then retry the machine, skip it with a reason, or end the run: `switchback job watch {job}` shows its steps.',
  ),
  DR_STEP_WAITS: entry(
    'pause',
    409,
    4,
    '{text}',
    'Answer with `switchback job approve` or `switchback job reject`: step "{step}".',
  ),
  DR_STEP_REJECTED: entry(
    'pause',
    409,
    4,
    'Step "{step}" was rejected by {principal}: {reason}',
    'Clear what was objected to, then retry the step, skip it with a reason, or end the run.',
  ),
  DR_STEP_UNANSWERED: entry(
    'pause',
    409,
    4,
    'Nobody answered step "{step}" within {seconds} s',
    'Approve it with `switchback job approve`, skip it with a reason, or end the run.',
  ),
  DR_STEP_FAILED: entry(
    'pause',
    409,
    4,
    'Step "{step}" ({action}) failed: {observed}',
    'Correct what was observed, then retry the step, skip it with a reason, or end the run; docs/plan-steps.md says what each step asks for.',
  ),
  DR_STEP_REFUSED: entry(
    'pause',
    409,
    4,
    'Step "{step}" ({action}) is not carried out: {reason}',
    '{remedy} Then retry the step, skip it with a reason, or end the run.',
  ),
  DR_NOTIFICATION_FAILED: entry(
    'retry',
    502,
    6,
    'Receiver "{receiver}" has not taken the notification: {reason}',
    'It is tried again for a day. Correct `notifications` in the configuration or the receiver itself, then check with `switchback notification test`.',
  ),
  DR_SECRET_UNKNOWN: entry(
    'pause',
    409,
    5,
    'The secret "{secret}" cannot be used: {reason}',
    'On the machine of the worker that carries the step out, put its value into the file {file}, owned by the account of the worker, mode 0600 (`steps.secretsFolder` names the folder); then retry the step.',
  ),
  DR_APPROVER_UNKNOWN: entry(
    'fail',
    403,
    4,
    'Step "{step}" may be answered by {approvers}, not by {principal}',
    'Ask one of them to answer it with a token of their own.',
  ),
  DR_PLAN_RUNNING: entry(
    'fail',
    409,
    4,
    'Recovery plan "{plan}" is running already: job {job}',
    'Wait for it with `switchback job watch {job}`, or end it.',
  ),
  DR_SCHEDULE_UNKNOWN: entry(
    'fail',
    404,
    3,
    'Recovery plan "{plan}" has no schedule',
    'Give it one with `switchback plan schedule {plan} --cron "0 3 * * 6"`.',
  ),
  DR_DRILL_EXPIRED: entry(
    'fail',
    409,
    4,
    'The drill of plan "{plan}" had not ended after {seconds} s and was taken back',
    'Run it again when somebody can answer it, or give it longer with `drill.cleanupAfter`.',
  ),
  DR_DRILL_FAILED: entry(
    'fail',
    409,
    4,
    'The scheduled drill of plan "{plan}" did not succeed: job {job}',
    'Look at it with `switchback job show {job}`; the schedule is paused until `switchback plan schedule {plan} --resume`.',
  ),
  DR_DRILL_TOO_DEAR: entry(
    'fail',
    409,
    4,
    'The drill of plan "{plan}" would cost {cost} for {hours} h, its limit is {limit}: {machines}',
    'Raise `drill.costLimit` or shorten `drill.cleanupAfter` in the plan and apply it, or choose smaller sizes for the machines.',
  ),
  DR_DRILL_PRICE_UNKNOWN: entry(
    'fail',
    409,
    4,
    'The drill of plan "{plan}" may cost {limit}, and what it would cost is not known: {reason}',
    'Look whether the recovery-site worker reaches `azure.prices.endpoint` and what sizes the machines have, then run it again; or apply the plan without `drill.costLimit`.',
  ),
  DR_PLAN_NOT_READY: entry(
    'fail',
    409,
    4,
    'Recovery plan "{plan}" cannot run:\n{problems}',
    'Correct the plan or protect what it names, then look again with `switchback plan members {plan}`.',
  ),
  DR_COMMIT_BEFORE_FAILOVER: entry(
    'fail',
    409,
    4,
    '"{item}" has no failover to commit: its state is {state}',
    'Run `switchback item failover {item}` first.',
  ),
  DR_POINT_UNKNOWN: entry(
    'fail',
    404,
    3,
    '"{item}" has no recovery point {point}',
    'List its points with `switchback item points {item}`.',
  ),
  DR_POINT_NONE: entry(
    'fail',
    409,
    4,
    '"{item}" has no recovery point for the choice {choice}',
    'Wait for replication to make one, or choose another kind of point.',
  ),
  DR_POINT_INCOMPLETE: entry(
    'pause',
    409,
    7,
    'Recovery point {point} of "{item}" does not hold these disks: {disks}',
    'Wait for a point made after they joined, or skip the step: the machine then starts without them.',
  ),
  DR_JOB_UNKNOWN: entry('fail', 404, 3, 'There is no job "{job}"', 'List jobs with `switchback job list`.'),
  DR_FINAL_DELTA_MISSING: entry(
    'pause',
    409,
    6,
    'The last changes of "{machine}" could not be replicated although its source was shut down: {reason}',
    'They are safe on the source disks. Fail over again once the site answers, or go without them: `switchback item failover {machine} --point latest-processed`.',
  ),
  DR_PREFLIGHT_FAILED: entry(
    'fail',
    409,
    4,
    '{count} checks before the operation failed: {problems}',
    'Correct each of them; nothing was changed and replication goes on.',
  ),
  DR_SOURCE_STATE_UNKNOWN: entry(
    'pause',
    409,
    6,
    'The power state of source "{machine}" is not known: {reason}',
    'Make sure by other means that the source is off before the Azure machine takes over its address.',
  ),

  DR_CLOCK_SKEW: entry(
    'fail',
    409,
    4,
    'The clocks of vCenter, process server and recovery site differ: {reason}',
    'Set them by the same time source (NTP): recovery points are told apart by their time.',
  ),

  // Azure
  DR_AZURE_UNREACHABLE: entry(
    'retry',
    503,
    6,
    'Azure Resource Manager does not answer: {reason}',
    'Check network and credentials; the step goes on by itself.',
  ),
  DR_AZURE_PRICES_UNREADABLE: entry(
    'retry',
    503,
    6,
    'The price list of Azure cannot be read: {reason}',
    'Look whether the recovery-site worker reaches `azure.prices.endpoint`; no credential is needed there.',
  ),
  DR_AZURE_BUSY: entry(
    'retry',
    409,
    6,
    'Azure is busy and could not {attempted} yet: {azureCode} {reason}',
    'Nothing to do: the step is tried again.',
  ),
  DR_AZURE_REFUSED: entry(
    'fail',
    403,
    5,
    'Azure refused {attempted}: {azureCode} {reason}',
    'Give the identity the role of docs/azure-role.md on the target resource group and network.',
  ),
  DR_AZURE_QUOTA: entry(
    'pause',
    409,
    8,
    'Quota {quota} in {location} allows {limit}, {used} are used, {needed} more are needed',
    'Raise the quota, or choose a smaller VM size, then retry.',
  ),
  DR_AZURE_SIZE_UNAVAILABLE: entry(
    'pause',
    409,
    8,
    'VM size {size} is not available in {location}: {reason}',
    'Choose another size for the item.',
  ),
  DR_AZURE_NETWORK_UNKNOWN: entry(
    'fail',
    404,
    3,
    'Subnet {subnet} does not exist',
    'Create it, or choose another subnet.',
  ),
  DR_AZURE_NETWORK_NOT_ISOLATED: entry(
    'fail',
    409,
    4,
    'Network {network} is not isolated: {reason}',
    'Drill in a network without peerings and gateways that is not the production network.',
  ),
  DR_AZURE_ADDRESS_TAKEN: entry(
    'pause',
    409,
    8,
    'Address {address} in {subnet} is taken by {owner}',
    'Free the address (a left-over drill is the usual cause) or choose another one.',
  ),
  DR_AZURE_NAME_TAKEN: entry(
    'fail',
    409,
    4,
    '{resource} exists and does not belong to run {run}',
    'Remove or rename it; Switchback never touches what it did not make.',
  ),
  DR_AZURE_OPERATION_FAILED: entry(
    'pause',
    502,
    8,
    'Azure could not {attempted}: {azureCode} {reason}',
    'Read the Azure message; correct the cause and start the operation again.',
  ),
  DR_CLEANUP_INCOMPLETE: entry(
    'retry',
    409,
    6,
    'After cleanup of run {run} these remain: {resources}',
    'Cleanup is tried again; remove locks on the resources if it keeps failing.',
  ),

  // The way home
  DR_MACHINE_FILE_LOCKED: entry(
    'retry',
    409,
    6,
    'Disk {disk} of "{machine}" is locked: {reason}',
    'Wait until its writer has ended; the step is tried again. A lock of a dead writer falls by itself.',
  ),
  DR_VCENTER_TAGS_UNREADABLE: entry(
    'retry',
    502,
    6,
    'Tags of vCenter "{vcenter}" could not be read: {reason}',
    'Machines are known all the same, with the tags of an earlier discovery if there was one. See that the account of docs/vcenter-role.md may log in to the vSphere REST API, then run `switchback machine list --refresh`.',
  ),
  DR_VCENTER_PLACE_UNKNOWN: entry(
    'fail',
    404,
    3,
    'vCenter has no {kind} "{name}"',
    'Name one that exists; names are those vCenter shows.',
  ),
  DR_MACHINE_NOT_OURS: entry(
    'fail',
    409,
    4,
    'Machine "{machine}" was not made by Switchback for {key}',
    'Remove it in vCenter if it is not needed; Switchback never deletes a machine that it did not make.',
  ),
  DR_MACHINE_QUESTION: entry(
    'retry',
    409,
    6,
    'vCenter waits for an answer before "{machine}" goes on: {question}',
    'Answer the question in vCenter; the step goes on by itself.',
  ),
  DR_DATASTORE_FULL: entry(
    'fail',
    507,
    8,
    'Datastore "{datastore}" has {freeGiB} GiB free, {neededGiB} GiB are needed',
    'Free space there, or choose another datastore.',
  ),
  DR_SOURCE_RUNS: entry(
    'fail',
    409,
    4,
    'The machine "{machine}" on premises is {state}',
    'Power it off: it must stay off while the machine runs in Azure.',
  ),
  DR_MASTER_TARGET_MISSING: entry(
    'fail',
    503,
    6,
    'No master target of site "{site}" answers',
    'Start one on the site: `switchback master-target start`; the appliance starts one by itself.',
  ),
  DR_MASTER_TARGET_FULL: entry(
    'fail',
    507,
    8,
    'The master target of site "{site}" writes {used} of at most {slots} disks, {needed} more are needed',
    'Wait for other machines to come home, or start another master target.',
  ),
  DR_FAILBACK_PROCESS_SERVER_MISSING: entry(
    'fail',
    503,
    6,
    'No process server answers in Azure region {location}',
    'Start one there for the way home: `switchback process-server start --temporary`.',
  ),
  DR_FAILBACK_LINK_MISSING: entry(
    'fail',
    503,
    6,
    'The site "{site}" does not reach the storage account from the private side: {reason}',
    'Failback needs ExpressRoute or a VPN to the site; check its routes and the private endpoint of the account.',
  ),
  DR_FAILBACK_PHYSICAL: entry(
    'fail',
    422,
    4,
    '"{machine}" was a physical server: it cannot be written back to where it was',
    'Bring it home as a VMware machine: give a datastore and a network with --datastore and --network.',
  ),
  DR_FAILBACK_DISKS_CHANGED: entry(
    'fail',
    409,
    7,
    'The disks of "{machine}" on premises are not what was failed over: {reason}',
    'Bring it home to new disks: give a datastore and a network with --datastore and --network.',
  ),
  DR_AZURE_MACHINE_GONE: entry(
    'pause',
    409,
    7,
    'The Azure machine of "{machine}" is not what was failed over: {reason}',
    'Its disks cannot be followed any more. End protection, or protect the Azure machine by other means.',
  ),
  DR_AZURE_SNAPSHOT_UNRELATED: entry(
    'pause',
    409,
    7,
    'Snapshots {snapshot} and {previous} are not of one family',
    'The disk was made anew: its changes are not known. Resynchronise the item.',
  ),
  DR_AZURE_AVAILABILITY_SET_UNKNOWN: entry(
    'fail',
    404,
    3,
    'Availability set {availabilitySet} does not exist',
    'Create it, or choose another one.',
  ),
  DR_AZURE_GROUP_UNKNOWN: entry(
    'fail',
    404,
    3,
    'Resource group {resourceGroup} does not exist',
    'Create it, or leave the setting out: the run then makes a group of its own.',
  ),
  DR_VERIFY_MISMATCH: entry(
    'pause',
    409,
    7,
    'Disk "{disk}" of "{machine}" differs between Azure and the site: {reason}',
    'Nothing was started on it. Resynchronise the item, then fail back again.',
  ),
  DR_VERIFY_IMPOSSIBLE: entry(
    'fail',
    409,
    4,
    'Recovery point {point} of "{item}" cannot be compared with its source any more: {reason}',
    'Verify a newer point: what has changed since is left out, so the newest is compared most completely. After change tracking was started anew, resynchronise first.',
  ),
  DR_FENCE_HELD: entry(
    'fail',
    409,
    4,
    '"{machine}" may not be started {where}: the right to run is with {owner} (fence {number}, held {held})',
    'Nothing to do: a newer operation decides where the machine runs.',
  ),
  DR_AZURE_NOT_STOPPED: entry(
    'retry',
    409,
    6,
    'The Azure machine of "{machine}" is {state}: it is not proven stopped',
    'Stop it in Azure; the step is tried again.',
  ),
  DR_AZURE_WROTE_LATE: entry(
    'pause',
    409,
    7,
    'The Azure machine of "{machine}" wrote after its last changes were taken: they are not at home',
    'Roll the failback back and start it again; find out who starts the machine in Azure.',
  ),
  DR_REPLICATION_DIVERGED: entry(
    'pause',
    409,
    7,
    'The disks of "{machine}" were written to by somebody else: {reason}',
    'Resynchronise the item: `switchback item resync {machine}`.',
  ),

  // Decisions about running jobs
  DR_JOB_OVER: entry(
    'fail',
    409,
    4,
    'Job "{job}" is over: it {state}',
    'Start the operation again if need be.',
  ),
  DR_RUN_DISPLACED: entry(
    'fail',
    409,
    4,
    'Job "{job}" gave way to something more urgent',
    'What it left is found again: clean up a test failover, or start the operation again.',
  ),
  DR_DECISION_REFUSED: entry(
    'fail',
    409,
    4,
    '{decision} is not possible for job "{job}" now: {reason}',
    'The decisions that are possible, and what each means: `switchback job show {job}`.',
  ),
  DR_SETTINGS_CONFLICT: entry(
    'fail',
    400,
    2,
    'The settings contradict each other: {reason}',
    'Correct the one that is meant; nothing was changed.',
  ),
  DR_DISK_UNKNOWN: entry(
    'fail',
    404,
    3,
    '"{machine}" has no disk {disk}',
    'Disks and their device keys are shown by `switchback machine list --output json`.',
  ),

  // Evidence
  DR_EVIDENCE_UNKNOWN: entry(
    'fail',
    404,
    3,
    'Job "{job}" has no evidence',
    'Runs of recovery plans have some once they have ended: `switchback job show {job}`.',
  ),
  DR_EVIDENCE_ALTERED: entry(
    'fail',
    409,
    7,
    '{file} is not what was signed: {place}: {reason}',
    'Believe nothing of it. Fetch the bundle again with `switchback evidence get`, or from the storage account (evidence/<plan>/<run>.html), and find out who had it.',
  ),
  DR_EVIDENCE_KEY: entry(
    'fail',
    409,
    5,
    '{file} is whole, but key {keyId} signed it, and that is none of the trusted keys',
    'An older bundle needs the key of its time: give each with --key. If nobody vouches for that key, do not believe the bundle.',
  ),
  DR_EVIDENCE_REFUSED: entry(
    'fail',
    409,
    7,
    'The evidence of run {run} cannot be written: {reason}',
    'The run itself is not affected, its job says how it ended. Report this with the log of the configuration server.',
  ),

  // Orchestration
  DR_TEMPORAL_UNREACHABLE: entry(
    'retry',
    503,
    6,
    'Temporal at {address} does not answer: {reason}',
    'Start the Temporal server; running operations go on where they were.',
  ),
  DR_CATALOGUE_UNREACHABLE: entry(
    'retry',
    503,
    6,
    'The catalogue database cannot be used: {reason}',
    'Check that PostgreSQL runs and the account of catalogue.url may connect; running operations go on without it.',
  ),
  DR_SERVER_UNREACHABLE: entry(
    'retry',
    503,
    6,
    'The configuration server at {url} does not answer: {reason}',
    'Start it with `switchback appliance`, or pass its address with --server.',
  ),
  DR_SERVER_CERTIFICATE: entry(
    'fail',
    495,
    5,
    'The configuration server at {url} shows a certificate of another authority',
    'Pass the right authority file with --ca-file. If it was not replaced on purpose, do not continue.',
  ),
  DR_TOOL_MISSING: entry(
    'fail',
    500,
    6,
    'The tool {tool} was not found: {reason}',
    'Run the command in the message, or put the tool on PATH.',
  ),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorCatalogue;
export type ErrorContext = Readonly<Record<string, string | number>>;

/** Looks up a code that came over a wire. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCatalogue, code);
}

export function errorMessage(code: ErrorCode, context: ErrorContext): string {
  return fill(errorCatalogue[code].message, context);
}

export function errorRemedy(code: ErrorCode, context: ErrorContext): string {
  return fill(errorCatalogue[code].remedy, context);
}

/** The one error class of the product. The cause stays a cause and is never pasted into the message. */
export class DrError extends Error {
  readonly code: ErrorCode;
  readonly context: ErrorContext;

  constructor(code: ErrorCode, context: ErrorContext, options?: ErrorOptions) {
    super(errorMessage(code, context), options);
    this.name = 'DrError';
    this.code = code;
    this.context = context;
  }

  get outcome(): ErrorOutcome {
    return errorCatalogue[this.code].outcome;
  }

  get remedy(): string {
    return errorRemedy(this.code, this.context);
  }
}

function fill(template: string, context: ErrorContext): string {
  return template.replaceAll(/\{(\w+)\}/g, (whole, key: string) => String(context[key] ?? whole));
}
