"""Operators bound by memory: gelu(x * a + b), softmax, layer norm, attention, AdamW; forward, or forward and backward."""
import common

p = common.parser(__doc__)
p.add_argument("--op", choices=["gelu_affine", "softmax", "layernorm", "attention", "adamw"], default="gelu_affine")
p.add_argument("--mode", choices=["fwdbwd", "infer"], default="infer")
p.add_argument("--n", type=int, default=1 << 24, help="elements of gelu_affine and adamw")
p.add_argument("--rows", type=int, default=4096)
p.add_argument("--cols", type=int, default=768)
args = p.parse_args()
torch = common.setup(args)
import torch.nn.functional as F

if args.op == "gelu_affine":
    inputs = [torch.randn(args.n)]
    fwd = lambda x: F.gelu(x * 1.5 + 0.25)
elif args.op == "softmax":
    inputs = [torch.randn(args.rows, args.cols)]
    fwd = lambda x: F.softmax(x, dim=-1)
elif args.op == "layernorm":
    inputs = [torch.randn(args.rows, args.cols), torch.ones(args.cols), torch.zeros(args.cols)]
    fwd = lambda x, w, b: F.layer_norm(x, (args.cols,), w, b)
elif args.op == "attention":  # a text tower's: batch 32, 8 heads, 77 tokens, 64 channels a head
    inputs = [torch.randn(32, 8, 77, 64) for _ in range(3)]
    fwd = lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)
else:
    x = torch.nn.Parameter(torch.randn(args.n))
    x.grad = torch.randn(args.n)
    opt = common.adamw(torch, args, [x], 1e-4)

if args.op == "adamw":
    fn = opt.step
elif args.mode == "infer":
    f = torch.compile(fwd) if args.compile else fwd

    def fn():
        with torch.inference_mode():
            f(*inputs)
else:
    for t in inputs:
        t.requires_grad_()
    f = torch.compile(fwd) if args.compile else fwd
    g = torch.randn_like(inputs[0])

    def fn():
        for t in inputs:
            t.grad = None
        f(*inputs).backward(g)

common.measure(args, "adamw_step" if args.op == "adamw" else f"{args.op}_{args.mode}", fn)
