#pragma once
/// @file cross_entropy.hpp
/// Cross-entropy of logits against classes or distributions: one pass for the losses, one for the gradient;
/// the row bodies are in core/rows/cross_entropy.hpp. Losses of bf16 and f16 logits are float.

#include "tmor/autograd/node.hpp"
#include "tmor/core/rows/cross_entropy.hpp"
#include "tmor/losses/reduction.hpp"
#include "tmor/ops/dense.hpp"
#include "tmor/ops/views.hpp"

TMOR_BEGIN
namespace loss {

/// Options of `cross_entropy`.
struct CrossEntropyOptions {
  double label_smoothing = 0;        ///< in [0, 1]: this much of each target is spread over all classes
  std::int64_t ignore_index = -100;  ///< rows with this class count for nothing (class targets only)
  Reduction reduction = Reduction::mean;
};

}  // namespace loss

namespace detail {

/// Cross-entropy with the targets as row bodies see them; `keep` is the tensor they lie in.
template <class T, class Device, class Target>
Tensor<param_t<T>, Device> cross_entropy_rows(const Tensor<T, Device>& logits,
                                              const rows::Targets<T>& targets,
                                              const Tensor<Target, Device>& keep, Shape shape,
                                              loss::Reduction reduction) {
  using C = compute_t<T>;
  using Stats = Tensor<C, Device>;
  const auto x = dense(logits);
  const Index n = x.size(-1), count = shape.numel();
  const auto all = Stats::empty(shape), mass = Stats::empty({count}), maximum = Stats::empty({count}),
             log_sum_exp = Stats::empty({count}), sums = Stats::empty({3});
  run_rows(Device{}, count, n,
           rows::CrossEntropy<T>{x.data(), targets, n, all.mutable_data(), mass.mutable_data(),
                                 maximum.mutable_data(), log_sum_exp.mutable_data()});
  Stats y = all;
  if (reduction != loss::Reduction::none) {
    // The mean is over rows that count: those not ignored, all of them for distributions.
    run_rows(Device{}, 1, count,
             rows::WeightedMean<C>{all.data(), targets.classes ? mass.data() : nullptr, count,
                                   sums.mutable_data()});
    y = reduction == loss::Reduction::mean ? sums.as_strided({}, {}, 0) : sums.as_strided({}, {}, 2);
  }
  if (needs_grad(logits))
    record(y, "cross_entropy", inputs(logits),
           [x = save(x), targets, keep = save(keep), n, count, reduction, mass = save(mass),
            maximum = save(maximum), log_sum_exp = save(log_sum_exp),
            sums = save(sums)](const Stats& dy_in, Grads& g) {
             keep.get();  // checks that the targets were not changed
             const auto dy = dense(dy_in);
             const auto dx = Tensor<T, Device>::empty(x.get().shape());
             run_rows(Device{}, count, n,
                      rows::CrossEntropyBackward<T>{
                          x.get().data(), targets, n, mass.get().data(), maximum.get().data(),
                          log_sum_exp.get().data(), dy.data(), reduction == loss::Reduction::none,
                          reduction == loss::Reduction::mean ? sums.get().data() + 1 : nullptr,
                          dx.mutable_data()});
             g.add(0, dx);
           });
  return y;
}

}  // namespace detail

namespace loss {

/// -log softmax(logits)[target], row by row: logits (..., classes), targets (...).
///
/// The mean is over the rows that are not ignored, 0 when there are none. A row with a hidden class (logit
/// -infinity) is fine as long as that is not its target.
/// @throws ShapeError when targets do not have logits' leading sizes; Error for a class outside [0, classes)
/// (on the CPU; a GPU gives an unspecified loss) or a smoothing outside [0, 1].
template <class T, class Device>
Tensor<param_t<T>, Device> cross_entropy(const Tensor<T, Device>& logits,
                                         const Tensor<std::int64_t, Device>& targets,
                                         const CrossEntropyOptions& options = {}) {
  TMOR_CHECK_SHAPE(logits.rank() >= 1 && logits.size(-1) > 0,
                   "[cross_entropy] needs logits (..., classes), got ", logits.shape());
  Shape shape = logits.shape();
  shape.erase(shape.rank() - 1);
  TMOR_CHECK_SHAPE(targets.shape() == shape, "[cross_entropy] logits ", logits.shape(), " and targets ",
                   targets.shape(), ": targets must have the shape ", shape,
                   "; classes are the last dimension");
  TMOR_CHECK(options.label_smoothing >= 0 && options.label_smoothing <= 1, "[cross_entropy] label smoothing ",
             options.label_smoothing, " is outside [0, 1]");
  const auto t = tmor::detail::dense(targets);
  if constexpr (Device::host_memory) {
    const Index classes = logits.size(-1);
    const std::int64_t* p = t.data();
    for (Index i = 0; i < t.numel(); ++i)
      TMOR_CHECK((p[i] >= 0 && p[i] < classes) || p[i] == options.ignore_index, "[cross_entropy] target ",
                 p[i], " of row ", i, " is outside [0, ", classes, ")");
  }
  return tmor::detail::cross_entropy_rows(
      logits,
      rows::Targets<T>{t.data(), nullptr, options.ignore_index,
                       static_cast<compute_t<T>>(options.label_smoothing)},
      t, shape, options.reduction);
}

/// -sum(q log softmax(logits)) for target distributions q of logits' shape; no gradient flows into them.
/// @throws ShapeError for unequal shapes; Error when q requires a gradient or smoothing is outside [0, 1].
template <class T, class Device>
Tensor<param_t<T>, Device> cross_entropy(const Tensor<T, Device>& logits, const Tensor<T, Device>& q,
                                         const CrossEntropyOptions& options = {}) {
  tmor::detail::check_equal_shapes("cross_entropy", logits, q);
  TMOR_CHECK_SHAPE(logits.rank() >= 1 && logits.size(-1) > 0,
                   "[cross_entropy] needs logits (..., classes), got ", logits.shape());
  TMOR_CHECK(!needs_grad(q), "[cross_entropy] target distributions get no gradient here; detach() them");
  TMOR_CHECK(options.label_smoothing >= 0 && options.label_smoothing <= 1, "[cross_entropy] label smoothing ",
             options.label_smoothing, " is outside [0, 1]");
  Shape shape = logits.shape();
  shape.erase(shape.rank() - 1);
  const auto t = tmor::detail::dense(q);
  return tmor::detail::cross_entropy_rows(
      logits, rows::Targets<T>{nullptr, t.data(), 0, static_cast<compute_t<T>>(options.label_smoothing)}, t,
      shape, options.reduction);
}

}  // namespace loss
TMOR_END

#ifdef TMOR_COMPILED
#include "tmor/instantiate/cross_entropy.inl"
#endif
