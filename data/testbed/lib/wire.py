"""A wire with length: forwards Ethernet frames between two interfaces after a fixed delay.

    wire.py LEFT RIGHT DELAY_MS LOSS SEED

Stands in for netem, which not every kernel has. Frames keep their order; each direction has the
same delay; LOSS is the probability that a frame is dropped (seeded).
"""
import collections
import random
import select
import socket
import sys
import time

ETH_P_ALL = 0x0003
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23


def tap(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    s.bind((name, ETH_P_ALL))
    return s


def main():
    left, right = tap(sys.argv[1]), tap(sys.argv[2])
    delay, loss = float(sys.argv[3]) / 1000, float(sys.argv[4])
    rng = random.Random(sys.argv[5])
    other = {left: right, right: left}
    queue = collections.deque()  # (due, socket to send on, frame); one delay, so already in order
    print("ready", flush=True)
    while True:
        wait = max(0.0, queue[0][0] - time.monotonic()) if queue else None
        for s in select.select([left, right], [], [], wait)[0]:
            frame = s.recv(65535)
            if loss == 0 or rng.random() >= loss:
                queue.append((time.monotonic() + delay, other[s], frame))
        now = time.monotonic()
        while queue and queue[0][0] <= now:
            _, out, frame = queue.popleft()
            out.send(frame)


main()
