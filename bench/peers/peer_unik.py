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
p.add_argument("--stages", default="", help="channels,stride of every block, spaces between; default: the encoder's")
args = p.parse_args()
torch = common.setup(args)
from models import UNIK_STAGES, Unik

stages = [tuple(map(int, s.split(","))) for s in args.stages.split()] or UNIK_STAGES
model = Unik(args.joints, args.channels, args.heads, args.embed, stages)
x = torch.randn(args.batch, args.channels, args.frames, args.joints)
net = torch.compile(model) if args.compile else model
if args.mode == "train":
    fn = common.train_step(torch, args, net, model.parameters(), x, torch.randn(args.batch, args.embed))
else:
    model.eval()
    fn = common.infer(torch, args, net, x)
common.measure(args, args.case or "unik_" + args.mode, fn, batch=args.batch, params=sum(p.numel() for p in model.parameters()))
