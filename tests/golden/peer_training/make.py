"""Writes losses.json of this folder: 50 training steps of the network of bench/peers/models.py in PyTorch.

    python3 -m venv venv && venv/bin/pip install torch numpy && venv/bin/python make.py

Weights and data are numbers that training_parity_test.cpp makes too, `hashed(number, ...)`, so that only the losses are
kept. AdamW's usual eps of 1e-8 makes steps of full size from gradients that are rounding errors, and two correct programs
part within a few steps: at eps 1e-8 PyTorch, channels last, is 0.7 away from PyTorch after 50 steps. With eps 1e-2 the two
stay together: their largest relative difference is `drift`.
"""
import json
import os
import sys

import torch
import torch.nn.functional as F

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(here, ".."), os.path.join(here, "..", "..", "..", "bench", "peers")]
from hashed import hashed
from models import SkeletonEncoder

SETTINGS = dict(joints=17, heads=3, embed=32, width=16, frames=16, batch=8, batches=4, steps=50, lr=1e-3, eps=1e-2, weight_decay=0.01)


def parameters(model):
    """(parameter, range) in the order in which the twin in C++ visits them."""
    def norm(m):
        return [(m.weight, (0.9, 1.1)), (m.bias, (-0.1, 0.1))]

    def product(m):
        bound = (m.weight[0].numel()) ** -0.5
        return [(m.weight, (-bound, bound)), (m.bias, (-0.1, 0.1))]

    def down(m):
        return product(m[0]) + norm(m[1]) if isinstance(m, torch.nn.Sequential) else []

    out = norm(model.bn)
    for b in model.blocks:
        bound = b.sp.A.shape[-1] ** -0.5
        out += product(b.sp.proj) + [(b.sp.A, (-bound, bound))] + norm(b.sp.bn) + down(b.sp.down)
        out += product(b.tc) + norm(b.bn) + down(b.down)
    return out + product(model.head)


def losses(s, channels_last):
    torch.set_num_threads(1)
    model = SkeletonEncoder(s["joints"], s["heads"], s["embed"], 10, width=s["width"])
    for i, (p, (low, high)) in enumerate(parameters(model)):
        p.data = hashed(i, p.shape, low, high)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    opt = torch.optim.AdamW(model.parameters(), lr=s["lr"], eps=s["eps"], weight_decay=s["weight_decay"])
    out = []
    for step in range(s["steps"]):
        k = 1000 + 2 * (step % s["batches"])
        x = hashed(k, (s["batch"], 3, s["frames"], s["joints"]), -1, 1)
        target = F.normalize(hashed(k + 1, (s["batch"], s["embed"]), -1, 1), dim=-1)
        opt.zero_grad()
        loss = F.mse_loss(F.normalize(model(x), dim=-1), target)
        loss.backward()
        opt.step()
        out.append(loss.item())
    return out


first, second = losses(SETTINGS, False), losses(SETTINGS, True)
drift = max(abs(a - b) / a for a, b in zip(first, second))
with open(os.path.join(here, "losses.json"), "w") as f:
    json.dump(dict(torch=torch.__version__, **SETTINGS, drift=drift, losses=first), f, indent=1)
    f.write("\n")
print(f"{first[0]:.6f} to {first[-1]:.6f}; drift between two ways of computing: {drift:.2e}")
