/**
 * Where the checks put what they find. `packet` is the number in the capture of the packet at fault where that is not
 * the one being checked. The message is only built for those that are kept.
 */
export type Hit = (rule: string, message: () => string, packet?: number) => void;
