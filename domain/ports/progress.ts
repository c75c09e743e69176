/** Called on every sign of life, so that an activity can heartbeat. */
export type OnProgress = (percent?: number) => void;
