/** Half-open byte range. */
export interface Range {
  readonly start: number;
  readonly end: number;
}
