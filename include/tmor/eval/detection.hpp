#pragma once
/// @file detection.hpp
/// Detection in untrimmed sequences from the frame tokens of a frozen encoder: a head trained on annotated
/// sequences, or no training at all, by the cosine of each frame with the texts of the classes. Both are
/// measured by frame mAP under every policy asked for (metrics/frame_map.hpp).

#include <cmath>

#include "tmor/eval/head_training.hpp"
#include "tmor/eval/zero_shot.hpp"
#include "tmor/metrics/frame_map.hpp"

TMOR_BEGIN
namespace eval {

/// The tokens of one sequence, (T, W), and what is done in it. Row r stands for r * length / T.
struct DetectionSequence {
  Tensor<> tokens;
  Timeline truth;
};

struct DetectionOptions {
  /// Its `in`, `classes` and `span` become those of the sequences and `window`.
  models::FrameHeadConfig head = models::TcnConfig{};
  Index epochs = 50, batch_size = 8;
  Index window = 300;                     ///< training sequences are cut into parts of at most so many rows
  double lr = 1e-3, weight_decay = 5e-4;  ///< AdamW; the rate falls to 0 along a cosine
  double clip_norm = 1;
  std::uint64_t seed = 0;  ///< of the weights, the order and the dropout
  std::vector<std::string> policies = {"all-steps", "tsu", "charades-official", "nan-skip"};
  /// Trains the head; by `train_head<Cuda>` on a GPU.
  std::function<double(const models::FrameHead<>&, const HeadTraining&)> train = train_head<Cpu>;
};

struct DetectionResult {
  std::string protocol;
  std::vector<FrameScores> scores;   ///< logits (zero-shot: cosines) of every test sequence, for timelines
  std::vector<FrameMapResult> maps;  ///< in the order of the policies
  double loss = 0;                   ///< mean over the last epoch; 0 for zero-shot
};

/// Standardises tokens, column by column.
struct TokenScale {
  Tensor<> mean, factor;  ///< (W,)
  Tensor<> operator()(const Tensor<>& x) const { return (x - mean) * factor; }
  static void visit(auto& self, auto&& v) {
    v.buffer("mean", self.mean);
    v.buffer("factor", self.factor);
  }
};

namespace detail {

/// The logits (T, classes) of tokens (T, W) by a head that sees `span` rows at once: windows that overlap by
/// half, of each the middle half, at the ends of the sequence all.
inline Tensor<> over_windows(const models::FrameHead<>& head, const Tensor<>& tokens, Index span) {
  const Index t = tokens.size(0), hop = std::max<Index>(1, span / 2), margin = (span - hop) / 2;
  const auto run = [&](Index start, Index rows) {
    const auto y = head(unsqueeze(narrow(tokens, 0, start, rows), 0), Context{});
    return reshape(y, {rows, y.size(2)});
  };
  if (t <= span) return run(0, t);
  std::vector<Tensor<>> parts;
  for (Index next = 0, at = 0; next < t; at += hop) {
    const Index start = std::min(at, t - span), end = start + span == t ? t : start + margin + hop;
    parts.push_back(contiguous(narrow(run(start, span), 0, next - start, end - next)));
    next = end;
  }
  return concat(parts, 0);
}

}  // namespace detail

/// A trained head: frame tokens to logits.
struct DetectionModel {
  TokenScale scale;
  models::FrameHead<> head;

