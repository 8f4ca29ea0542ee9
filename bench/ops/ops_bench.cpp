// Operations beside bench/peers: matrix products (peer_gemm.py), InfoNCE (peer_infonce.py), and operators
// bound by memory (peer_pointwise.py). _infer is the forward pass, _fwdbwd forward and backward.

#include "bench.hpp"
#include "tmor/autograd/backward.hpp"
#include "tmor/losses/contrastive.hpp"
#include "tmor/ops/attention.hpp"
#include "tmor/ops/norm.hpp"
#include "tmor/ops/random.hpp"
#include "tmor/ops/softmax.hpp"
#include "tmor/optim/adamw.hpp"

namespace {

using namespace tmor;
using bench::Bench;

Tensor<> random(const Shape& shape) {
  static Rng rng(0);
  return normal<float, Cpu>(rng, shape);
}

/// C = A B, as torch.mm(a, b, out=c); 'T': that operand is stored transposed.
void product(Bench& b, const char* op, Index m, Index n, Index k, Index batch = 1) {
  const auto text = [](Index i) { return std::to_string(i); };
  b.run("gemm_" + std::string(op) + "_" + text(m) + "x" + text(n) + "x" + text(k) +
            (batch > 1 ? "_b" + text(batch) : std::string()),
        [&] {
          const Shape lead = batch > 1 ? Shape{batch} : Shape{};
          const auto matrix = [&](Index rows, Index cols, bool transposed) {
            Shape s = lead;
            s.push_back(transposed ? cols : rows);
            s.push_back(transposed ? rows : cols);
            return transposed ? transpose(random(s)) : random(s);
          };
          const auto a = matrix(m, k, op[0] == 'T'), w = matrix(k, n, op[1] == 'T'), c = matrix(m, n, false);
          return [=] { run_matmul(Cpu{}, c, a, w); };
        });
}

/// NAME_infer and NAME_fwdbwd of `f` on inputs of these shapes; the gradient arriving is random.
template <class F> void both(Bench& b, const std::string& name, const std::vector<Shape>& shapes, F f) {
  const auto make = [&] {
    std::vector<Tensor<>> x;
    for (const Shape& s : shapes) x.push_back(random(s));
    return x;
  };
  b.run(name + "_infer", [&] { return [f, x = make()] { f(x); }; });
  b.run(name + "_fwdbwd", [&] {
    const auto x = make();
    for (const auto& t : x) t.requires_grad_();
    return [f, x, dy = random(shapes[0])] {
      for (const auto& t : x) t.clear_grad();
      backward(f(x), dy);
    };
  });
}

struct GeluAffine {
  static constexpr const char* name = "gelu_affine";
  template <class V> TMOR_HD V operator()(V x) const { return tmor::fn::Gelu{}(x * V(1.5f) + V(0.25f)); }
};

}  // namespace

int main(int argc, char** argv) {
  Bench b(argc, argv);
  for (const Index n : {256, 1024, 4096})
    b.run("infonce_" + std::to_string(n), [&] {
      const auto x = random({n, 512}), y = random({n, 512});
      const auto scale = Tensor<>::scalar(static_cast<float>(std::log(1 / 0.07)));
      for (const auto& t : {x, y, scale}) t.requires_grad_();
      return [=] {
        for (const auto& t : {x, y, scale}) t.clear_grad();
        backward(loss::info_nce(x, y, scale));
      };
    });

  using Inputs = std::vector<Tensor<>>;
  both(b, "layernorm", {{4096, 768}, {768}, {768}},
       [](const Inputs& x) { return layer_norm(x[0], x[1], x[2]); });
  both(b, "softmax", {{4096, 768}}, [](const Inputs& x) { return softmax(x[0], -1); });
  const Shape heads{32, 8, 77, 64};
  both(b, "attention", {heads, heads, heads},
       [](const Inputs& x) { return attention(x[0], x[1], x[2], AttentionOptions<>{.causal = true}); });
  constexpr Index kMany = Index{1} << 24;
  both(b, "gelu_affine", {{kMany}}, [](const Inputs& x) { return pointwise(GeluAffine{}, x[0]); });
  b.run("adamw_step", [&] {
    const auto x = random({kMany});
    x.requires_grad_();
    x.set_grad(random({kMany}));
    return [opt = optim::AdamW({NamedParam<>{"x", x}}, {.lr = 1e-4, .keep_grads = true})]() mutable {
      opt.step();
    };
  });

  for (const Index n : {256, 512, 1024, 2048}) product(b, "NN", n, n, n);
  product(b, "NT", 1024, 1024, 1024);
  product(b, "TN", 1024, 1024, 1024);
  product(b, "NN", 4928, 2048, 512);
  product(b, "NN", 6304, 768, 768);
  product(b, "NN", 25, 64, 25, 64);
  product(b, "NN", 77, 64, 77, 256);
  product(b, "NT", 77, 77, 64, 256);
  product(b, "NN", 64, 64, 64, 64);
  product(b, "NN", 1, 2048, 512);
  return b.finish();
}
