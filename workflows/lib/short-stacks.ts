/**
 * The SDK takes a stack of every promise of every run and looks each of its lines up in the source map, which was a
 * quarter of the time of the thread that runs workflows. Kept are where an error was made and its caller, and one line
 * of where a run stands (`temporal workflow stack`); for more, replay the run's history without this line.
 */
Error.stackTraceLimit = 2;
