// How fast a large capture is read to header fields and flows, beside other programs, one core each:
//
//   node scripts/big-capture.mjs --out /tmp/big.pcap --bytes 1e9
//   node bench/packets.mjs /tmp/big.pcap [--peer-packets 300000] [--json]
//
// netssm reads the whole file; the others, which are slower, its first packets. Rates are packets per second of CPU time
// (user and system), which other work on the machine changes little, and of wall time. PYTHON names the Python that has dpkt.
import { spawnSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'peer-packets': { type: 'string', default: '300000' },
    json: { type: 'boolean', default: false },
  },
});
const [file] = positionals;
if (!file) {
  console.error('usage: node bench/packets.mjs FILE.pcap [--peer-packets N] [--json]');
  process.exit(2);
}
const limit = Number(values['peer-packets']);
const flows = fileURLToPath(new URL('../dist/flows/index.js', import.meta.url));
const has = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const pinned = has('taskset') ? ['taskset', '-c', '0'] : [];

const OURS = `
  const { scanCapture } = require(${JSON.stringify(flows)});
  (async () => {
    let handshakes = 0;
    const scan = await scanCapture(process.argv[1], {
      onFlow: (slot) => { if (scan.flows.trackers[slot]?.handshake) handshakes++; },
    });
    await scan.run();
    const { opened, evicted } = scan.flows;
    console.log(JSON.stringify({ packets: scan.packets, flows: opened, handshakes, evicted,
      maxRssMB: Math.round(process.resourceUsage().maxRSS / 1024) }));
  })();`;

const DPKT = `
import sys, dpkt
limit, flows, n = int(sys.argv[2]), {}, 0
with open(sys.argv[1], 'rb') as f:
    for ts, buf in dpkt.pcap.Reader(f):
        n += 1
        try:
            ip = dpkt.ethernet.Ethernet(buf).data
            l4 = ip.data
            if isinstance(l4, (dpkt.tcp.TCP, dpkt.udp.UDP)):
                a, b = (ip.src, l4.sport), (ip.dst, l4.dport)
                key = (ip.p if hasattr(ip, 'p') else ip.nxt, a, b) if a < b else (ip.p if hasattr(ip, 'p') else ip.nxt, b, a)
                flows[key] = flows.get(key, 0) + 1
        except (dpkt.UnpackError, AttributeError):
            pass
        if n == limit: break
print('{"packets": %d, "flows": %d}' % (n, len(flows)))`;

/** Runs a command under the shell's own clock. */
function timed(command) {
  const quoted = [...pinned, ...command].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const run = spawnSync('bash', ['-c', `TIMEFORMAT='@ %R %U %S'; time ${quoted} 2>/dev/null`], {
    encoding: 'utf8',
    maxBuffer: 1 << 20,
  });
  const clock = /@ ([\d.]+) ([\d.]+) ([\d.]+)/.exec(run.stderr ?? '');
  if (run.status !== 0 || !clock) return undefined;
  const [wall, user, system] = clock.slice(1).map(Number);
  return { stdout: run.stdout, wallSeconds: wall, cpuSeconds: user + system };
}

const python = process.env.PYTHON ?? 'python3';
const CONTENDERS = [
  { name: 'netssm scan (headers, flows, TCP state)', command: [process.execPath, '-e', OURS, file] },
  {
    name: 'tcpdump -n (a line a packet, to /dev/null)',
    needs: 'tcpdump',
    command: ['sh', '-c', `tcpdump -n -r '${file}' -c ${limit} > /dev/null`],
  },
  {
    name: 'tshark (a line a packet, to /dev/null)',
    needs: 'tshark',
    command: ['sh', '-c', `tshark -n -r '${file}' -c ${limit} > /dev/null`],
  },
  {
    name: 'dpkt (headers, flows in a dict)',
    needs: python,
    command: [python, '-c', DPKT, file, String(limit)],
    missing: () =>
      spawnSync(python, ['-c', 'import dpkt']).status !== 0 && `${python} has no dpkt (pip install dpkt)`,
  },
];

const load = loadavg()[0];
const results = CONTENDERS.map(({ name, needs, command, missing }) => {
  const why = needs && !has(needs) ? `${needs} is not installed` : missing?.();
  if (why) return { name, missing: why };
  const run = timed(command);
  if (!run) return { name, missing: 'it failed' };
  const said = run.stdout.trim().startsWith('{') ? JSON.parse(run.stdout) : { packets: limit };
  const { stdout: _stdout, ...clock } = run;
  return {
    name,
    ...said,
    ...clock,
    packetsPerCpuSecond: Math.round(said.packets / clock.cpuSeconds),
    packetsPerWallSecond: Math.round(said.packets / clock.wallSeconds),
  };
});

const report = { file, cpu: cpus()[0].model, node: process.version, loadBefore: load, results };
if (values.json) console.log(JSON.stringify(report, null, 2));
else {
  console.log(`${report.cpu}, Node ${process.version}, load ${load.toFixed(1)}`);
  for (const r of results) {
    if (r.missing) console.log(`${r.name.padEnd(44)} not measured: ${r.missing}`);
    else {
      const rate = `${r.packetsPerCpuSecond.toLocaleString('en').padStart(11)} packets/s of CPU`;
      const wall = `${r.packetsPerWallSecond.toLocaleString('en').padStart(11)} of wall time`;
      const more = r.flows === undefined ? '' : `; ${r.packets} packets, ${r.flows} flows`;
      const memory = r.maxRssMB === undefined ? '' : `, ${r.maxRssMB} MB`;
      console.log(`${r.name.padEnd(44)} ${rate} ${wall}${more}${memory}`);
    }
  }
}
