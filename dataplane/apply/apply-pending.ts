import type { ApplyRequest, ApplyResult } from './apply-request.ts';

export declare function applyPending(request: ApplyRequest): Promise<ApplyResult>;
