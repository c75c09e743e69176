/** What is asked of a region before a plan runs there. Plain JSON only. */
export interface RegionLookInput {
  readonly location: string;
  readonly vmSizes: readonly string[];
  readonly subnetIds: readonly string[];
}
