"""Symmetric InfoNCE (the CLIP loss) of a batch of pairs: normalise, logits, cross-entropy both ways, forward and backward."""
import math

import common

p = common.parser(__doc__, batch=1024)
p.add_argument("--dim", type=int, default=512)
args = p.parse_args()
torch = common.setup(args)
from models import clip_loss

a = torch.randn(args.batch, args.dim, requires_grad=True)
b = torch.randn(args.batch, args.dim, requires_grad=True)
scale = torch.tensor(math.log(1 / 0.07), requires_grad=True)
f = torch.compile(clip_loss) if args.compile else clip_loss


def fn():
    a.grad = b.grad = scale.grad = None
    with common.autocast(torch, args):
        loss = f(a, b, scale)
    loss.backward()


common.measure(args, f"infonce_{args.batch}", fn, dim=args.dim)
