// Mixed precision: activations of bf16 and f16, parameters and all that trains them in float.
#include "tmor/train/precision.hpp"

#include <doctest/doctest.h>

#include "../support/files.hpp"
#include "../support/precision.hpp"
#include "../support/tiny_models.hpp"
#include "tmor/optim/sgd.hpp"
#include "tmor/train/fine_tune.hpp"

using namespace tmor;

TEST_CASE_TEMPLATE("operations of half precision: sums in float, few roundings", T, bf16, f16) {
  test::check_operations<T, Cpu>();
}

TEST_CASE_TEMPLATE("gradients of float weights are float's", T, bf16, f16) {
  test::check_weight_gradients<T, Cpu>();
}

TEST_CASE_TEMPLATE("contrast by factors of half precision: sums in float", T, bf16, f16) {
  test::check_contrasts<T, Cpu>();
}

TEST_CASE_TEMPLATE("skeleton encoders of half precision give float's embeddings and gradients", T, bf16,
                   f16) {
  for (Index kind = 0; kind < 4; ++kind) test::check_encoder<T, Cpu>(kind);
}

TEST_CASE("the twin with other activations is the same network") {
  Rng rng(2);
  models::TriModal<> net(rng, test::tiny_tri_modal());
  net.lock(models::Lock::none, models::Lock::body, models::Lock::none);
  const auto half = to<bf16>(net);
  static_assert(std::is_same_v<decltype(half), const models::TriModal<bf16>>);
  static_assert(std::is_same_v<decltype(to<float>(half)), models::TriModal<>>);
  const auto own = parameters(net), shared = parameters(half), again = parameters(to<float>(half));
  REQUIRE(own.size() == shared.size());
  for (std::size_t i = 0; i < own.size(); ++i) {
    CHECK(own[i].name == shared[i].name);
    CHECK(own[i].tensor.body_ref() == shared[i].tensor.body_ref());
    CHECK(own[i].tensor.body_ref() == again[i].tensor.body_ref());
  }
  Rng data(3);
  const auto batch = test::random_triplets(data, 5);
  const auto of = [&](const auto& m) {
    clear_grads(net);
    Rng draws(4);
    const auto loss = m.loss(batch, Context{true, &draws}).total;
    static_assert(std::is_same_v<decltype(loss), const Tensor<>>);
    backward(loss);
    std::size_t without = 0;
    for (const auto& p : own) without += !p.tensor.grad().defined();
    CHECK(!net.video->time.grad().defined());  // locked
    return std::pair{loss.item(), without};
  };
  const auto mean_before = std::get<0>(net.skeleton.net).input_norm.running_mean.to_vector();
  const auto [whole_loss, whole_without] = of(net);
  const auto [half_loss, half_without] = of(half);
  CHECK(half_without == whole_without);
  CHECK(half_loss != whole_loss);
  CHECK(std::get<0>(net.skeleton.net).input_norm.running_mean.to_vector() != mean_before);
  // Embeddings are wrong by 24 units of rounding at most, and their cosines by twice that.
  const auto a = net.embed_skeletons(batch.skeleton, Context{}),
             b = half.embed_skeletons(batch.skeleton, Context{});
  for (const float c : sum(a * b, 1).to_vector()) CHECK(c > 1 - 24 * 0x1p-8f);
}

TEST_CASE("updates smaller than bf16's spacing are lost on weights of bf16, and add up on float ones") {
  constexpr double step = 0x1p-10;  // bf16 has 2^-8 between numbers just below 1
  nn::Linear<bf16> layer;
  layer.w = init::constant<float, Cpu>({1, 1}, 1);
  optim::Sgd<> sgd(parameters(layer), {.lr = step});
  const auto x = Tensor<bf16>::ones({1, 1});
  bf16 plain = 1.f;
  for (int i = 0; i < 64; ++i) {
    backward(sum(to<float>(layer(x))));
    const float gradient = layer.w.grad().item();
    CHECK(gradient == 1);
    plain = static_cast<float>(plain) - static_cast<float>(step) * gradient;
    sgd.step();
  }
  CHECK(static_cast<float>(plain) == 1);
  CHECK(layer.w.item() == 1 - 0x1p-4f);
  CHECK(static_cast<float>(layer(x).item()) == 1 - 0x1p-4f);  // what the network computes with has moved
}

