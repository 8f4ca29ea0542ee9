"""Matrix products: the shapes a contrastive transformer and a skeleton encoder run, forward and both gradients."""
import common

p = common.parser(__doc__)
p.add_argument("--shape", required=True, help="op:m:n:k[:batch], op one of NN, NT, TN (T: stored transposed)")
args = p.parse_args()
torch = common.setup(args)
dt = getattr(torch, args.dtype)  # the tensors themselves are of this type here, no autocast
op, *d = args.shape.split(":")
m, n, k, batch = (list(map(int, d)) + [1])[:4]
lead = (batch,) if batch > 1 else ()
a = torch.rand(*lead, *((k, m) if op == "TN" else (m, k))).to(dt)
b = torch.rand(*lead, *((n, k) if op == "NT" else (k, n))).to(dt)
c = torch.empty(*lead, m, n, dtype=dt)
a, b = (a.transpose(-1, -2) if op == "TN" else a), (b.transpose(-1, -2) if op == "NT" else b)
mm = torch.bmm if batch > 1 else torch.mm
with torch.inference_mode():
    common.measure(args, f"gemm_{op}_{m}x{n}x{k}" + (f"_b{batch}" if batch > 1 else ""), lambda: mm(a, b, out=c))
