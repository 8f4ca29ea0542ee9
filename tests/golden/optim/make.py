"""Writes optim.json and schedule.json of this folder with PyTorch.

    python3 -m venv venv && venv/bin/pip install torch && venv/bin/python make.py

optim.json: two parameters (w decays, b does not), their gradients at each step, and the parameters after
each step of several optimisers. schedule.json: learning rates for a base of 1.
"""
import json

import torch

torch.manual_seed(0)
STEPS = 5
start = {"w": torch.randn(3, 7), "b": torch.randn(5)}
# The gradient of b is absent at step 2: such a parameter is skipped.
grads = [{"w": torch.randn(3, 7) * 10.0 ** (i - 2), "b": None if i == 2 else torch.randn(5)} for i in range(STEPS)]


def run(make, clip=None):
    params = {k: torch.nn.Parameter(v.clone()) for k, v in start.items()}
    opt = make([{"params": [params["w"]]}, {"params": [params["b"]], "weight_decay": 0.0}])
    out = []
    for g in grads:
        for k, p in params.items():
            p.grad = None if g[k] is None else g[k].clone()
        norm = float(torch.nn.utils.clip_grad_norm_(params.values(), clip)) if clip else 0.0
        opt.step()
        out.append({k: p.detach().flatten().tolist() for k, p in params.items()} | {"norm": norm})
    return out


flat = lambda d: {k: None if v is None else v.flatten().tolist() for k, v in d.items()}
optim = torch.optim
runs = {
    "adamw": run(lambda p: optim.AdamW(p, lr=0.01, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.1)),
    "adam": run(lambda p: optim.Adam(p, lr=0.01, weight_decay=0.1)),
    "sgd": run(lambda p: optim.SGD(p, lr=0.05, weight_decay=0.1)),
    "momentum": run(lambda p: optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.1)),
    "nesterov": run(lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1)),
    "clipped": run(lambda p: optim.SGD(p, lr=0.05), clip=1.5),
}
with open("optim.json", "w") as f:
    json.dump({"start": flat(start), "grads": [flat(g) for g in grads], "runs": runs}, f)
    f.write("\n")


def schedule(make, steps):
    opt = optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    s = make(opt)
    out = []
    for _ in range(steps):
        out.append(s.get_last_lr()[0])
        opt.step()
        s.step()
    return out


lrs = optim.lr_scheduler
schedules = {
    "cosine": schedule(lambda o: lrs.CosineAnnealingLR(o, 20, eta_min=0.1), 21),
    "step": schedule(lambda o: lrs.StepLR(o, 4, gamma=0.5), 20),
    "multi_step": schedule(lambda o: lrs.MultiStepLR(o, [3, 10, 11], gamma=0.1), 20),
    "linear": schedule(lambda o: lrs.LinearLR(o, 1.0, 0.25, 10), 15),
    "one_cycle": schedule(lambda o: lrs.OneCycleLR(o, 1.0, total_steps=20), 20),
    "one_cycle_uneven": schedule(lambda o: lrs.OneCycleLR(o, 1.0, total_steps=13, pct_start=0.1, div_factor=10, final_div_factor=100), 13),
    "warmup_cosine": schedule(
        lambda o: lrs.SequentialLR(
            o, [lrs.LinearLR(o, 0.01, 1.0, 5), lrs.CosineAnnealingLR(o, 15)], milestones=[5]), 20),
}
with open("schedule.json", "w") as f:
    json.dump(schedules, f)
    f.write("\n")
