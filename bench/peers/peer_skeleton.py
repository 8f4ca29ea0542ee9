"""Skeleton encoder (learned V x V mixing a head, no graph) on (N, 3, T, V) clips: bench/models/peer_network.hpp is its twin.

10 blocks, channels 64x4, 128x3, 256x3, stride 2 in time at blocks 5 and 8; each block: per head a 1x1 convolution and a
V x V matrix, heads summed, batch norm, residual, ReLU; then a 9x1 convolution over time, batch norm, residual, ReLU.
"""
import common

p = common.parser(__doc__, batch=32)
p.add_argument("--mode", choices=["train", "infer"], default="train")
p.add_argument("--case", default="", help="name of the row")
p.add_argument("--frames", type=int, default=64)
p.add_argument("--joints", type=int, default=17)
p.add_argument("--heads", type=int, default=3)
p.add_argument("--embed", type=int, default=512)
p.add_argument("--blocks", type=int, default=10, choices=[9, 10])
p.add_argument("--mix", choices=["einsum", "matmul"], default="matmul", help="how joints are mixed; matmul measured 2-4 %% faster")
p.add_argument("--channels-last", action="store_true")
args = p.parse_args()
torch = common.setup(args)
from models import SkeletonEncoder

model = SkeletonEncoder(args.joints, args.heads, args.embed, args.blocks, args.mix)
x = torch.randn(args.batch, 3, args.frames, args.joints)
if args.channels_last:
    model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
net = torch.compile(model) if args.compile else model
if args.mode == "train":
    fn = common.train_step(torch, args, net, model.parameters(), x, torch.randn(args.batch, args.embed))
else:
    model.eval()
    fn = common.infer(torch, args, net, x)
common.measure(args, args.case or "skeleton_" + args.mode, fn, batch=args.batch, mix=args.mix,
               channels_last=args.channels_last)
