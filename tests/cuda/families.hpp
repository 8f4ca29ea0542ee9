#pragma once
/// One small use of every family of operations, for a device given as a template argument: kernels.cu makes
/// it for Cuda with nvcc, main.cpp for Cpu, and compares. (nvcc cannot compile the CPU's vector code, so they
/// are apart.)

#include <functional>
#include <string>
#include <vector>

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
};

template <class D> class Families {
 public:
  using In = std::vector<Tensor<float, D>>;

  static std::vector<Family> all() {
    std::vector<Family> f;
    const auto add = [&f](const char* name, std::vector<Shape> shapes, auto op) {
      f.push_back({name, shapes, [shapes, op](const auto& inputs) { return run(op, shapes, inputs); }});
    };
    add("pointwise", {{7, 37}, {37}}, [](const In& x) { return gelu(x[0] * x[1]) + exp(x[0]); });
    add("movement", {{7, 5}, {7, 5}}, [](const In& x) {
      return flip(concat({x[0], transpose(transpose(x[1]))}, 1), 0);
    });
    add("reduce", {{50, 8}},
        [](const In& x) { return var(x[0], 0) + max(x[0], 0) + norm(x[0], 0) + logsumexp(x[0], 0); });
    add("softmax", {{9, 100}}, [](const In& x) { return softmax(x[0]) * log_softmax(x[0]); });
    add("norm", {{9, 100}, {100}, {100}},
        [](const In& x) { return l2_normalize(layer_norm(x[0], x[1], x[2])); });
    add("batch_norm", {{40, 10}, {10}, {10}},
        [](const In& x) { return batch_norm(x[0], x[1], x[2], {}, {}, true); });
    add("matmul", {{3, 70, 50}, {50, 40}}, [](const In& x) { return matmul(x[0], x[1]); });
    add("linear", {{70, 50}, {40, 50}, {40}},
        [](const In& x) { return linear(x[0], x[1], x[2], Activation::relu); });
    add("conv_time", {{2, 9, 5, 7}, {5, 7, 12}, {12}},
        [](const In& x) { return conv_time(x[0], x[1], {.stride = 2, .pad = 2}, x[2]); });
    add("conv2d", {{2, 9, 8, 6}, {3, 3, 3, 8}},
        [](const In& x) { return conv2d(x[0], x[1], {.pad_h = 1, .pad_w = 1, .groups = 2}); });
    add("joint_mix", {{2, 4, 5, 7}, {3, 5, 5}, {3, 7, 9}},
        [](const In& x) { return joint_mix(x[0], x[1], x[2]); });
    add("pool", {{2, 8, 8, 3}}, [](const In& x) { return max_pool2d(x[0]) + avg_pool2d(x[0]); });
    add("attention", {{2, 2, 33, 16}, {2, 2, 40, 16}, {2, 2, 40, 16}},
        [](const In& x) { return attention(x[0], x[1], x[2]); });
    add("cross_entropy", {{33, 16}}, [](const In& x) {
      return loss::cross_entropy(x[0], Tensor<Index, D>::from(std::vector<Index>(33, 5)),
                                 {.label_smoothing = 0.1});
    });
    add("info_nce", {{33, 16}, {33, 16}, {}}, [](const In& x) { return info_nce(x[0], x[1], x[2]); });
    add("index", {{9, 4}}, [](const In& x) {
      return embedding(x[0], Tensor<Index, D>::from({3, 1, 3, 3, 8}));
    });
    add("rank", {{5, 40}}, [](const In& x) { return topk(cumsum(x[0], 1), 3).values; });
    add("dropout", {{5, 40}}, [](const In& x) {
      Rng rng(3);
      return dropout(x[0], 0.5, rng);
    });
    add("optim", {{37}}, [](const In& x) {
      const auto w = Tensor<float, D>::ones({37}).requires_grad_();
      optim::AdamW<float, D> adam({{"w", w}}, {.lr = 0.1});
      backward(sum(square(w * x[0].detach())));
      optim::clip_grad_norm(adam.params(), 1.0);
      adam.step();
      return w.detach() * x[0];
    });
    return f;
  }

 private:
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
