#!/usr/bin/env python3
"""PyTorch on the GPU: the cases of bench/gpu/gpu_bench.cu that need no model of ours, under the same names. One JSON object a case.

--compile times torch.compile as well (`compiled_ms`); --quick takes a third of the time. float32 products without TF32, as ours.
"""
import argparse
import json
import math
import statistics
import sys
import time

p = argparse.ArgumentParser(description=__doc__)
p.add_argument("--quick", action="store_true")
p.add_argument("--compile", action="store_true")
args = p.parse_args()
try:
    import torch
    import torch.nn.functional as F
except ImportError:
    sys.exit("peer_gpu.py: no PyTorch in this Python")
if not torch.cuda.is_available():
    sys.exit("peer_gpu.py: PyTorch finds no GPU")
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.manual_seed(0)
BUDGET = 0.2 if args.quick else 0.6


def median_ms(f):
    for _ in range(3):
        f()
    torch.cuda.synchronize()
    times, start = [], time.perf_counter()
    while len(times) < 5 or (time.perf_counter() - start < BUDGET and len(times) < 200):
        t = time.perf_counter()
        f()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - t)
    return statistics.median(times) * 1e3


def case(name, f, step=lambda g: g()):
    """`step` calls f, or what torch.compile made of it, with what belongs to a call."""
    line = {"case": name}
    try:
        torch.cuda.reset_peak_memory_stats()
        line["ms"] = median_ms(lambda: step(f))
        line["peak_mib"] = torch.cuda.max_memory_allocated() / 2**20
        if args.compile:
            line["compiled_ms"] = median_ms(lambda g=torch.compile(f): step(g))
    except torch.cuda.OutOfMemoryError:
        line["error"] = "out of memory"
    torch.cuda.empty_cache()
    print(json.dumps(line), flush=True)


def r(*shape, grad=False):
    return torch.randn(*shape, device="cuda", requires_grad=grad)


def train(inputs):
    def step(g):
        for t in inputs:
            t.grad = None
        g().backward()
    return step


with torch.no_grad():
    x, y = r(1 << 26), r(1 << 26)
    case("copy", lambda: y.copy_(x))
    case("gelu", lambda: F.gelu(x))
    x, gamma, beta = r(16384, 1024), r(1024), r(1024)
    case("layernorm", lambda: F.layer_norm(x, (1024,), gamma, beta))
    case("softmax", lambda: torch.softmax(x, -1))
    case("sum_rows", lambda: x.sum(1))
    a, b = r(2048, 2048), r(2048, 2048)
    case("matmul_2048", lambda: a @ b)
q, k, v = (r(8, 8, 512, 64, grad=True) for _ in range(3))
case("attention_fwdbwd", lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True).sum(), train([q, k, v]))
q, k, v = (x.detach().bfloat16().requires_grad_() for x in (q, k, v))
case("attention_bf16_fwdbwd", lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True).sum(), train([q, k, v]))
for n in (1024, 4096, 16384, 65536):
    a, b = r(n, 512, grad=True), r(n, 512, grad=True)
    scale = torch.tensor(math.log(1 / 0.07), device="cuda", requires_grad=True)

    def info_nce(a=a, b=b, scale=scale, target=torch.arange(n, device="cuda")):
        s = scale.exp() * F.normalize(a) @ F.normalize(b).T
        return (F.cross_entropy(s, target) + F.cross_entropy(s.T, target)) / 2

    case(f"infonce_{n}", info_nce, train([a, b, scale]))
    del a, b


class VitB32(torch.nn.Module):
    """CLIP's image tower."""

    def __init__(self, dim=768, depth=12, heads=12, tokens=50):
        super().__init__()
        self.patch = torch.nn.Conv2d(3, dim, 32, stride=32, bias=False)
        self.token, self.position = (torch.nn.Parameter(torch.randn(n, dim) * 0.02) for n in (1, tokens))
        self.norm_pre, self.norm = torch.nn.LayerNorm(dim), torch.nn.LayerNorm(dim)
        self.blocks = torch.nn.ModuleList(
            torch.nn.TransformerEncoderLayer(dim, heads, 4 * dim, 0.0, lambda x: x * torch.sigmoid(1.702 * x), batch_first=True,
                                             norm_first=True) for _ in range(depth))
        self.project = torch.nn.Linear(dim, 512, bias=False)

    def forward(self, x):
        h = self.patch(x).flatten(2).transpose(1, 2)
        h = self.norm_pre(torch.cat([self.token.expand(len(x), 1, -1), h], 1) + self.position)
        for block in self.blocks:
            h = block(h)
        return self.project(self.norm(h[:, 0]))


tower, images = VitB32().cuda(), r(64, 3, 224, 224)


def clip_image_tower():
    with torch.autocast("cuda", torch.bfloat16):
        return tower(images).float().sum()


case("clip_vit_b32_bf16_64", clip_image_tower, train(list(tower.parameters())))
