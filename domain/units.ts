/** Sizes and alignments that several rooms share. */
export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

export const SECTOR_BYTES = 512;
/** A fixed VHD carries its footer in the last 512 bytes; the bytes before it are a whole number of MiB (learn.microsoft.com, "Prepare a VHD"). */
export const VHD_FOOTER_BYTES = 512;
/** Largest page blob that Azure imports as a managed disk (Azure disks FAQ). */
export const AZURE_DISK_GIB_MAX = 8_191;

/** Rounds `value` up to the next multiple of `step`. */
export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

/** Bytes of the Azure disk that holds a source disk of `capacityBytes`: a whole number of MiB. */
export function azureDiskBytes(capacityBytes: number): number {
  return roundUp(capacityBytes, MiB);
}