  DetectionModel() = default;
  /// A head that leaves tokens as they are.
  explicit DetectionModel(models::FrameHead<> h) : head(std::move(h)) {
    const Shape width{models::tokens_of(head.config())};
    scale = {Tensor<>::zeros(width), Tensor<>::ones(width)};
  }
  static void visit(auto& self, auto&& v) {
    v.module("scale", self.scale);
    v.module("head", self.head);
  }
  /// Tokens (T, W) -> logits (T, classes): of a TCN the whole sequence at once, of an MS-TCT windows of the
  /// rows that it was trained on. @throws ShapeError
  Tensor<> operator()(const Tensor<>& tokens) const {
    const NoGrad guard;
    const auto config = head.config();
    TMOR_CHECK_SHAPE(tokens.rank() == 2 && tokens.size(0) >= 1 && tokens.size(1) == models::tokens_of(config),
                     "[DetectionModel] tokens ", tokens.shape(), ": expected (T, ", models::tokens_of(config),
                     "), T at least 1");
    const auto* m = std::get_if<models::MstctConfig>(&config);
    return detail::over_windows(head, scale(tokens), m ? m->span : tokens.size(0));
  }
};

namespace detail {

/// @throws Error or ShapeError naming the sequence and what is wrong with it.
inline void check_sequences(std::span<const DetectionSequence> sequences, Index classes, Index width,
                            const char* op) {
  TMOR_CHECK(!sequences.empty() && classes >= 1, "[", op, "] ", sequences.size(), " sequences, ", classes,
             " classes: want at least one of each");
  for (const auto& s : sequences) {
    check_vectors(s.tokens, op);
    TMOR_CHECK_SHAPE(s.tokens.size(1) == width, "[", op, "] '", s.truth.id, "': tokens ", s.tokens.shape(),
                     ", expected (T, ", width, ")");
    TMOR_CHECK(is_finite(s.truth.length) && s.truth.length > 0, "[", op, "] '", s.truth.id,
               "' has the length ", s.truth.length);
    for (const auto& a : s.truth.spans)
      TMOR_CHECK(a.action >= 0 && a.action < classes && is_finite(a.start) && is_finite(a.end), "[", op,
                 "] '", s.truth.id, "' has the action ", a.action, " from ", a.start, " to ", a.end,
                 ", want 0 to ", classes - 1, " and finite times");
  }
}

inline std::vector<FrameMapResult> frame_maps(std::span<const DetectionSequence> sequences,
                                              std::span<const FrameScores> scores, Index classes,
                                              const std::vector<std::string>& policies) {
  std::vector<Timeline> truth;
  for (const auto& s : sequences) truth.push_back(s.truth);
  std::vector<FrameMapResult> maps;
  for (const auto& name : policies) maps.push_back(frame_map(truth, scores, classes, frame_map_policy(name)));
  return maps;
}

/// Part of a sequence, and what a batch of such parts is padded to.
struct DetectionWindow {
  std::size_t sequence;
  Index start, rows;
};

/// Mean and 1 / deviation of every column over all rows of all sequences; 1 for constant columns.
inline TokenScale token_scale(std::span<const DetectionSequence> sequences) {
  const auto w = static_cast<std::size_t>(sequences[0].tokens.size(1));
  std::vector<double> sum(w), square(w);
  double n = 0;
  for (const bool second : {false, true}) {
    for (const auto& s : sequences) {
      const auto x = s.tokens.to_vector();
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double v = static_cast<double>(x[i]), d = v - (second ? sum[i % w] : 0);
        (second ? square : sum)[i % w] += second ? d * d : v;
      }
      if (!second) n += static_cast<double>(s.tokens.size(0));
    }
    for (double& v : second ? square : sum) v /= n;
  }
  for (double& v : square) v = v > 1e-12 ? 1 / std::sqrt(v) : 1;
  const Shape shape{static_cast<Index>(w)};
  return {Tensor<>::from({sum.begin(), sum.end()}, shape),
          Tensor<>::from({square.begin(), square.end()}, shape)};
}

/// Rows (T, classes) of 0 and 1: strictly inside an action of the class, or not.
inline std::vector<float> row_targets(const DetectionSequence& s, Index classes) {
  const Index rows = s.tokens.size(0);
  std::vector<float> y(static_cast<std::size_t>(rows * classes));
  for (Index r = 0; r < rows; ++r) {
    const double t = sampled_time(r, r, rows, s.truth.length, FrameSampling::kAll);
    for (const auto& a : s.truth.spans)
      if (inside(t, a, Bounds::kStrict)) y[static_cast<std::size_t>(r * classes + a.action)] = 1;
  }
  return y;
}

}  // namespace detail

