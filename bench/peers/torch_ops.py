"""PyTorch's figures for the operations of bench/run.mjs: python3 bench/peers/torch_ops.py [threads]."""

import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)


def best(run, budget=0.3):
    run()
    fastest, end = float("inf"), time.perf_counter() + budget
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest


n = 1024
x, y = torch.randn(n, n), torch.randn(n, n)
row, column = torch.randn(1, n), torch.randn(n, 1)
ids = torch.arange(n) * 37 % n
cases = {
    "add [1024,1024]": (lambda: x + y, 12),
    "mul by a row": (lambda: x * row, 8),
    "mul by a column": (lambda: x * column, 8),
    "exp": (lambda: x.exp(), 8),
    "sigmoid": (lambda: x.sigmoid(), 8),
    "sum of all": (lambda: x.sum(), 4),
    "sum of rows": (lambda: x.sum(1), 4),
    "sum of columns": (lambda: x.sum(0), 4),
    "softmax": (lambda: x.softmax(1), 8),
    "transpose": (lambda: x.t().contiguous(), 8),
    "concat": (lambda: torch.cat([x, y], 1), 16),
    "gather 1,024 rows": (lambda: x[ids], 8),
}
with torch.no_grad():
    for name, (run, width) in cases.items():
        seconds = best(run)
        print(f"{name:28} {seconds * 1e6:9.0f} us {n * n * width / seconds / 1e9:8.1f} GB/s")

image = torch.randn(8, 32, 32, 32, requires_grad=True)
filters = torch.randn(32, 32, 3, 3, requires_grad=True)
flops = 2 * 8 * 32 * 32 * 9 * 32 * 32


def forward():
    return torch.nn.functional.conv2d(image, filters, padding=1)


print(f"{'conv2d 3x3, forward':28} {flops / best(forward) / 1e9:8.1f} GFLOP/s")
print(f"{'conv2d 3x3, with gradients':28} {3 * flops / best(lambda: forward().sum().backward()) / 1e9:8.1f} GFLOP/s")
