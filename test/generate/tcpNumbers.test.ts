import { describe, expect, it } from 'vitest';
import { checkTcpNumbers, emptyTcpNumbers } from '../../src/generate';
import { frame, tcp, UDP6 } from '../tokens/frames';

const [SYN, ACK, FIN, RST] = [2, 16, 1, 4];

/** Client 40000 and server 80 at 10.0.0.1 and .2; `length` payload bytes that were not captured. */
function segment(fromClient: boolean, seq: number, ack: number, flags: number, length = 0, port = 40000) {
  const data = tcp(fromClient ? port : 80, fromClient ? 80 : port, seq >>> 0, flags);
  const view = new DataView(data.buffer);
  if (!fromClient) view.setUint32(26, 0x0a000002);
  if (!fromClient) view.setUint32(30, 0x0a000001);
  view.setUint32(42, ack >>> 0);
  view.setUint16(16, 60 + length);
  return frame(data, 0, 74 + length);
}
const c = (seq: number, ack: number, flags: number, length = 0) => segment(true, seq, ack, flags, length);
const s = (seq: number, ack: number, flags: number, length = 0) => segment(false, seq, ack, flags, length);

const handshake = [c(100, 0, SYN), s(900, 101, SYN | ACK), c(101, 901, ACK)];

describe('checkTcpNumbers', () => {
  it('a whole connection is right: handshake, data, both ends closed', () => {
    const frames = [
      ...handshake,
      c(101, 901, ACK, 50),
      s(901, 151, ACK),
      s(901, 151, ACK, 1000),
      s(1901, 151, ACK, 1000),
      c(151, 2901, ACK),
      c(151, 2901, FIN | ACK),
      s(2901, 152, FIN | ACK),
      c(152, 2902, ACK),
      frame(UDP6),
    ];
    expect(checkTcpNumbers(frames)).toEqual({
      segments: 11,
      seq: { judged: 9, exact: 9, retransmitted: 0, keepAlive: 0, wrong: 0 },
      ack: { judged: 10, right: 10 },
      handshakes: { syn: 1, answered: 1, completed: 1, wrong: 0 },
    });
  });

  it('numbers wrap', () => {
    const frames = [c(2 ** 32 - 1, 0, SYN), s(7, 0, SYN | ACK), c(0, 8, ACK, 20), s(8, 20, ACK)];
    expect(checkTcpNumbers(frames)).toMatchObject({
      seq: { judged: 2, exact: 2 },
      ack: { judged: 3, right: 3 },
      handshakes: { completed: 1, wrong: 0 },
    });
  });

  it('tells retransmissions and keep-alives from wrong numbers', () => {
    const frames = [
      ...handshake,
      c(101, 901, ACK, 50),
      c(151, 901, ACK, 50),
      c(101, 901, ACK, 50), // again
      c(200, 901, ACK), // keep-alive of 201 - 1
      c(120, 901, ACK, 10), // inside a segment
      c(300, 901, ACK, 10), // a gap
      c(310, 901, ACK),
    ];
    expect(checkTcpNumbers(frames).seq).toEqual({
      judged: 8,
      exact: 4,
      retransmitted: 1,
      keepAlive: 1,
      wrong: 2,
    });
  });

  it('an acknowledgement must be a boundary, and not go back', () => {
    const frames = [
      ...handshake,
      s(901, 101, ACK, 100),
      s(1001, 101, ACK, 100),
      c(101, 1001, ACK), // right
      c(101, 1050, ACK), // inside
      c(101, 1101, ACK), // right
      c(101, 1001, ACK), // back
      c(101, 5000, ACK), // not sent yet
    ];
    expect(checkTcpNumbers(frames).ack).toEqual({ judged: 9, right: 6 });
  });

  it('counts handshakes: unanswered, refused, wrongly answered, wrongly completed', () => {
    const syn = (port: number) => segment(true, 100, 0, SYN, 0, port);
    const answer = (port: number, ack = 101) => segment(false, 500, ack, SYN | ACK, 0, port);
    const frames = [
      ...[1, 2, 3, 4].map(syn),
      syn(1), // repeated
      segment(false, 0, 101, RST | ACK, 0, 2),
      answer(3, 103),
      answer(4),
      segment(true, 101, 777, ACK, 0, 4),
    ];
    expect(checkTcpNumbers(frames).handshakes).toEqual({ syn: 4, answered: 1, completed: 0, wrong: 2 });
  });

  it('ports that are used again begin anew', () => {
    const again = [c(7000, 0, SYN), s(3, 7001, SYN | ACK), c(7001, 4, ACK)];
    expect(checkTcpNumbers([...handshake, ...again])).toMatchObject({
      seq: { judged: 2, exact: 2 },
      handshakes: { syn: 2, answered: 2, completed: 2 },
    });
  });

  it('does not judge what cannot be known: first segments, and acknowledgements from before the capture', () => {
    const frames = [c(500, 9000, ACK, 10), s(9100, 400, ACK, 10), s(9110, 510, ACK)];
    expect(checkTcpNumbers(frames)).toMatchObject({
      segments: 3,
      seq: { judged: 1, exact: 1 },
      ack: { judged: 1, right: 1 },
    });
  });

  it('reads a prompt without judging it, and adds up', () => {
    const counts = emptyTcpNumbers();
    checkTcpNumbers(handshake, { from: 1, into: counts });
    expect(counts).toMatchObject({
      segments: 2,
      seq: { judged: 1, exact: 1 },
      ack: { judged: 2, right: 2 },
      handshakes: { syn: 0, answered: 0, completed: 0, wrong: 0 },
    });
    checkTcpNumbers(handshake, { into: counts });
    expect(counts).toMatchObject({ segments: 5, handshakes: { syn: 1, completed: 1 } });
  });
});
