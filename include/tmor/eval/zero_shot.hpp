#pragma once
/// @file zero_shot.hpp
/// Zero-shot classification: each sample gets the class whose text lies nearest in the shared space, the
/// text of a class being the mean of several prompts (Radford et al., "Learning transferable visual models
/// from natural language supervision", 2021, section 3.1.4).

#include "tmor/eval/features.hpp"
#include "tmor/ops/matmul.hpp"

TMOR_BEGIN
namespace eval {

/// Class embeddings (classes, D) of length 1: of prompts (P, D) with a class each, the mean of those of a
/// class at length 1, at length 1 again.
/// @throws Error for a class without prompts, a class out of range, prompts that are zero or not finite, or
/// that cancel.
inline Tensor<> class_embeddings(const Tensor<>& prompts, std::span<const Index> class_of, Index classes) {
  check(Features{prompts, {class_of.begin(), class_of.end()}, classes}, "class_embeddings");
  const auto unit = unit_rows(prompts, "class_embeddings");
  const Index d = prompts.size(1);
  std::vector<double> sum(static_cast<std::size_t>(classes * d));
  std::vector<Index> count(static_cast<std::size_t>(classes));
  for (std::size_t i = 0; i < class_of.size(); ++i) {
    ++count[static_cast<std::size_t>(class_of[i])];
    for (Index j = 0; j < d; ++j)
      sum[static_cast<std::size_t>(class_of[i] * d + j)] +=
          static_cast<double>(unit.data()[static_cast<Index>(i) * d + j]);
  }
  for (std::size_t c = 0; c < count.size(); ++c)
    TMOR_CHECK(count[c] > 0, "[class_embeddings] class ", c, " has no prompt");
  for (std::size_t i = 0; i < sum.size(); ++i)
    sum[i] /= static_cast<double>(count[i / static_cast<std::size_t>(d)]);
  return unit_rows(Tensor<>::from({sum.begin(), sum.end()}, {classes, d}), "class_embeddings");
}

struct ZeroShotResult {
  std::string protocol;
  Tensor<> scores;  ///< (N, classes), cosines
  Accuracy test;
};

/// Cosines of the samples with class embeddings (classes, D) from `class_embeddings`, and how well they
/// classify. `text` says where the embeddings come from ("7 templates x names"), for the protocol.
/// @throws ShapeError where sizes differ, Error for features that are zero or not finite.
inline ZeroShotResult zero_shot(const Features& test, const Tensor<>& embeddings,
                                std::string_view text = "") {
  check(test, "zero_shot");
  check_vectors(embeddings, "zero_shot");
  TMOR_CHECK_SHAPE(embeddings.shape() == (Shape{test.classes, test.dim()}), "[zero_shot] class embeddings ",
                   embeddings.shape(), " for ", test.classes, " classes and ", test.dim(), " features");
  const NoGrad guard;
  ZeroShotResult r;
  r.scores = linear(unit_rows(test.x, "zero_shot"), unit_rows(embeddings, "zero_shot"));
  r.test = accuracy(r.scores, test.y);
  r.protocol = tmor::detail::cat("zero-shot: highest cosine with the mean of each class's normalised prompts",
                                 text.empty() ? "" : ", ", text, "; ", test.size(), " test samples of ",
                                 test.classes, " classes, ", test.dim(), " features");
  return r;
}

}  // namespace eval
TMOR_END
