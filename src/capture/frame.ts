/** One record of a capture file: the bytes and when they were seen. Nothing about their meaning. */
export interface Frame {
  /** The captured bytes; a view into the reader's buffer is allowed, so copy before changing. capLen = data.length. */
  readonly data: Uint8Array;
  /** Length on the wire in bytes; larger than data.length when the capture was cut by a snaplen. */
  readonly wireLen: number;
  /** Microseconds since 1970-01-01 UTC, a whole number. */
  readonly tsMicros: number;
  /** 0–999: the nanoseconds below `tsMicros`, for captures that have them. */
  readonly tsNanos: number;
  /** LINKTYPE_ number (1 = Ethernet), from the file header or the pcapng interface. */
  readonly linkType: number;
  /** pcapng interface index; 0 in pcap files. */
  readonly interfaceId: number;
  /** What somebody noted on this packet (pcapng); several comments are joined by line breaks. */
  readonly comment?: string;
}

/** The LINKTYPE_ numbers of https://www.tcpdump.org/linktypes.html that the project names. */
export const LinkType = {
  NULL: 0,
  ETHERNET: 1,
  PPP: 9,
  RAW_101: 101,
  IEEE802_11: 105,
  LOOP: 108,
  LINUX_SLL: 113,
  IEEE802_11_RADIOTAP: 127,
  IPV4: 228,
  IPV6: 229,
  LINUX_SLL2: 276,
} as const;