/// Trains a head by binary cross-entropy on the rows of `train`. The bias starts at each class's share of the
/// rows. The same seed gives the same head. `loss`: the mean over the last epoch goes there.
/// @throws Error or ShapeError for sequences that do not fit, options out of range.
inline DetectionModel fit_detection(std::span<const DetectionSequence> train, Index classes,
                                    const DetectionOptions& o = {}, double* loss = nullptr) {
  TMOR_CHECK(!train.empty() && train[0].tokens.defined() && train[0].tokens.rank() == 2,
             "[detection] no training sequence with tokens");
  const Index width = train[0].tokens.size(1);
  detail::check_sequences(train, classes, width, "detection");
  TMOR_CHECK(o.epochs >= 1 && o.batch_size >= 1 && o.window >= 1, "[detection] ", o.epochs,
             " epochs, batches of ", o.batch_size, ", windows of ", o.window, ": want at least 1 of each");
  const Rng root(o.seed);
  Rng weights = root.fork(0), order = root.fork(1);
  const auto scale = detail::token_scale(train);

  std::vector<std::vector<float>> targets;
  std::vector<detail::DetectionWindow> windows;
  std::vector<double> share(static_cast<std::size_t>(classes), 0.5);  // half a row each, so that none is 0
  double rows = 1;
  for (std::size_t i = 0; i < train.size(); ++i) {
    targets.push_back(detail::row_targets(train[i], classes));
    const Index n = train[i].tokens.size(0);
    for (std::size_t k = 0; k < targets[i].size(); ++k)
      share[k % static_cast<std::size_t>(classes)] += static_cast<double>(targets[i][k]);
    rows += static_cast<double>(n);
    const Index parts = (n + o.window - 1) / o.window;  // of equal size, so that none is a short rest
    for (Index p = 0; p < parts; ++p)
      windows.push_back({i, n * p / parts, n * (p + 1) / parts - n * p / parts});
  }

  auto config = models::sized(o.head, width, classes);
  if (auto* multi = std::get_if<models::MstctConfig>(&config)) multi->span = o.window;
  models::FrameHead<> head(weights, config);
  for (Index c = 0; c < classes; ++c) {
    const double p = share[static_cast<std::size_t>(c)] / rows;
    head.out().b.mutable_data()[c] = static_cast<float>(std::log(p / (1 - p)));
  }
  const Index batches = (std::ssize(windows) + o.batch_size - 1) / o.batch_size;
  std::vector<Tensor<>> scaled;
  {
    const NoGrad guard;
    for (const auto& s : train) scaled.push_back(scale(s.tokens.detach()));
  }
  Index step = 0;
  const auto next = [&] {
    if (step % batches == 0) order.shuffle(windows);
    const auto first = static_cast<std::size_t>(step++ % batches * o.batch_size);
    const auto part = std::span(windows).subspan(
        first, std::min(static_cast<std::size_t>(o.batch_size), windows.size() - first));
    Index longest = 0;
    for (const auto& w : part) longest = std::max(longest, w.rows);
    const Index n = std::ssize(part);
    const HeadBatch b{Tensor<>::zeros({n, longest, width}), Tensor<>::zeros({n, longest}),
                      Tensor<>::zeros({n, longest, classes}), Tensor<bool>::zeros({n, longest, classes})};
    for (Index i = 0; i < n; ++i) {
      const auto& w = part[static_cast<std::size_t>(i)];
      std::copy_n(scaled[w.sequence].data() + w.start * width, w.rows * width,
                  b.x.mutable_data() + i * longest * width);
      std::copy_n(targets[w.sequence].data() + w.start * classes, w.rows * classes,
                  b.y.mutable_data() + i * longest * classes);
      std::fill_n(b.mask.mutable_data() + i * longest, w.rows, 1.0f);
      std::fill_n(b.counted.mutable_data() + i * longest * classes, w.rows * classes, true);
    }
    return b;
  };
  const double mean_loss = o.train(head, {.next = next,
                                          .epochs = o.epochs,
                                          .batches = batches,
                                          .lr = o.lr,
                                          .weight_decay = o.weight_decay,
                                          .clip_norm = o.clip_norm,
                                          .noise = root.fork(2)});
  if (loss) *loss = mean_loss;
  DetectionModel model;
  model.scale = scale;
  model.head = std::move(head);
  return model;
}

/// Trains a head as `fit_detection` and measures it on `test`, whole sequences.
/// @throws Error or ShapeError for sequences that do not fit, options out of range, unknown policies.
inline DetectionResult detection(std::span<const DetectionSequence> train,
                                 std::span<const DetectionSequence> test, Index classes,
                                 const DetectionOptions& o = {}) {
  TMOR_CHECK(!train.empty() && train[0].tokens.defined() && train[0].tokens.rank() == 2,
             "[detection] no training sequence with tokens");
  const Index width = train[0].tokens.size(1);
  detail::check_sequences(test, classes, width, "detection");
  DetectionResult result;
  const auto model = fit_detection(train, classes, o, &result.loss);
  for (const auto& s : test)
    result.scores.push_back({s.truth.id, s.tokens.size(0), model(s.tokens).to_vector()});
  result.maps = detail::frame_maps(test, result.scores, classes, o.policies);
  result.protocol = tmor::detail::cat(
      "detection: ", models::describe(model.head.config()),
      " on frozen standardised frame tokens, binary cross-entropy, AdamW ", o.lr, ", ", o.epochs,
      " epochs, windows of up to ", o.window, " rows, seed ", o.seed, "; ", train.size(), " training and ",
      test.size(), " test sequences of ", classes, " classes, ", width, " features");
  return result;
}

/// Without training: the score of a row and a class is the cosine of the row's token, which lies in the
/// shared space, and the class's text embedding (classes, D) from `class_embeddings`. Tokens of zeros, where
/// nobody is seen, score 0. `text` says where the embeddings come from.
/// @throws Error or ShapeError as `detection`.
inline DetectionResult zero_shot_detection(
    std::span<const DetectionSequence> test, const Tensor<>& embeddings,
    const std::vector<std::string>& policies = DetectionOptions{}.policies, std::string_view text = "") {
  check_vectors(embeddings, "zero_shot_detection");
  const Index classes = embeddings.size(0);
  detail::check_sequences(test, classes, embeddings.size(1), "zero_shot_detection");
  const NoGrad guard;
  const auto unit = unit_rows(embeddings, "zero_shot_detection");
  DetectionResult result;
  for (const auto& s : test)
    result.scores.push_back(
        {s.truth.id, s.tokens.size(0), linear(l2_normalize(s.tokens.detach()), unit).to_vector()});
  result.maps = detail::frame_maps(test, result.scores, classes, policies);
  result.protocol = tmor::detail::cat(
      "zero-shot detection: cosine of every frame token with the mean of each class's normalised prompts",
      text.empty() ? "" : ", ", text, "; ", test.size(), " test sequences of ", classes, " classes, ",
      embeddings.size(1), " features");
  return result;
}

}  // namespace eval
TMOR_END
