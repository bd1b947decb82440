"""Golden values of a tiny Mamba-2 language model: an independent second opinion for the TypeScript model.

Written from the equations of arXiv 2405.21060 (the recurrence, one token after the other, no chunks) in float64, with
PyTorch's autograd for the gradients and torch.optim.AdamW for ten training steps. Weights are drawn in float32 and
widened, so that both programs start from the same numbers.

    python3 scripts/golden/mamba2.py            # writes test/golden/mamba2-tiny/

Needs torch and nothing else. Deterministic for one version of torch; the versions used are in io.json.
"""

import json
import math
import platform
import struct
from pathlib import Path

import torch
import torch.nn.functional as F

OUT = Path(__file__).resolve().parents[2] / "test" / "golden" / "mamba2-tiny"

CONFIG = {
    "d_model": 32,
    "n_layer": 2,
    "vocab_size": 265,
    "ssm_cfg": {
        "layer": "Mamba2",
        "d_state": 16,
        "d_conv": 4,
        "expand": 2,
        "headdim": 16,
        "ngroups": 1,
        "chunk_size": 16,
    },
    "rms_norm": True,
    "residual_in_fp32": True,
    "fused_add_norm": True,
    "pad_vocab_size_multiple": 16,
    "tie_embeddings": True,
}
D, SSM = CONFIG["d_model"], CONFIG["ssm_cfg"]
N, K, P, G = SSM["d_state"], SSM["d_conv"], SSM["headdim"], SSM["ngroups"]
INNER = SSM["expand"] * D
H = INNER // P
CONV = INNER + 2 * G * N
VOCAB = math.ceil(CONFIG["vocab_size"] / 16) * 16
BATCH, LENGTH = 2, 37  # the length is no multiple of the chunk
TRAIN = {"steps": 10, "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.1, "clip": 1.0}


def draw_weights(seed):
    """Reference distributions, then a nudge to every value: ones and zeros would hide a missing factor."""
    g = torch.Generator().manual_seed(seed)

    def uniform(*shape, bound):
        return (torch.rand(*shape, generator=g) * 2 - 1) * bound

    w = {"backbone.embedding.weight": torch.randn(VOCAB, D, generator=g) * 0.02}
    for i in range(CONFIG["n_layer"]):
        layer = f"backbone.layers.{i}."
        dt = torch.exp(math.log(1e-3) + torch.rand(H, generator=g) * math.log(100)).clamp(min=1e-4)
        w[layer + "norm.weight"] = torch.ones(D)
        w[layer + "mixer.in_proj.weight"] = uniform(2 * INNER + 2 * G * N + H, D, bound=1 / math.sqrt(D))
        w[layer + "mixer.conv1d.weight"] = uniform(CONV, 1, K, bound=1 / math.sqrt(K))
        w[layer + "mixer.conv1d.bias"] = uniform(CONV, bound=1 / math.sqrt(K))
        w[layer + "mixer.dt_bias"] = dt + torch.log(-torch.expm1(-dt))
        w[layer + "mixer.A_log"] = torch.log(1 + 15 * torch.rand(H, generator=g))
        w[layer + "mixer.D"] = torch.ones(H)
        w[layer + "mixer.norm.weight"] = torch.ones(INNER)
        w[layer + "mixer.out_proj.weight"] = uniform(D, INNER, bound=1 / math.sqrt(INNER * CONFIG["n_layer"]))
    w["backbone.norm_f.weight"] = torch.ones(D)
    return {name: t + 0.05 * torch.randn(t.shape, generator=g) for name, t in w.items()}


def rms_norm(x, weight):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-5) * weight


def mixer(w, layer, u):
    """u [B, L, D] -> [B, L, D]; Figure 6 of the paper, the operator as its recurrence (equation 1)."""
    get = lambda name: w[f"backbone.layers.{layer}.mixer.{name}"]
    projected = u @ get("in_proj.weight").T
    z, xBC, dt = projected.split([INNER, CONV, H], dim=-1)
    # conv1d computes a correlation; K-1 zeros in front make it causal.
    padded = F.pad(xBC.transpose(1, 2), (K - 1, 0))
    xBC = F.silu(F.conv1d(padded, get("conv1d.weight"), get("conv1d.bias"), groups=CONV).transpose(1, 2))
    x, Bm, Cm = xBC.split([INNER, G * N, G * N], dim=-1)
    dt = F.softplus(dt + get("dt_bias"))
    A = -torch.exp(get("A_log"))
    h = u.new_zeros(u.shape[0], H, P, N)
    ys = []
    for t in range(u.shape[1]):
        x_t = x[:, t].view(-1, H, P)
        B_t = Bm[:, t].view(-1, G, N).repeat_interleave(H // G, dim=1)
        C_t = Cm[:, t].view(-1, G, N).repeat_interleave(H // G, dim=1)
        decay = torch.exp(dt[:, t] * A)
        h = decay[..., None, None] * h + torch.einsum("bh,bhp,bhn->bhpn", dt[:, t], x_t, B_t)
        y_t = torch.einsum("bhpn,bhn->bhp", h, C_t) + get("D")[:, None] * x_t
        ys.append(y_t.reshape(-1, INNER))
    y = torch.stack(ys, dim=1)
    return rms_norm(y * F.silu(z), get("norm.weight")) @ get("out_proj.weight").T


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
    exempt = [t for name, t in w.items() if name.endswith((".A_log", ".D", ".dt_bias"))]
    decayed = [t for name, t in w.items() if not name.endswith((".A_log", ".D", ".dt_bias"))]
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
    train10 = {"versions": versions, **TRAIN, "no_weight_decay": ["A_log", "D", "dt_bias"], "losses": losses, "grad_norms": norms}
    (OUT / "train10.json").write_text(json.dumps(train10, indent=2) + "\n")
    print("loss", loss.item(), "ten steps", losses)


main()
