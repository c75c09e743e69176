import type { ShipRequest, ShipResult } from './ship-request.ts';

export declare function shipBarrier(request: ShipRequest): Promise<ShipResult>;
