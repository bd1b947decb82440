"""One training step (forward, backward, clip, AdamW) of PyTorch programs, for bench/grid.mjs. Prints one line of JSON.

    python3 bench/peers/train_step.py MODEL SIZE LENGTH [--threads N] [--seconds S]

MODEL: mamba.py    alxndrTL's mamba.py, parallel scan (pip install mambapy)
       gpt         a GPT of the same width and depth: pre-norm, GELU, four times as wide inside, fused attention (SDPA)
       gpt-params  the same with as many layers as give the number of parameters of the Mamba-1 model
SIZE:  S, M, L     d_model 128, 256, 768; 4, 8, 24 layers; vocabulary 272, float32, batch 1

For mamba.py set MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 to keep freed memory: "tuned" in the grid.
Exits with 3 where PyTorch or mambapy is not installed.
"""

import argparse
import json
import os
import resource
import sys
import time

try:
    import torch
    from torch import nn
    from torch.nn import functional as F
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)

SIZES = {"S": (128, 4), "M": (256, 8), "L": (768, 24)}
VOCABULARY = 272


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (
            t.view(batch, length, self.heads, -1).transpose(1, 2) for t in self.qkv(self.norm1(x)).split(width, 2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self, width, layers, length):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, width)
        self.positions = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, width // 64) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.norm(x) @ self.tokens.weight.T


class MambaPy(nn.Module):
    """Embedding, mamba.py's layers, norm, and the embedding again as the head."""

    def __init__(self, width, layers, norm):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, width)
        self.layers, self.norm = layers, norm

    def forward(self, ids):
        return self.norm(self.layers(self.tokens(ids))) @ self.tokens.weight.T


def mamba_parameters(width, layers):
    """Those of our Mamba-1 model: expand 2, d_state 16, d_conv 4, dt_rank width / 16."""
    inner, rank = 2 * width, (width + 15) // 16
    layer = 2 * inner * width + 5 * inner + (rank + 32) * inner + inner * rank + inner + 16 * inner + inner
    return VOCABULARY * width + layers * (layer + inner * width + width) + width


def make(name, size, length):
    width, layers = SIZES[size]
    if name == "mamba.py":
        try:
            from mambapy.mamba import Mamba, MambaConfig, RMSNorm
        except ImportError as error:
            print(error, file=sys.stderr)
            sys.exit(3)
        return MambaPy(width, Mamba(MambaConfig(d_model=width, n_layers=layers, d_state=16)), RMSNorm(width))
    if name == "gpt-params":
        wanted = mamba_parameters(width, layers) - VOCABULARY * width
        layers = max(1, round(wanted / sum(p.numel() for p in Block(width, width // 64).parameters())))
    return Gpt(width, layers, length)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=["mamba.py", "gpt", "gpt-params"])
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("length", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    best = min(timed(lambda: a @ b)[0] for _ in range(20))

    model = make(args.model, args.size, args.length)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    ids = torch.randint(0, 256, (1, args.length + 1))

    def step():
        logits = model(ids[:, :-1])
        loss = F.cross_entropy(logits.reshape(-1, VOCABULARY), ids[:, 1:].reshape(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()
    runs, end = [], time.perf_counter() + args.seconds
    while not runs or time.perf_counter() < end:
        runs.append(timed(step))
    wall = sorted(r[0] for r in runs)
    cpu = sorted(r[1] for r in runs)
    middle = len(runs) // 2
    print(
        json.dumps(
            {
                "what": args.model,
                "torch": torch.__version__,
                "threads": args.threads,
                "size": args.size,
                "L": args.length,
                "tuned": os.environ.get("MALLOC_MMAP_MAX_") == "0",
                "parameters": sum(p.numel() for p in model.parameters()),
                "steps": len(runs),
                "medianMs": round(1000 * wall[middle], 2),
                "medianCpuMs": round(1000 * cpu[middle], 2),
                "tokensPerSecond": round(args.length / wall[middle], 1),
                "bestTokensPerSecond": round(args.length / wall[0], 1),
                "tokensPerCpuSecond": round(args.length / cpu[middle], 1),
                "sgemmGflops": round(2 * 1024**3 / best / 1e9, 1),
                "peakMB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
                "load": round(os.getloadavg()[0], 1),
            }
        )
    )


def timed(run):
    started, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - started, time.process_time() - cpu


main()