namespace {

/// 24 clips of three classes, told apart by which joint moves.
train::LabelledClips clips_of(std::span<const Index> which) {
  std::vector<float> x;
  std::vector<Index> y;
  for (const Index i : which) {
    y.push_back(i % 3);
    Rng noise(static_cast<std::uint64_t>(i));
    for (Index t = 0; t < 8; ++t)
      for (Index v = 0; v < 8; ++v)
        x.push_back(static_cast<float>((v == 2 * (i % 3) ? 0.1 * static_cast<double>(t) : 0.0) +
                                       0.3 * noise.normal()));
  }
  return {Tensor<>::from(x, {std::ssize(which), 1, 8, 4, 2}), {}, Tensor<Index>::from(y)};
}

train::LoopResult overfit(train::Precision precision, const std::string& out, bool resume = false) {
  Rng rng(6);
  const train::SkeletonClassifier<> model(rng, test::tiny_unik(0), 3);
  data::Loader<train::LabelledClips> loader(
      24, [](const data::BatchPlan& plan) { return clips_of(plan.samples); },
      {.batch_size = 8, .seed = 1, .workers = 0});
  optim::AdamW<> adam(parameters(model), {.lr = 1e-2});
  train::LoopOptions o;
  o.epochs = 20;
  o.lr = 1e-2;
  o.clip_norm = 5;
  o.ema_decay = 0.9;
  o.log_every = 6;
  o.precision = precision;
  o.out = out;
  o.resume = resume;
  o.quiet = true;
  train::Loop loop(model, adam, loader, rng, o);
  return train::with_precision(precision, model, [&](const auto& net) {
    return loop.run([&](const train::LabelledClips& b, const Context& ctx) {
      return loss::cross_entropy(net(b.x, ctx), b.labels, {.label_smoothing = 0.1});
    });
  });
}

/// Names, types and shapes of a file's tensors.
std::vector<std::string> tensors_of(const std::string& path) {
  std::vector<std::string> out;
  const io::SafeTensors file(path);
  for (const auto& [name, info] : file.tensors())
    out.push_back(name + " " + dtype_name(info.dtype) + " " + info.shape.str());
  return out;
}

}  // namespace

TEST_CASE("a small encoder overfits in bf16 and f16 as in float, with the same checkpoints") {
  using train::Precision;
  const test::TempDir dir;
  const auto whole = overfit(Precision::f32, dir / "float"), brain = overfit(Precision::bf16, dir / "bf16"),
             half = overfit(Precision::f16, dir / "f16");
  MESSAGE("losses of float ", whole.loss, ", bf16 ", brain.loss, ", f16 ", half.loss);
  constexpr double least = 0.2912;  // of smoothed labels: their entropy; without learning log(3)
  CHECK(whole.loss < 1.1 * least);
  CHECK(brain.loss != whole.loss);
  CHECK(brain.loss < 1.1 * whole.loss);
  CHECK(half.loss != whole.loss);
  CHECK(half.loss < 1.1 * whole.loss);
  const auto file = [&](const char* run) { return train::last_checkpoint(dir / run); };
  auto of_float = tensors_of(file("float"));
  CHECK(tensors_of(file("bf16")) == of_float);
  of_float.push_back("scaler.state float64 (2,)");
  std::sort(of_float.begin(), of_float.end());
  CHECK(tensors_of(file("f16")) == of_float);
  CHECK(overfit(Precision::f32, dir / "bf16", true).steps == 60);  // a run of the one goes on as the other
}
