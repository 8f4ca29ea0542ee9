// Operations and training steps on the GPU beside bench/peers/peer_gpu.py, which has the same cases under the
// same names. One JSON object a case on stdout: the median time of a call, the peak of device memory, and a
// rate where one says more. --quick: a third of the time. Without a GPU it says so in one line and exits 1.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>

#include "tmor/cuda/cuda.cuh"
#include "tmor/cuda/graph.hpp"
#include "tmor/losses/contrastive.hpp"
#include "tmor/models/tri_modal.hpp"
#include "tmor/nn/twin.hpp"
#include "tmor/optim/adamw.hpp"

namespace {

using namespace tmor;
using Tn = Tensor<float, Cuda>;

double seconds_a_case = 0.6;

Tn random(const Shape& shape) {
  static Rng rng(0);
  return normal<float, Cuda>(rng, shape);
}
double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Median seconds of a call of `f`, which runs on the GPU, and prints the case. `bytes` that a call must move
/// and `flops` it must do give rates.
template <class F> double run(const char* name, double bytes, double flops, const F& f) {
  try {
    reset_peak_cuda_memory();
    for (int i = 0; i < 3; ++i) f();
    synchronize_cuda();
    std::vector<double> times;
    for (const double start = now();
         times.size() < 5 || (now() - start < seconds_a_case && times.size() < 200);) {
      const double t = now();
      f();
      synchronize_cuda();
      times.push_back(now() - t);
    }
    std::sort(times.begin(), times.end());
    const double s = times[times.size() / 2];
    std::printf("{\"case\": \"%s\", \"ms\": %.4f, \"peak_mib\": %.0f", name, s * 1e3,
                static_cast<double>(cuda_memory_stats().peak) / 1048576);
    if (bytes > 0) std::printf(", \"gb_s\": %.0f", bytes / s / 1e9);
    if (flops > 0) std::printf(", \"tflop_s\": %.2f", flops / s / 1e12);
    std::printf("}\n");
    std::fflush(stdout);
    release_cached_cuda_memory();
    return s;
  } catch (const Error& e) {
    std::fprintf(stderr, "%s: %s\n", name, e.what());
    return 0;
  }
}

void info_nce_of(Index n) {
  const Tn a = random({n, 512}).requires_grad_(), b = random({n, 512}).requires_grad_();
  const Tn scale = Tn::scalar(2.659f).requires_grad_();
  const auto size = static_cast<double>(n);
  run(("infonce_" + std::to_string(n)).c_str(), 0, 4 * 2 * size * size * 512, [&] {
    for (const Tn& t : {a, b, scale}) t.clear_grad();
    backward(loss::info_nce(a, b, scale));
  });
}

models::TriModalConfig tri_modal() {
  models::TriModalConfig c;
  models::UnikConfig s;
  s.joints = 17;
  s.in_channels = 6;
  s.embed = 512;
  c.skeleton = s;
  models::VideoConfig v;
  v.frames = 4;
  v.height = v.width = 32;
  v.patch = 8;
  v.dim = 128;
  v.depth = 2;
  v.heads = 4;
  v.embed = 512;
  c.video = v;
  c.text = models::CausalTextConfig{
      .vocab = 1000, .context = 16, .width = 128, .depth = 2, .heads = 4, .embed = 512};
  return c;
}

models::TriBatch<float, Cuda> triplets(Index n) {
  models::TriBatch<float, Cuda> b;
  b.skeleton = random({n, 1, 64, 17, 6});
  b.frames = random({n, 4, 32, 32, 3});
  std::vector<Index> ids;
  for (Index i = 0; i < n * 16; ++i) ids.push_back(i * i % 1000);
  b.text = {Tensor<Index, Cuda>::from(ids, {n, 16}), Tensor<Index, Cuda>::from(std::vector<Index>(n, 15))};
  return b;
}

void training_steps() {
  Rng rng(1);
  models::TriModal<float, Cuda> net(rng, tri_modal());
  const auto half = to<bf16>(net);  // the same parameters
  optim::AdamW<float, Cuda> adam(parameters<float, Cuda>(net), {.lr = 1e-4});
  const auto clear = [&] {
    for (const auto& p : adam.params()) p.tensor.clear_grad();
  };
  for (const Index n : {256, 1024, 4096}) {
    const auto b = triplets(n);
    const auto step = [&](const std::string& name, const auto& at_work) {
      run(name.c_str(), 0, 0, [&] {
        Rng draws(2);
        backward(at_work.loss(b, Context{true, &draws}).total);
        adam.step();
        clear();
      });
    };
    step("trimodal_step_" + std::to_string(n), net);
    step("trimodal_step_bf16_" + std::to_string(n), half);
  }
  const Tn many = random({256, 1, 64, 17, 6});
  const auto pass = [&](const char* name, const auto& at_work) {
    run(name, 0, 0, [&] {
      Rng draws(2);
      backward(sum(at_work.embed_skeletons(many, Context{true, &draws})));
      clear();
    });
  };
  pass("skeleton_fwdbwd_256", net);
  pass("skeleton_fwdbwd_bf16_256", half);
  const Tn one = random({1, 1, 64, 17, 6});
  const auto look = [&] {
    const NoGrad guard;
    net.embed_skeletons(one, Context{});
  };
  run("skeleton_latency_1", 0, 0, look);
  const CudaGraph graph(look);
  run("skeleton_latency_1_graph", 0, 0, [&] { graph.replay(); });
}

/// CLIP's image tower of ViT-B/32, forward and backward.
void clip_image_tower() {
  Rng rng(3);
  models::VideoConfig c;
  c.frames = 1;
  c.height = c.width = 224;
  c.patch = 32;
  c.dim = 768;
  c.depth = c.heads = 12;
  c.temporal_depth = 0;
  const models::VideoEncoder<float, Cuda> tower(rng, c);
  const auto half = to<bf16>(tower);
  const auto all = parameters<float, Cuda>(tower);
  const Tn images = random({64, 1, 224, 224, 3});
  run("clip_vit_b32_bf16_64", 0, 0, [&] {
    backward(sum(to<float>(half(images, Context{true, nullptr}).embed)));
    for (const auto& p : all) p.tensor.clear_grad();
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--quick") == 0) seconds_a_case = 0.2;
  try {
    cuda_api();
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  constexpr Index kMany = Index{1} << 26;
  {
    const Tn x = random({kMany}), y = Tn::empty({kMany});
    run("copy", 8.0 * kMany, 0, [&] { copy_into(Cuda{}, y, x); });
    run("gelu", 8.0 * kMany, 0, [&] { gelu(x); });
  }
  {
    const Tn x = random({16384, 1024}), gamma = random({1024}), beta = random({1024});
    run("layernorm", 8.0 * 16384 * 1024, 0, [&] { layer_norm(x, gamma, beta); });
    run("softmax", 8.0 * 16384 * 1024, 0, [&] { softmax(x); });
    run("sum_rows", 4.0 * 16384 * 1024, 0, [&] { sum(x, 1); });
  }
  {
    const Tn a = random({2048, 2048}), b = random({2048, 2048});
    run("matmul_2048", 0, 2.0 * 2048 * 2048 * 2048, [&] { matmul(a, b); });
  }
  {
    const Shape heads{8, 8, 512, 64};
    const auto attend = [](const char* name, const auto& q, const auto& k, const auto& v) {
      run(name, 0, 0, [&] {
        for (const auto& t : {q, k, v}) t.clear_grad();
        backward(sum(attention(q, k, v, AttentionOptions<Cuda>{.causal = true})));
      });
    };
    const auto input = [&] { return random(heads).requires_grad_(); };
    const auto half = [&] { return to<bf16>(random(heads)).requires_grad_(); };
    attend("attention_fwdbwd", input(), input(), input());
    attend("attention_bf16_fwdbwd", half(), half(), half());
  }
  for (const Index n : {1024, 4096, 16384, 65536}) info_nce_of(n);
  training_steps();
  clip_image_tower();
  return 0;
}
