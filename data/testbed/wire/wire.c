/*
 * A wire with length: forwards Ethernet frames between two interfaces after a delay, and loses,
 * jitters and reorders some of them. It stands in for netem, which not every kernel has.
 *
 *   wire LEFT RIGHT SEED DELAY_US JITTER_US LOSS BURST REORDER [ADDRESS=EXTRA_US ...]
 *
 * DELAY_US   added to every frame, in each direction
 * JITTER_US  scale of a random walk on top of it (mean-reverting, never negative); frames keep
 *            their order, as in a queue that fills and empties
 * LOSS       share of frames that is lost; in bursts of BURST frames on average (Gilbert-Elliott)
 * REORDER    share of frames that is overtaken by the 1 to 4 ms behind it
 * ADDRESS=   more delay for the frames from or to one IPv4 address (a server farther away)
 *
 * Prints "ready", and at SIGTERM one line of JSON with what it did in each direction (left to right
 * first). "overflowed" counts frames it could not queue or send: a run with any is of no use.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <math.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

#define FRAME_MAX 2048
#define QUEUE_MAX 16384
#define EXTRA_MAX 32

struct frame {
  int64_t due; /* ns */
  uint64_t order;
  int out, length;
  unsigned char bytes[FRAME_MAX];
};

/* One direction's state. */
struct way {
  int in, out;
  double jitter; /* us, now */
  int64_t last_seen, last_due[EXTRA_MAX + 1]; /* frames of one server keep their order */
  int losing;
  uint64_t forwarded, lost, reordered, overflowed;
};

static struct frame *heap[QUEUE_MAX], *spare[QUEUE_MAX + 2];
static int heap_size, spare_size;
static uint64_t next_order;
static uint32_t extra_address[EXTRA_MAX];
static int64_t extra_ns[EXTRA_MAX + 1]; /* the last one stays 0: no more delay */
static int extras;
static volatile sig_atomic_t stopping;

