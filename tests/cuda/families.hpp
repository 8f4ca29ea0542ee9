#pragma once
/// Small uses of every family of operations, for a device given as a template argument: kernels.cu makes them
/// for Cuda with nvcc (or emulated, with g++), main.cpp for Cpu, and compares. (nvcc cannot compile the CPU's
/// vector code, so they are apart.)

#include <functional>
#include <string>
#include <vector>

#include "clips.hpp"
#include "tmor/ops/device.hpp"
#include "tmor/tmor.hpp"

namespace families {

using namespace tmor;

/// The result and the gradients of the inputs.
using Numbers = std::vector<std::vector<float>>;
struct Family {
  std::string name;
  std::vector<Shape> shapes;
  std::function<Numbers(const std::vector<std::vector<float>>& inputs)> run;
  double tolerance;  ///< between devices, relative to max(1, |value|)
};

/// 2 a + 3 b; streams.cuh has the GPU's, on two streams.
template <class D> struct TwoStreams {
  static Tensor<float, D> run(const Tensor<float, D>& a, const Tensor<float, D>& b) { return a * 2 + b * 3; }
};

/// Calls f(), on a GPU by replaying it as a graph, with between() between two replays; and lets its library
/// do convolutions from now on, where it is found. graph.cuh has the GPU's.
template <class D> struct Replayed {
  template <class F, class G> static void run(const F& f, const G&) { f(); }
  static void by_library() {}
  /// f() three times, on a GPU twice by a graph that draws from `rng`.
  template <class F> static void draw(const F& f, Rng&) {
    for (int i = 0; i < 3; ++i) f();
  }
};

template <class D> class Families {
 public:
  using In = std::vector<Tensor<float, D>>;

  static std::vector<Family> all() {
    std::vector<Family> f;
    const auto add = [&f](const char* name, std::vector<Shape> shapes, auto op, double tolerance = 1e-4) {
      f.push_back(
          {name, shapes, [shapes, op](const auto& inputs) { return run(op, shapes, inputs); }, tolerance});
    };
    add("pointwise", {{7, 37}, {37}}, [](const In& x) { return gelu(x[0] * x[1]) + exp(x[0]); });
    add("pointwise_dense", {{1027}, {1027}}, [](const In& x) { return sigmoid(x[0]) * tanh(x[1]); });
    add("movement", {{7, 5}, {7, 5}}, [](const In& x) {
      return flip(concat({x[0], transpose(transpose(x[1]))}, 1), 0);
    });
    add("reduce", {{50, 8}},
        [](const In& x) { return var(x[0], 0) + max(x[0], 0) + norm(x[0], 0) + logsumexp(x[0], 0); });
    add("reduce_rows", {{3, 5000}}, [](const In& x) { return mean(x[0], 1); });
    add("reduce_columns", {{150, 40}}, [](const In& x) { return mean(x[0], 0); });
    add("softmax", {{9, 100}}, [](const In& x) { return softmax(x[0]) * log_softmax(x[0]); });
    add("norm", {{9, 100}, {100}, {100}},
        [](const In& x) { return l2_normalize(layer_norm(x[0], x[1], x[2])); });
    add("norm_long", {{3, 300}, {300}, {300}},
        [](const In& x) { return layer_norm(x[0], x[1], x[2]) * rms_norm(x[0], x[1]); });
    add("batch_norm", {{40, 10}, {10}, {10}},
        [](const In& x) { return batch_norm(x[0], x[1], x[2], {}, {}, true); });
    add("matmul", {{3, 70, 50}, {50, 40}}, [](const In& x) { return matmul(x[0], x[1]); });
    add("matmul_long", {{5, 1100}, {7, 1100}},
        [](const In& x) { return matmul(x[0], transpose(x[1])) * 0.1; });
    add("linear", {{70, 50}, {40, 50}, {40}},
        [](const In& x) { return linear(x[0], x[1], x[2], Activation::relu); });
    add(
        "linear_bf16", {{70, 50}, {40, 50}, {40}},
        [](const In& x) {
          return to<float>(linear(to<bf16>(x[0]), to<bf16>(x[1]), to<bf16>(x[2]), Activation::relu));
        },
        2e-2);
    add("conv_time", {{2, 9, 5, 7}, {5, 7, 12}, {12}},
        [](const In& x) { return conv_time(x[0], x[1], {.stride = 2, .pad = 2}, x[2]); });
    add("conv2d", {{2, 9, 8, 6}, {3, 3, 3, 8}},
        [](const In& x) { return conv2d(x[0], x[1], {.stride_w = 2, .pad_h = 1, .pad_w = 1, .groups = 2}); });
    add("joint_mix", {{2, 4, 5, 7}, {3, 5, 5}, {3, 7, 9}},
        [](const In& x) { return joint_mix(x[0], x[1], x[2]); });
    // Half precision: of numbers below 1, so that the tolerance is a few units of rounding of them.
    add(
        "conv_time_bf16", {{2, 9, 5, 7}, {5, 7, 12}, {12}},
        [](const In& x) {
          const auto h = halves(x, 0.25);
          return to<float>(conv_time(h[0], h[1], {.stride = 2, .pad = 2}, h[2]));
        },
        2e-2);
    add(
        "joint_mix_bf16", {{2, 4, 5, 7}, {3, 5, 5}, {3, 7, 9}},
        [](const In& x) {
          const auto h = halves(x, 0.25);
          return to<float>(joint_mix(h[0], h[1], h[2]));
        },
        2e-2);
    add(
        "norms_bf16", {{40, 10}, {10}, {10}, {40, 10}},
        [](const In& x) {
          const auto h = halves(x, 1);
          return to<float>(softmax(layer_norm(batch_norm_relu(h[0], h[3], x[1], x[2], {}, {}, true))));
        },
        2e-2);
    add("pool", {{2, 8, 8, 3}}, [](const In& x) { return max_pool2d(x[0]) + avg_pool2d(x[0]); });
    add("pool_overlap", {{2, 9, 9, 3}}, [](const In& x) {
      const Pool2dOptions o{
          .kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1};
      return max_pool2d(x[0], o) + avg_pool2d(x[0], o);
    });
    add("attention", {{2, 2, 33, 16}, {2, 2, 40, 16}, {2, 2, 40, 16}},
        [](const In& x) { return attention(x[0], x[1], x[2]); });
    add("attention_causal", {{2, 1, 40, 9}, {2, 1, 70, 9}, {2, 1, 70, 140}}, [](const In& x) {
      return attention(x[0] * 4, x[1], x[2],
                       AttentionOptions<D>{.key_lengths = Tensor<Index, D>::from({70, 39}), .causal = true});
    });
    // On tensor cores: tiles of 64 rows and of 64 or 32 keys, columns that are no multiple of 16, and rows
    // that do not start at multiples of 16 bytes. Large gradients, so that their rounding is what the
    // tolerance is about.
    const auto half = [](const Tensor<float, D>& x) { return to<bf16>(x); };
    add(
        "attention_bf16", {{1, 1, 70, 24}, {1, 1, 130, 24}, {1, 1, 130, 40}},
        [half](const In& x) { return to<float>(attention(half(x[0] * 4), half(x[1]), half(x[2]))) * 2; },
        2e-2);
    add(
        "attention_bf16_causal", {{2, 1, 40, 72}, {2, 1, 70, 72}, {2, 1, 70, 13}},
        [half](const In& x) {
          return to<float>(attention(
                     half(x[0] * 4), half(x[1]), half(x[2]),
                     AttentionOptions<D>{.key_lengths = Tensor<Index, D>::from({70, 39}), .causal = true})) *
                 2;
        },
        2e-2);
    add(
        "attention_bf16_long", {{1, 2, 100, 100}, {1, 2, 200, 100}, {1, 2, 200, 128}},
        [half](const In& x) { return to<float>(attention(half(x[0] * 4), half(x[1]), half(x[2]))) * 2; },
        2e-2);
    add("cross_entropy", {{33, 16}}, [](const In& x) {
      return loss::cross_entropy(x[0], Tensor<Index, D>::from(std::vector<Index>(33, 5)),
                                 {.label_smoothing = 0.1});
    });
    add("info_nce", {{33, 16}, {33, 16}, {}}, [](const In& x) { return info_nce(x[0], x[1], x[2]); });
    add("info_nce_blocks", {{33, 16}, {33, 16}, {}}, [](const In& x) {
      std::vector<Index> kinds(33, -1);
      for (std::size_t i = 0; i < 33; i += 3) kinds[i] = static_cast<Index>(i % 2);
      detail::forced_pair_rows() = 10;
      const auto y = info_nce(x[0], x[1], x[2], {}, {}, Tensor<Index, D>::from(kinds));
      detail::forced_pair_rows() = 0;
      return y;
    });
    // Factors of bf16: logits, and gradients over several blocks, are sums in float.
    add(
        "info_nce_bf16", {{33, 16}, {33, 16}, {}},
        [](const In& x) {
          std::vector<Index> groups;
          for (Index i = 0; i < 33; ++i) groups.push_back(i % 7);
          detail::forced_pair_rows() = 10;
          const auto y = info_nce<float, D, bf16>(x[0], x[1], x[2], Tensor<Index, D>::from(groups));
          detail::forced_pair_rows() = 0;
          return y;
        },
        2e-2);
    add(
        "linear_float_weights", {{70, 50}, {40, 50}, {40}},
        [half](const In& x) { return to<float>(linear(half(x[0]), x[1], x[2])) * 0.1; }, 2e-2);
    add("siglip", {{33, 16}, {33, 16}, {}, {}}, [](const In& x) {
      detail::forced_pair_rows() = 10;
      const auto y = siglip(x[0], x[1], x[2], x[3]);
      detail::forced_pair_rows() = 0;
      return y;
    });
    add("index", {{9, 4}}, [](const In& x) {
      return embedding(x[0], Tensor<Index, D>::from({3, 1, 3, 3, 8}));
    });
    add("gather", {{4, 6}, {4, 6}, {4, 5}}, [](const In& x) {
      std::vector<Index> at;
      for (Index i = 0; i < 20; ++i) at.push_back(i * i % 6);
      const auto ids = Tensor<Index, D>::from(at, {4, 5});
      return concat({gather(x[0], 1, ids), scatter_add(x[1], 1, ids, x[2])}, 1);
    });
    add("rank", {{5, 40}}, [](const In& x) { return topk(cumsum(x[0], 1), 3).values; });
    add("dropout", {{5, 41}}, [](const In& x) {
      Rng rng(3);
      return dropout(x[0], 0.5, rng);
    });
    add("optim", {{37}}, [](const In& x) {
      std::vector<NamedParam<float, D>> params;
      for (Index i = 0; i < 40; ++i)  // more than one launch takes
        params.push_back({"p" + std::to_string(i), Tensor<float, D>::ones({i % 7 + 1}).requires_grad_()});
      const auto w = Tensor<float, D>::ones({37}).requires_grad_();
      params.push_back({"w", w});
      optim::AdamW<float, D> adam(params, {.lr = 0.1});
      auto y = sum(square(w * x[0].detach()));
      for (std::size_t i = 0; i < 40; ++i) y = y + sum(params[i].tensor) * (0.1 * static_cast<double>(i));
      backward(y);
      optim::clip_grad_norm(adam.params(), 1.0);
      adam.step();
      auto out = w.detach() * x[0];
      for (std::size_t i = 0; i < 40; ++i) out = out + sum(params[i].tensor.detach());
      return out;
    });
    const auto changed = [](const In& x) {  // which has no gradient of its own
      return ChangedClips<D>::run(x[0].detach()) * (1 + mean(x[0]));
    };
    add("change_clips", {{3, 2, 9, 13, 2}}, changed);
    add("change_clips_3d", {{3, 2, 9, 13, 3}}, changed);
    add(
        "draw", {{5}}, [](const In& x) { return DrawnVideos<D>::run() * (1 + mean(x[0])); }, 1.05 * 2 / 255);
    add("streams", {{37}, {37}},
        [](const In& x) { return x[0] * x[1] + TwoStreams<D>::run(x[0].detach() + 1, x[1].detach() - 1); });
    add("conv2d_library", {{2, 9, 8, 6}, {3, 3, 3, 8}}, [](const In& x) {
      Replayed<D>::by_library();  // and for those that follow
      return conv2d(x[0], x[1], {.stride_w = 2, .pad_h = 1, .pad_w = 1, .groups = 2});
    });
    add("graph", {{2, 9, 8, 6}, {3, 3, 6, 4}, {4, 5}}, [](const In& x) {
      Replayed<D>::by_library();
      Tensor<float, D> part, y;
      const auto f = [&] {
        const NoGrad off;
        part = conv2d(x[0], x[1]);
        y = tanh(matmul(part, x[2]) * 0.1);
      };
      Replayed<D>::run(f, [&] { part = {}; });  // whose memory the graph still needs
      return y * (mean(x[0]) + mean(x[1]) + mean(x[2]));
    });
    add("graph_draws", {{9, 4}}, [](const In& x) {
      Rng rng(3);
      const auto ids = Tensor<Index, D>::from({3, 1, 3, 8});
      Tensor<float, D> y;
      Replayed<D>::draw(
          [&] {
            const NoGrad off;
            y = dropout(index_select(x[0], 0, ids), 0.5, rng);
          },
          rng);
      return y * mean(x[0]) + uniform<float, D>(rng, {1});
    });
    return f;
  }

 private:
  static std::vector<Tensor<bf16, D>> halves(const In& x, double factor) {
    std::vector<Tensor<bf16, D>> h;
    for (const auto& t : x) h.push_back(to<bf16>(t * factor));
    return h;
  }
  template <class F>
  static Numbers run(const F& op, const std::vector<Shape>& shapes,
                     const std::vector<std::vector<float>>& inputs) {
    In x;
    for (std::size_t i = 0; i < shapes.size(); ++i)
      x.push_back(Tensor<float, D>::from(inputs[i], shapes[i]).requires_grad_());
    const auto y = op(x);
    backward(sum(square(y)));
    Numbers out{y.to_vector()};
    for (const auto& t : x) out.push_back(t.grad().to_vector());
    return out;
  }
};

/// Those of the GPU. @throws Error in one line without one.
std::vector<Family> cuda_families();

}  // namespace families
