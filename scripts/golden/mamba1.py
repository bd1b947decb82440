"""Golden values of a tiny Mamba-1 language model: an independent second opinion for the TypeScript model.

Written from the equations of arXiv 2312.00752 (the recurrence, one token after the other, no parallel scan) in float64,
with PyTorch's autograd for the gradients and torch.optim.AdamW for ten training steps. Weights are drawn in float32 and
widened, so that both programs start from the same numbers.

    python3 scripts/golden/mamba1.py            # writes test/golden/mamba1-tiny/

Needs torch and nothing else. Deterministic for one version of torch; the versions used are in io.json.
"""

import json
import math
import platform
import struct
from pathlib import Path

import torch
import torch.nn.functional as F

OUT = Path(__file__).resolve().parents[2] / "test" / "golden" / "mamba1-tiny"

CONFIG = {
    "d_model": 32,
    "n_layer": 2,
    "vocab_size": 265,
    "ssm_cfg": {
        "layer": "Mamba1",
        "d_state": 16,
        "d_conv": 4,
        "expand": 2,
        "dt_rank": "auto",
    },
    "rms_norm": True,
    "residual_in_fp32": True,
    "fused_add_norm": True,
    "pad_vocab_size_multiple": 16,
    "tie_embeddings": True,
}
D, SSM = CONFIG["d_model"], CONFIG["ssm_cfg"]
N, K = SSM["d_state"], SSM["d_conv"]
E = SSM["expand"] * D
R = math.ceil(D / 16)  # dt_rank "auto"
VOCAB = math.ceil(CONFIG["vocab_size"] / 16) * 16
BATCH, LENGTH = 2, 37  # no multiple of anything
TRAIN = {"steps": 10, "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.1, "clip": 1.0}


def draw_weights(seed):
    """Reference distributions, then a nudge to every value: ones and zeros would hide a missing factor."""
    g = torch.Generator().manual_seed(seed)

    def uniform(*shape, bound):
        return (torch.rand(*shape, generator=g) * 2 - 1) * bound

    w = {"backbone.embedding.weight": torch.randn(VOCAB, D, generator=g) * 0.02}
    for i in range(CONFIG["n_layer"]):
        layer = f"backbone.layers.{i}."
        dt = torch.exp(math.log(1e-3) + torch.rand(E, generator=g) * math.log(100)).clamp(min=1e-4)
        w[layer + "norm.weight"] = torch.ones(D)
        w[layer + "mixer.in_proj.weight"] = uniform(2 * E, D, bound=1 / math.sqrt(D))
        w[layer + "mixer.conv1d.weight"] = uniform(E, 1, K, bound=1 / math.sqrt(K))
        w[layer + "mixer.conv1d.bias"] = uniform(E, bound=1 / math.sqrt(K))
        w[layer + "mixer.x_proj.weight"] = uniform(R + 2 * N, E, bound=1 / math.sqrt(E))
        w[layer + "mixer.dt_proj.weight"] = uniform(E, R, bound=1 / math.sqrt(R))
        w[layer + "mixer.dt_proj.bias"] = dt + torch.log(-torch.expm1(-dt))
        w[layer + "mixer.A_log"] = torch.log(torch.arange(1, N + 1).float()).repeat(E, 1)
        w[layer + "mixer.D"] = torch.ones(E)
        w[layer + "mixer.out_proj.weight"] = uniform(D, E, bound=1 / math.sqrt(E * CONFIG["n_layer"]))
    w["backbone.norm_f.weight"] = torch.ones(D)
    return {name: t + 0.05 * torch.randn(t.shape, generator=g) for name, t in w.items()}


def rms_norm(x, weight):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-5) * weight


