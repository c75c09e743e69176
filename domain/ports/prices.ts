/** What Azure's machines cost by its public price list. */
export interface MachineKind {
  /** As Azure spells it: price lists tell cases apart. */
  readonly vmSize: string;
  /** With the licence in the price. */
  readonly isWindows: boolean;
}

export interface MachinePrice extends MachineKind {
  readonly perHour: number;
}

export interface PriceList {
  /**
   * Pay as you go, without discounts or tax. Null: the list has no such machine.
   * @throws DR_AZURE_PRICES_UNREADABLE
   */
  perHour(
    machine: MachineKind & { readonly location: string; readonly currency: string },
    signal: AbortSignal,
  ): Promise<number | null>;
}
