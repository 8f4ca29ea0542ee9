#pragma once
/// @file linear_probe.hpp
/// The linear probe: how well one linear layer on frozen features classifies. The weight of its
/// regularisation is chosen on a part of the training samples; the test samples are used once.

#include <algorithm>

#include "tmor/core/rng.hpp"
#include "tmor/eval/logistic.hpp"

TMOR_BEGIN
namespace eval {

struct LinearProbeOptions {
  std::vector<double> lambdas = {1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1};  ///< tried; one alone is taken as it is
  double held_out = 0.2;   ///< fraction of the training samples that lambda is chosen on
  std::uint64_t seed = 0;  ///< of the choice of held-out samples
  LbfgsOptions solver = {};
};

struct LinearProbeResult {
  std::string protocol;          ///< how the figures came about, for reports
  double lambda = 0;             ///< the chosen one
  std::vector<double> held_out;  ///< top-1 on the held-out samples for each lambda; empty for one alone
  LogisticModel model;           ///< fitted to all training samples
  Accuracy test;
};

/// Splits samples in two: a fraction of every class, at least one sample of each class staying; or, with
/// `groups` (a subject, say, for each sample), whole groups in random order until the fraction is reached.
/// `first` stays, `second` is held out; both ascending.
/// @throws Error for a fraction outside (0, 1), or where one part would be empty.
inline std::pair<std::vector<Index>, std::vector<Index>> hold_out(const Features& f, double fraction,
                                                                  std::uint64_t seed,
                                                                  std::span<const Index> groups = {}) {
  TMOR_CHECK(fraction > 0 && fraction < 1, "[hold_out] a fraction of ", fraction, " is not between 0 and 1");
  TMOR_CHECK(groups.empty() || std::ssize(groups) == f.size(), "[hold_out] ", groups.size(), " groups for ",
             f.size(), " samples");
  std::vector<bool> out(static_cast<std::size_t>(f.size()));
  Rng rng(seed);
  if (groups.empty()) {
    for (auto& rows : samples_by_class(f)) {
      const auto n = static_cast<double>(rows.size());
      rng.shuffle(rows);
      const auto count = std::min(rows.size() - !rows.empty(), static_cast<std::size_t>(n * fraction + 0.5));
      for (std::size_t i = 0; i < count; ++i) out[static_cast<std::size_t>(rows[i])] = true;
    }
  } else {
    std::vector<Index> names(groups.begin(), groups.end());
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    rng.shuffle(names);
    Index count = 0;
    for (std::size_t k = 0;
         k < names.size() && static_cast<double>(count) < fraction * static_cast<double>(f.size()); ++k)
      for (std::size_t i = 0; i < groups.size(); ++i)
        if (groups[i] == names[k]) out[i] = true, ++count;
  }
  std::pair<std::vector<Index>, std::vector<Index>> parts;
  for (std::size_t i = 0; i < out.size(); ++i)
    (out[i] ? parts.second : parts.first).push_back(static_cast<Index>(i));
  TMOR_CHECK(!parts.first.empty() && !parts.second.empty(), "[hold_out] ", fraction, " of ", f.size(),
             " samples leaves one part empty: give more samples", groups.empty() ? "" : " or groups",
             ", or a single lambda");
  return parts;
}

/// Fits on `train`, tests on `test`. `groups`: see `hold_out`. Of lambdas that are equally good on the
/// held-out samples, the largest is taken.
/// @throws Error for what `fit_logistic` and `hold_out` refuse, or no lambdas.
inline LinearProbeResult linear_probe(const Features& train, const Features& test,
                                      const LinearProbeOptions& o = {}, std::span<const Index> groups = {}) {
  check(train, test, "linear_probe");
  TMOR_CHECK(!o.lambdas.empty(), "[linear_probe] no lambdas to try");
  LinearProbeResult r;
  r.lambda = o.lambdas[0];
  r.protocol =
      "linear probe: multinomial logistic regression on frozen standardised features, L-BFGS; lambda ";
  if (o.lambdas.size() > 1) {
    const auto [kept, held] = hold_out(train, o.held_out, o.seed, groups);
    const Features fit = take(train, kept), choose = take(train, held);
    double best = -1;
    for (const double lambda : o.lambdas) {
      const double top1 = accuracy(fit_logistic(fit, {lambda, o.solver}).scores(choose.x), choose.y).top1;
      r.held_out.push_back(top1);
      if (top1 > best || (top1 == best && lambda > r.lambda)) best = top1, r.lambda = lambda;
    }
    r.protocol +=
        tmor::detail::cat(r.lambda, ", the best of ", o.lambdas.size(), " by top-1 on ", choose.size(),
                          " training samples held out by ", groups.empty() ? "class" : "group", " (seed ",
                          o.seed, "), refitted on all training samples");
  } else {
    r.protocol += tmor::detail::cat(r.lambda, ", given");
  }
  r.model = fit_logistic(train, {r.lambda, o.solver});
  r.test = accuracy(r.model.scores(test.x), test.y);
  r.protocol += "; " + sizes_text(train, test);
  return r;
}

}  // namespace eval
TMOR_END
