/** What the steps of recovery plans need of the outside world, beside the network. */
import type { MachineId, VCenterId } from '../ids.ts';
import type { Secret } from './secret.ts';

/** Secrets of the installation, by the names that plans use. */
export interface StepSecrets {
  /** @throws DR_SECRET_UNKNOWN */
  secret(name: string): Promise<Secret>;
}

/** Machines that run on premises. */
export interface SiteGuests {
  /** Null: the guest reports none, or not yet. @throws DR_VCENTER_* , DR_MACHINE_UNKNOWN */
  address(source: { readonly vcenterId: VCenterId; readonly machineId: MachineId }): Promise<string | null>;
}

export interface GuestScript {
  /** Azure id of the machine. */
  readonly vmId: string;
  /** The same name finds the same execution again, so that nothing runs twice. */
  readonly name: string;
  /** Whose it is; executions of others that are over are cleared away. */
  readonly runId: string;
  /** Lines of a shell script; PowerShell on Windows. */
  readonly script: readonly string[];
  readonly timeoutSeconds: number;
}

export interface GuestScriptResult {
  /** Null: Azure told none. */
  readonly exitCode: number | null;
  /** `Succeeded`, `Failed`, `TimedOut`, `Canceled`. */
  readonly state: string;
  /** Azure keeps the last 4 KiB of each. */
  readonly output: string;
  readonly error: string;
}

/** What Azure offers inside a machine. */
export interface CloudGuests {
  /**
   * Runs a script, or finds the execution of that name: one that goes on or went well is kept, another is made anew.
   * @throws DR_AZURE_*
   */
  runScript(script: GuestScript, signal: AbortSignal): Promise<GuestScriptResult>;
  /** The end of the machine's serial console log, `bytesMax` at most; empty: nothing was written yet. @throws DR_AZURE_* */
  bootLog(vmId: string, bytesMax: number, signal: AbortSignal): Promise<string>;
}