static void on_signal(int n) {
  (void)n;
  stopping = 1;
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* xorshift64*: uniform in [0, 1). */
static uint64_t rng_state;
static double uniform(void) {
  rng_state ^= rng_state >> 12;
  rng_state ^= rng_state << 25;
  rng_state ^= rng_state >> 27;
  return (double)((rng_state * 2685821657736338717ull) >> 11) / 9007199254740992.0;
}
static double normal(void) { return sqrt(-2 * log(1 - uniform())) * cos(6.283185307179586 * uniform()); }

static int earlier(const struct frame *a, const struct frame *b) {
  return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void push(struct frame *f) {
  int at = heap_size++;
  while (at > 0 && earlier(f, heap[(at - 1) / 2])) {
    heap[at] = heap[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  heap[at] = f;
}

static struct frame *pop(void) {
  struct frame *first = heap[0], *moved = heap[--heap_size];
  int at = 0;
  for (int child; (child = 2 * at + 1) < heap_size; at = child) {
    if (child + 1 < heap_size && earlier(heap[child + 1], heap[child])) child++;
    if (!earlier(heap[child], moved)) break;
    heap[at] = heap[child];
  }
  heap[at] = moved;
  return first;
}

static int tap(const char *name) {
  int s = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), on = 1, size = 8 << 20;
  struct sockaddr_ll where = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
  where.sll_ifindex = (int)if_nametoindex(name);
  if (s < 0 || where.sll_ifindex == 0 ||
      setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0 ||
      bind(s, (struct sockaddr *)&where, sizeof where) < 0) {
    fprintf(stderr, "wire: %s: %s\n", name, strerror(errno));
    exit(1);
  }
  setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  return s;
}

/* Which of the servers with more delay a frame is from or to; `extras` for none. */
static int extra_for(const unsigned char *b, int length) {
  if (length >= 34 && b[12] == 8 && b[13] == 0)
    for (int i = 0; i < extras; i++)
      if (!memcmp(b + 26, &extra_address[i], 4) || !memcmp(b + 30, &extra_address[i], 4)) return i;
  return extras;
}

int main(int argc, char **argv) {
  if (argc < 9) {
    fprintf(stderr, "usage: wire LEFT RIGHT SEED DELAY_US JITTER_US LOSS BURST REORDER [ADDRESS=EXTRA_US ...]\n");
    return 2;
  }
  rng_state = strtoull(argv[3], NULL, 10) * 0x9e3779b97f4a7c15ull + 0x1234567;
  for (int i = 0; i < 8; i++) uniform();
  int64_t delay = (int64_t)(atof(argv[4]) * 1000);
  double jitter = atof(argv[5]), loss = atof(argv[6]), burst = atof(argv[7]), reorder = atof(argv[8]);
  /* Two states: a frame is lost in the bad one. Mean stay there BURST, share of time there LOSS. */
  double leave = 1 / (burst < 1 ? 1 : burst), enter = loss > 0 ? loss / (1 - loss) * leave : 0;
  for (int i = 9; i < argc && extras < EXTRA_MAX; i++) {
    char *equals = strchr(argv[i], '=');
    if (!equals) continue;
    *equals = 0;
    if (inet_pton(AF_INET, argv[i], &extra_address[extras]) == 1)
      extra_ns[extras++] = (int64_t)(atof(equals + 1) * 1000);
  }
  int left = tap(argv[1]), right = tap(argv[2]);
  struct way ways[2] = {{.in = left, .out = right}, {.in = right, .out = left}};
  struct sigaction act = {.sa_handler = on_signal};
  sigaction(SIGTERM, &act, NULL);
  sigaction(SIGINT, &act, NULL);
  puts("ready");
  fflush(stdout);

  while (!stopping) {
    struct pollfd ready[2] = {{.fd = left, .events = POLLIN}, {.fd = right, .events = POLLIN}};
    struct timespec wait = {0, 0}, *limit = NULL;
    if (heap_size > 0) {
      int64_t left_ns = heap[0]->due - now_ns();
      if (left_ns < 0) left_ns = 0;
      wait.tv_sec = left_ns / 1000000000;
      wait.tv_nsec = left_ns % 1000000000;
      limit = &wait;
    }
    if (ppoll(ready, 2, limit, NULL) < 0 && errno != EINTR) return 1;
    for (int w = 0; w < 2; w++) {
      if (!(ready[w].revents & POLLIN)) continue;
      struct way *way = &ways[w];
      for (int batch = 0; batch < 64; batch++) {
        struct frame *f = spare_size > 0 ? spare[--spare_size] : malloc(sizeof *f);
        ssize_t n = recv(way->in, f->bytes, FRAME_MAX, MSG_DONTWAIT | MSG_TRUNC);
        if (n <= 0 || n > FRAME_MAX) {
          spare[spare_size++] = f;
          if (n <= 0) break;
          way->overflowed++;
          continue;
        }
        int64_t now = now_ns();
        if (loss > 0) way->losing = way->losing ? uniform() >= leave : uniform() < enter;
        if (way->losing || heap_size >= QUEUE_MAX - 1) {
          if (way->losing) way->lost++;
          else way->overflowed++;
          spare[spare_size++] = f;
          continue;
        }
        if (jitter > 0) {
          /* Mean-reverting walk with a memory of 50 ms. */
          double keep = exp(-(double)(now - way->last_seen) / 5e7);
          way->jitter = way->jitter * keep + jitter * sqrt(1 - keep * keep) * normal();
          way->last_seen = now;
        }
        f->length = (int)n;
        f->out = way->out;
        f->order = next_order++;
        int server = extra_for(f->bytes, f->length);
        f->due = now + delay + extra_ns[server] + (int64_t)(fabs(way->jitter) * 1000);
        if (reorder > 0 && uniform() < reorder) {
          f->due += (int64_t)((1 + 3 * uniform()) * 1e6);
          way->reordered++;
        } else {
          if (f->due < way->last_due[server]) f->due = way->last_due[server];
          way->last_due[server] = f->due;
        }
        way->forwarded++;
        push(f);
      }
    }
    int64_t now = now_ns();
    while (heap_size > 0 && heap[0]->due <= now) {
      struct frame *f = pop();
      if (send(f->out, f->bytes, (size_t)f->length, MSG_DONTWAIT) < 0) ways[f->out == right ? 0 : 1].overflowed++;
      spare[spare_size++] = f;
    }
  }
  printf("[");
  for (int w = 0; w < 2; w++)
    printf("%s{\"forwarded\":%llu,\"lost\":%llu,\"reordered\":%llu,\"overflowed\":%llu}", w ? "," : "",
           (unsigned long long)ways[w].forwarded, (unsigned long long)ways[w].lost,
           (unsigned long long)ways[w].reordered, (unsigned long long)ways[w].overflowed);
  printf("]\n");
  return 0;
}