def mixer(w, layer, u):
    """u [B, L, D] -> [B, L, D]; Figure 3 of the paper, the operator as its recurrence (equation 2)."""
    get = lambda name: w[f"backbone.layers.{layer}.mixer.{name}"]
    x, z = (u @ get("in_proj.weight").T).split([E, E], dim=-1)
    # conv1d computes a correlation; K-1 zeros in front make it causal.
    padded = F.pad(x.transpose(1, 2), (K - 1, 0))
    x = F.silu(F.conv1d(padded, get("conv1d.weight"), get("conv1d.bias"), groups=E).transpose(1, 2))
    low, Bm, Cm = (x @ get("x_proj.weight").T).split([R, N, N], dim=-1)
    dt = F.softplus(low @ get("dt_proj.weight").T + get("dt_proj.bias"))
    A = -torch.exp(get("A_log"))
    h = u.new_zeros(u.shape[0], E, N)
    ys = []
    for t in range(u.shape[1]):
        decay = torch.exp(dt[:, t, :, None] * A)
        h = decay * h + torch.einsum("be,bn->ben", dt[:, t] * x[:, t], Bm[:, t])
        ys.append(torch.einsum("ben,bn->be", h, Cm[:, t]) + get("D") * x[:, t])
    return (torch.stack(ys, dim=1) * F.silu(z)) @ get("out_proj.weight").T


def forward(w, tokens):
    x = w["backbone.embedding.weight"][tokens]
    for i in range(CONFIG["n_layer"]):
        x = x + mixer(w, i, rms_norm(x, w[f"backbone.layers.{i}.norm.weight"]))
    return rms_norm(x, w["backbone.norm_f.weight"]) @ w["backbone.embedding.weight"].T


def mean_loss(w, tokens, targets):
    return F.cross_entropy(forward(w, tokens).reshape(-1, VOCAB), targets.reshape(-1))


def train(start, tokens, targets):
    """Ten AdamW steps on one batch, gradients clipped to norm 1; the loss before each step."""
    w = {name: t.double().clone().requires_grad_() for name, t in start.items()}
    exempt = [t for name, t in w.items() if name.endswith((".A_log", ".D"))]
    decayed = [t for name, t in w.items() if not name.endswith((".A_log", ".D"))]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": TRAIN["weight_decay"]}, {"params": exempt, "weight_decay": 0.0}],
        lr=TRAIN["lr"],
        betas=(TRAIN["beta1"], TRAIN["beta2"]),
        eps=TRAIN["eps"],
    )
    losses, norms = [], []
    for _ in range(TRAIN["steps"]):
        optimizer.zero_grad()
        loss = mean_loss(w, tokens, targets)
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(list(w.values()), TRAIN["clip"])))
        optimizer.step()
        losses.append(loss.item())
    return losses, norms


def save_safetensors(path, tensors):
    header, data = {}, b""
    for name in sorted(tensors):
        raw = tensors[name].detach().float().contiguous().numpy().tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(tensors[name].shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    torch.use_deterministic_algorithms(True)
    OUT.mkdir(parents=True, exist_ok=True)
    weights = draw_weights(seed=1)
    rows = torch.randint(0, CONFIG["vocab_size"], (BATCH, LENGTH + 1), generator=torch.Generator().manual_seed(2))
    tokens, targets = rows[:, :-1], rows[:, 1:]

    w = {name: t.double().requires_grad_() for name, t in weights.items()}
    logits = forward(w, tokens)
    loss = F.cross_entropy(logits.reshape(-1, VOCAB), targets.reshape(-1))
    loss.backward()

    save_safetensors(OUT / "weights.safetensors", weights)
    save_safetensors(OUT / "gradients.safetensors", {name: t.grad for name, t in w.items()})
    save_safetensors(OUT / "logits.safetensors", {"logits": logits})
    versions = {"torch": torch.__version__, "python": platform.python_version()}
    (OUT / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    io = {
        "versions": versions,
        "precision": "float64, from float32 weights",
        "tokens": tokens.tolist(),
        "targets": targets.tolist(),
        "loss": loss.item(),
    }
    (OUT / "io.json").write_text(json.dumps(io) + "\n")
    losses, norms = train(weights, tokens, targets)
    train10 = {"versions": versions, **TRAIN, "no_weight_decay": ["A_log", "D"], "losses": losses, "grad_norms": norms}
    (OUT / "train10.json").write_text(json.dumps(train10, indent=2) + "\n")
    print("loss", loss.item(), "ten steps", losses)


main()
