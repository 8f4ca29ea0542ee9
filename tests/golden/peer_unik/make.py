"""Writes embed.json of this folder: what bench/peers/models.py's Unik makes of a batch, in evaluation and in training mode.

    python3 -m venv venv && venv/bin/pip install torch numpy && venv/bin/python make.py

Shows that the peer our skeleton encoder is timed beside computes the same. Weights and input are `hashed` numbers, tensor
by tensor in the order and the layout of the encoder in C++ (peer_unik_test.cpp).
"""
import json
import os
import sys

import torch

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(here, ".."), os.path.join(here, "..", "..", "..", "bench", "peers")]
from hashed import hashed
from models import Unik

SETTINGS = dict(batch=2, frames=13, joints=5, channels=4, heads=2, embed=6, stages=[[8, 1], [8, 1], [12, 2]])
PARAMETERS, BUFFERS, INPUT = 0, 500, 1000  # numbers of the first tensor of each kind


def fill(tensors, first):
    """Gives each tensor its numbers, made in the shape of the encoder in C++ and brought into the tensor's."""
    for i, (tensor, shape, low, high, to_peer) in enumerate(tensors):
        tensor.data = to_peer(hashed(first + i, shape, low, high)).reshape(tensor.shape).contiguous()


def parameters(model, s):
    """(tensor, shape in C++, range, map to the peer's layout) in visiting order."""
    same = lambda t: t

    def vector(t, low, high, to_peer=same):
        return (t, tuple(t.shape), low, high, to_peer)

    def norm(m, to_peer=same):
        return [vector(m.weight, 0.8, 1.2, to_peer), vector(m.bias, -0.2, 0.2, to_peer)]

    def linear(m):
        return (m.weight, m.weight.shape[:2], -0.5, 0.5, same)

    def down(m):
        return [linear(m[0])] + norm(m[1]) if isinstance(m, torch.nn.Sequential) else []

    joints_first = lambda t: t.reshape(s["joints"], s["channels"]).T  # (v, c) in C++, (c, v) in the peer
    out = norm(model.norm, joints_first)
    for b in model.blocks:
        heads, cout, cin = b.heads, b.time.weight.shape[0], b.proj.weight.shape[1]
        out += [(b.mix, b.mix.shape, -0.5, 0.5, same), (b.proj.weight, (heads, cin, cout), -0.5, 0.5, lambda t: t.transpose(1, 2))]
        out += [linear(b.query_key), vector(b.query_key.bias, -0.2, 0.2)] + norm(b.norm1)
        out += [(b.time.weight, (9, cout, cout), -0.3, 0.3, lambda t: t.permute(2, 1, 0))] + norm(b.norm2)
        out += down(b.down1) + down(b.down2)
    return out + [vector(model.query, -1, 1), linear(model.project), vector(model.project.bias, -0.2, 0.2)]


def buffers(model, s):
    """The running statistics, in visiting order."""
    same, out = lambda t: t, []

    def norm(m, to_peer=same):
        out.extend((t, tuple(t.shape), low, high, to_peer) for t, low, high in ((m.running_mean, -0.3, 0.3), (m.running_var, 0.5, 2)))

    norm(model.norm, lambda t: t.reshape(s["joints"], s["channels"]).T)
    for b in model.blocks:
        norm(b.norm1)
        norm(b.norm2)
        for m in (b.down1, b.down2):
            if isinstance(m, torch.nn.Sequential):
                norm(m[1])
    return out


s = SETTINGS
torch.set_num_threads(1)
model = Unik(s["joints"], s["channels"], s["heads"], s["embed"], s["stages"])
fill(parameters(model, s), PARAMETERS)
fill(buffers(model, s), BUFFERS)
x = hashed(INPUT, (s["batch"], s["frames"], s["joints"], s["channels"]), -1, 1).permute(0, 3, 1, 2).contiguous()
with torch.no_grad():
    evaluated = model.eval()(x)
    trained = model.train()(x)
with open(os.path.join(here, "embed.json"), "w") as f:
    json.dump(dict(torch=torch.__version__, **s, eval=evaluated.flatten().tolist(), train=trained.flatten().tolist()), f, indent=1)
    f.write("\n")
print(evaluated, trained)
