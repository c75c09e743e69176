import type { DiskExport, DiskSource } from '../../domain/ports.ts';

export declare function openNbdSource(disk: DiskExport, signal: AbortSignal): Promise<DiskSource>;
