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


UNIK_STAGES = [(64, 1)] * 4 + [(128, 2)] + [(128, 1)] * 2 + [(256, 2)] + [(256, 1)] * 2


def projection(cin, cout, stride=1):
    return nn.Sequential(nn.Conv2d(cin, cout, 1, stride=(stride, 1), bias=False), nn.BatchNorm2d(cout))


class UnikBlock(nn.Module):
    def __init__(s, cin, cout, stride, residual, v, heads):
        super().__init__()
        s.heads, s.d, s.residual = heads, max(1, cout // 4), residual
        s.mix = nn.Parameter(torch.empty(heads, v, v).uniform_(-1, 1) / v ** 0.5)
        s.query_key = nn.Conv2d(cin, 2 * heads * s.d, 1)
        s.proj = nn.Conv2d(cin, cout * heads, 1, bias=False)  # all heads' products in one
        s.norm1, s.norm2 = nn.BatchNorm2d(cout), nn.BatchNorm2d(cout)
        s.time = nn.Conv2d(cout, cout, (9, 1), stride=(stride, 1), padding=(4, 0), bias=False)
        s.down1 = nn.Identity() if cin == cout else projection(cin, cout)
        s.down2 = projection(cout, cout, stride) if residual and stride != 1 else nn.Identity()

    def forward(s, x):
        n, _, t, v = x.shape
        q, k = s.query_key(x).view(n, 2, s.heads, s.d * t, v).unbind(1)
        a = F.softmax(q.transpose(-1, -2) @ k / (s.d * t), dim=-2) + s.mix  # (n, heads, from, to)
        y = s.proj(x).view(n, s.heads, -1, v)
        y = (y @ a).view(n, s.heads, -1, t, v).sum(1)
        h = F.relu(s.norm1(y) + s.down1(x))
        y = s.norm2(s.time(h))
        return F.relu(y + s.down2(h)) if s.residual else F.relu(y)


class Unik(nn.Module):
    """include/tmor/models/skeleton/unik.hpp, channels first."""

    def __init__(s, v, c, heads, embed, stages=UNIK_STAGES):
        super().__init__()
        s.norm = nn.BatchNorm1d(c * v)
        blocks, cin = [], c
        for i, (cout, stride) in enumerate(stages):
            blocks.append(UnikBlock(cin, cout, stride, i > 0, v, heads))
            cin = cout
        s.blocks = nn.ModuleList(blocks)
        s.query = nn.Parameter(torch.zeros(cin))
        s.project = nn.Linear(cin, embed)

    def forward(s, x):  # (n, c, t, v)
        n, c, t, v = x.shape
        x = s.norm(x.permute(0, 1, 3, 2).reshape(n, c * v, t)).view(n, c, v, t).permute(0, 1, 3, 2).contiguous()
        for b in s.blocks:
            x = b(x)
        tokens = x.mean(3).transpose(1, 2)  # (n, t, c)
        weight = F.softmax(tokens @ s.query / tokens.shape[-1] ** 0.5, dim=-1)
        return s.project((weight.unsqueeze(1) @ tokens).squeeze(1))


def clip_loss(a, b, scale):
    logits = scale.exp() * F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T
    labels = torch.arange(len(a))
    return 0.5 * (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels))
