"""Our skeleton encoder (include/tmor/models/skeleton/unik.hpp) as one would write it in PyTorch, channels first.

The same sizes and operations: joints mixed by learned matrices plus attention between joints, a product over channels, batch
norm, residual, ReLU, a 9x1 convolution over time; frames pooled by attention, projected.
"""
import common

p = common.parser(__doc__, batch=32)
p.add_argument("--mode", choices=["train", "infer"], default="train")
p.add_argument("--case", default="", help="name of the row")
p.add_argument("--frames", type=int, default=64)
p.add_argument("--joints", type=int, default=17)
p.add_argument("--channels", type=int, default=9)
p.add_argument("--heads", type=int, default=3)
p.add_argument("--embed", type=int, default=512)
args = p.parse_args()
torch = common.setup(args)
import torch.nn as nn
import torch.nn.functional as F

STAGES = [(64, 1)] * 4 + [(128, 2)] + [(128, 1)] * 2 + [(256, 2)] + [(256, 1)] * 2


def projection(cin, cout, stride=1):
    return nn.Sequential(nn.Conv2d(cin, cout, 1, stride=(stride, 1), bias=False), nn.BatchNorm2d(cout))


class Block(nn.Module):
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
    def __init__(s, v, c, heads, embed):
        super().__init__()
        s.norm = nn.BatchNorm1d(c * v)
        blocks, cin = [], c
        for i, (cout, stride) in enumerate(STAGES):
            blocks.append(Block(cin, cout, stride, i > 0, v, heads))
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


model = Unik(args.joints, args.channels, args.heads, args.embed)
x = torch.randn(args.batch, args.channels, args.frames, args.joints)
net = torch.compile(model) if args.compile else model
if args.mode == "train":
    fn = common.train_step(torch, args, net, model.parameters(), x, torch.randn(args.batch, args.embed))
else:
    model.eval()
    fn = common.infer(torch, args, net, x)
common.measure(args, args.case or "unik_" + args.mode, fn, batch=args.batch, params=sum(p.numel() for p in model.parameters()))
