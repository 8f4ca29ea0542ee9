"""Networks and losses of the peers. Import after common.setup, which fixes the number of threads first."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Spatial(nn.Module):
    def __init__(s, cin, cout, v, heads, mix):
        super().__init__()
        s.heads, s.cout, s.mix = heads, cout, mix
        s.proj = nn.Conv2d(cin, cout * heads, 1)  # all heads' 1x1 convs in one
        s.A = nn.Parameter(torch.empty(heads, v, v).uniform_(-1, 1) / v ** 0.5)
        s.bn = nn.BatchNorm2d(cout)
        s.down = nn.Identity() if cin == cout else nn.Sequential(nn.Conv2d(cin, cout, 1), nn.BatchNorm2d(cout))

    def forward(s, x):
        n, _, t, v = x.shape
        y = s.proj(x).view(n, s.heads, s.cout, t, v)
        if s.mix == "einsum":
            y = torch.einsum("nhctv,hvw->nctw", y, s.A)
        else:  # one batched GEMM per head, then the sum over heads
            y = torch.matmul(y.reshape(n, s.heads, s.cout * t, v), s.A).sum(1).view(n, s.cout, t, v)
        return F.relu(s.bn(y) + s.down(x))


class Block(nn.Module):
    def __init__(s, cin, cout, v, heads, mix, stride=1, residual=True):
        super().__init__()
        s.sp = Spatial(cin, cout, v, heads, mix)
        s.tc = nn.Conv2d(cout, cout, (9, 1), stride=(stride, 1), padding=(4, 0))
        s.bn = nn.BatchNorm2d(cout)
        s.residual = residual
        s.down = (nn.Identity() if cin == cout and stride == 1 else
                  nn.Sequential(nn.Conv2d(cin, cout, 1, stride=(stride, 1)), nn.BatchNorm2d(cout)))

    def forward(s, x):
        y = s.bn(s.tc(s.sp(x)))
        return F.relu(y + s.down(x)) if s.residual else F.relu(y)


class SkeletonEncoder(nn.Module):
    def __init__(s, v=17, heads=3, embed=512, blocks=10, mix="einsum", width=64):
        super().__init__()
        s.bn = nn.BatchNorm1d(3 * v)
        w = width
        plan = [(3, w, 1, False)] + [(w, w, 1, True)] * (3 if blocks == 10 else 2)
        for c in (2 * w, 4 * w):
            plan += [(c // 2, c, 2, True)] + [(c, c, 1, True)] * 2
        s.blocks = nn.ModuleList(Block(a, b, v, heads, mix, st, r) for a, b, st, r in plan)
        s.head = nn.Linear(4 * w, embed)

    def forward(s, x):
        n, c, t, v = x.shape
        x = s.bn(x.permute(0, 1, 3, 2).reshape(n, c * v, t)).view(n, c, v, t).permute(0, 1, 3, 2).contiguous()
        for b in s.blocks:
            x = b(x)
        return s.head(x.mean((2, 3)))


def clip_loss(a, b, scale):
    logits = scale.exp() * F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T
    labels = torch.arange(len(a))
    return 0.5 * (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels))
